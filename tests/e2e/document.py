"""A document's examples, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Document:
    """A Markdown file of the repository; `path` is below its root."""

    def __init__(self, path: str) -> None:
        self.text = (ROOT / path).read_text("utf-8")

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks in a language."""
        return re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)

    def commands(self, program: str) -> list[list[str]]:
        """The arguments of each call of a program, in order."""
        lines = "\n".join(self.blocks("console")).replace("\\\n", "").splitlines()
        words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
        return [each[1:] for each in words if each[:1] == [program]]

    def codes(self, heading: str) -> set[int]:
        """The numbers in the first column of the table whose first line starts with `heading`."""
        rows = self.text.split(heading)[1].split("\n\n")[0].splitlines()[2:]
        return {int(code) for row in rows for code in re.findall(r"\d+", row.split("|")[1])}
