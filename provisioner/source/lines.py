"""Physical lines of bounded length, numbered, which can be put back."""

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import TextIO

LINE_LENGTH = 1 << 20
"""Characters; what is longer loses its middle."""

_CHARACTERS_AT_ONCE = 1 << 18


class Lines:
    """Lines with their endings (LF, CRLF or CR), each handed out once, however often iterated.

    `number` is that of the line handed out last.
    """

    def __init__(self, text: TextIO) -> None:
        self._read = text.read
        self._ahead: list[str] = []
        self._next = 0
        self._unfinished = ""
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while taken := self.take(1):
            yield taken[0]

    def take(self, most: int) -> list[str]:
        """The next lines, some or `most` of them; none at the end."""
        if self._next == len(self._ahead):
            self._ahead, self._next = self._further(), 0
        taken = self._ahead[self._next : self._next + most]
        self._next += len(taken)
        self.number += len(taken)
        return taken

    def put_back(self, lines: Sequence[str]) -> None:
        """Hand these out again; they are the last ones handed out, in their order."""
        self._ahead[: self._next] = lines
        self._next = 0
        self.number -= len(lines)

    def _further(self) -> list[str]:
        while text := self._read(_CHARACTERS_AT_ONCE):
            lines = _split(self._unfinished + text)
            # What follows may belong to it, be it the LF of a CRLF.
            self._unfinished = _cut(lines.pop())
            if lines:
                return lines
        last, self._unfinished = self._unfinished, ""
        return _split(last)


def _split(text: str) -> list[str]:
    if "\r" in text:
        return StringIO(text, newline="").readlines()
    *lines, last = text.split("\n")
    return [line + "\n" for line in lines] + [last] * bool(last)


def _cut(line: str) -> str:
    return line if line.endswith(("\n", "\r")) else line[: LINE_LENGTH + 1]
