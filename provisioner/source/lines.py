"""Physical lines of bounded length, numbered, which can be put back."""

from collections.abc import Sequence
from typing import TextIO

LINE_LENGTH = 1 << 20
"""Characters; a longer line is handed out cut, and the rest of it is passed over."""


class Lines:
    """An iterator over lines with their endings (LF, CRLF or CR). `number` is the last one's."""

    def __init__(self, text: TextIO) -> None:
        self._readline = text.readline
        self._put_back: list[str] = []
        self.number = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._put_back.pop() if self._put_back else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        """Hand these out again; they are the last ones handed out, in their order."""
        self._put_back.extend(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str:
        line = self._readline(LINE_LENGTH + 1)
        if is_overlong(line):
            rest = line
            while rest and not rest.endswith(("\n", "\r")):
                rest = self._readline(LINE_LENGTH)
        return line


def is_overlong(line: str) -> bool:
    """Whether a line was cut."""
    return len(line) > LINE_LENGTH
