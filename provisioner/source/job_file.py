"""A job file: which format it has, and its rows."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, dropwhile, islice
from pathlib import Path

import msgspec

from provisioner.entry import Block, Entry
from provisioner.errors import ConfigurationError, InputMissingError, InputRefusedError
from provisioner.record import Layout
from provisioner.settings import InputSettings
from provisioner.source import by_the_block
from provisioner.source.apart import LARGE, EntriesApart, Reading
from provisioner.source.csv_header import DELIMITERS, read_header
from provisioner.source.csv_rows import CsvRows
from provisioner.source.decoding import BOM_LENGTH, check_encoding, decoded, detect_encoding
from provisioner.source.input import STANDARD_INPUT, Input, open_input
from provisioner.source.jsonl_rows import JsonlRows
from provisioner.source.lines import Lines
from provisioner.source.validation import Validator

_FORMATS = ("csv", "tsv", "jsonl")
_FORMAT_OF = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_TABS_FIRST = ("\t", *DELIMITERS)
_LINES_SNIFFED = 10


class JobFile:
    """The `Source` port over a file or standard input."""

    def __init__(self, settings: InputSettings, opened: Input | None = None) -> None:
        self._settings = settings
        self._format = _format(settings)
        check_encoding(settings.encoding)
        self._validator = Validator(settings.defaults)
        self._input = opened or open_input(settings.path)
        self.name = self._input.name
        self.sha256 = self._input.sha256
        self._layout: Callable[[], Layout] = _no_layout
        weakref.finalize(self, self._input.stream.close)

    def entries(self, campaign: str) -> Iterator[Sequence[Entry] | Block]:
        """See the port; the file can be read once."""
        size, _ = self._input.stamp
        return self.entries_here(campaign) if size < LARGE else self._entries_apart(campaign)

    def rows(self, campaign: str | None = None) -> Iterator[Entry]:
        """Every row in file order, invalid ones with their problems; the file can be read once."""
        return chain.from_iterable(self.entries_here(campaign))

    def entries_here(self, campaign: str | None) -> Iterator[Sequence[Entry] | Block]:
        """The same by the block, read by this process whatever the size.

        Without a campaign, rows keep the Names they bring.
        """
        stream = self._input.stream
        encoding = detect_encoding(stream.read(BOM_LENGTH), self._settings.encoding)
        try:
            with decoded(stream, encoding) as text:
                yield from self._read(Lines(text), campaign, bom=encoding.bom > 0)
                self._input.check_unchanged()
        except InputRefusedError as error:
            raise InputRefusedError(f"{self.name}: {error}", hint=error.hint) from error
        except UnicodeError as error:
            raise InputRefusedError(
                f"{self.name}: cannot be read in this encoding: {error}",
                hint="name the file's own with --encoding",
            ) from error
        except OSError as error:
            raise InputMissingError(
                f"{self.name}: cannot be read: {error.strerror}", hint="check the disk it lies on"
            ) from error

    def layout(self) -> Layout:
        """The file's shape; complete once everything was read."""
        return self._layout()

    def _entries_apart(self, campaign: str) -> Iterator[Sequence[Entry] | Block]:
        opened = self._input
        reading = Reading(
            settings=msgspec.structs.replace(
                self._settings, path=STANDARD_INPUT, format=self._format
            ),
            campaign=campaign,
            # A file's name may be no text; this one is for messages only.
            name=opened.name.encode(errors="replace").decode(),
            sha256=opened.sha256,
            stamp=opened.stamp,
        )
        entries = EntriesApart(reading, opened.stream)
        self._layout = entries.layout
        yield from entries

    def _read(
        self, lines: Lines, campaign: str | None, *, bom: bool
    ) -> Iterator[Sequence[Entry] | Block]:
        if (self._format or _sniffed(lines)) == "jsonl":
            objects = JsonlRows(self._validator, campaign)
            self._layout = objects.layout
            return by_the_block.read(lines, objects)
        header = read_header(lines, _TABS_FIRST if self._format == "tsv" else DELIMITERS)
        records = CsvRows(header, self._validator, campaign)
        self._layout = partial(records.layout, bom=bom)
        return by_the_block.read(lines, records)


def _format(settings: InputSettings) -> str | None:
    if settings.format is not None:
        if settings.format not in _FORMATS:
            raise ConfigurationError(
                f"--format {settings.format}: no such format",
                hint=f"use one of {', '.join(_FORMATS)}",
            )
        return settings.format
    if settings.path == STANDARD_INPUT:
        return None
    suffix = Path(settings.path).suffix
    if suffix.lower() not in _FORMAT_OF:
        raise InputRefusedError(
            f"{settings.path}: the extension {suffix or '(none)'} does not tell its format",
            hint=f"say it with --format: {', '.join(_FORMATS)}",
        )
    return _FORMAT_OF[suffix.lower()]


def _sniffed(lines: Lines) -> str:
    beginning = list(islice(lines, _LINES_SNIFFED))
    lines.put_back(beginning)
    text = next(dropwhile(str.isspace, beginning), "")
    return "jsonl" if text.lstrip().startswith(("{", "[")) else "csv"


def _no_layout() -> Layout:
    raise RuntimeError("a job file has no layout before its rows are read")
