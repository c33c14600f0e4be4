"""The result files: every row of a campaign in exactly one of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from provisioner.record import Layout, RowResult
from provisioner.report.atomic import cannot_write, replaced
from provisioner.report.csv_results import CsvResults
from provisioner.report.jsonl_results import JsonlResults
from provisioner.report.record import FILE_NAMES, FILES

_EXTENSIONS = ("csv", "tsv", "jsonl")


def result_paths(layout: Layout, out: Path, format: str | None = None) -> dict[str, Path]:  # noqa: A002 - the option's name
    """Where each result file lies, by its name without the extension."""
    extension = _extension(layout, format)
    return {name: out / f"{name}.{extension}" for name in FILE_NAMES}


def write_results(
    rows: Iterable[RowResult],
    layout: Layout,
    out: Path,
    format: str | None = None,  # noqa: A002 - the option's name
) -> None:
    """Write every row to the one of the six files in `out` that its state asks for.

    All six are replaced together, those without rows too; result files of another format are
    removed. `format` is `csv`, `jsonl` or None for the job file's own. Rows are read once and not
    kept.

    Raises:
        CannotWriteError: the files that were there are untouched.
    """
    paths = result_paths(layout, out, format)
    kind = JsonlResults if (format or layout.format) == "jsonl" else CsvResults
    with replaced(out, [path.name for path in paths.values()]) as files:
        writers = {name: kind(file, layout).write for name, file in zip(paths, files, strict=True)}
        writer_of = {state: writers[name] for state, name in FILES.items()}
        for row in rows:
            writer_of[row.state](row)
    _remove_others(paths)


def _extension(layout: Layout, asked: str | None) -> str:
    if (asked or layout.format) == "jsonl":
        return "jsonl"
    return "tsv" if layout.delimiter == "\t" else "csv"


def _remove_others(paths: dict[str, Path]) -> None:
    """Remove what an earlier run wrote in another format: it no longer tells the truth."""
    for path in paths.values():
        for extension in _EXTENSIONS:
            other = path.with_suffix(f".{extension}")
            if other != path:
                _remove(other)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
