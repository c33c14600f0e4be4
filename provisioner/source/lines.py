"""Physical lines of bounded length, numbered, which can be put back."""

from collections.abc import Iterator, Sequence
from typing import TextIO

LINE_LENGTH = 1 << 20
"""Characters; a longer line is handed out cut, and the rest of it is passed over."""


class Lines:
    """Lines with their endings (LF, CRLF or CR), each handed out once, however often iterated.

    `number` is that of the line handed out last.
    """

    def __init__(self, text: TextIO) -> None:
        self._readline = text.readline
        self._put_back: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        readline, put_back = self._readline, self._put_back
        while True:
            if put_back:
                line = put_back.pop()
            else:
                line = readline(LINE_LENGTH + 1)
                if len(line) > LINE_LENGTH:
                    self._pass_over_rest(line)
            if not line:
                return
            self.number += 1
            yield line

    def put_back(self, lines: Sequence[str]) -> None:
        """Hand these out again; they are the last ones handed out, in their order."""
        self._put_back.extend(reversed(lines))
        self.number -= len(lines)

    def _pass_over_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._readline(LINE_LENGTH)
