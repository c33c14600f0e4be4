"""Log lines: structlog events on one stream, phone numbers masked.

structlog is imported when logging is configured: `--help` need not pay for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO, cast

from provisioner.report.stream import ForgivingStream
from provisioner.session import mask_numbers

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

_DIGEST = re.compile(r"[0-9a-f]{32,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRACEBACKS = ("rich.console", "rich.traceback")
_HARMLESS = (bool, int, float, type(None))


def configure_logging(
    format: str,  # noqa: A002 - the option's name
    level: str,
    stream: TextIO,
    *,
    colors: bool | None = None,
) -> FilteringBoundLogger:
    """A logger that writes lines of `level` and above to `stream`, which may fail or be closed.

    `format` is `console`, `json`, or `auto`: JSON unless the stream is a terminal. `colors` None
    means on a terminal. Loggers of other libraries are left alone.
    """
    structlog = _structlog()
    terminal = stream.isatty()
    as_json = format == "json" or (format == "auto" and not terminal)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        masked,
        _json() if as_json else _console(colors=terminal if colors is None else colors),
    ]
    lines = structlog.WriteLogger(cast("TextIO", ForgivingStream(stream)))
    wrapper = structlog.make_filtering_bound_logger(level)
    return cast(
        "FilteringBoundLogger",
        structlog.wrap_logger(lines, processors=processors, wrapper_class=wrapper),
    )


def _structlog() -> ModuleType:
    """structlog, kept from loading rich, most of its import, whose tracebacks nobody asks for."""
    absent: dict[str, Any] = dict.fromkeys(name for name in _TRACEBACKS if name not in sys.modules)
    sys.modules.update(absent)
    try:
        import structlog  # noqa: PLC0415 - slow to import
    finally:
        for name in absent:
            del sys.modules[name]
    return structlog


def masked(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The structlog processor that masks phone numbers in every value, however deep."""
    for name, value in event.items():
        event[name] = _masked(value)
    return event


def _json() -> Processor:
    import structlog  # noqa: PLC0415 - slow to import

    return structlog.processors.JSONRenderer(default=str)


def _console(*, colors: bool) -> Processor:
    import structlog  # noqa: PLC0415 - slow to import

    return structlog.dev.ConsoleRenderer(
        colors=colors,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _masked(value: object) -> object:
    match value:
        case str():
            # Keys and request ids are told as they are, or nobody could search for them.
            return value if _DIGEST.fullmatch(value) else mask_numbers(value)
        case dict():
            return {_masked(name): _masked(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(each) for each in value]
        case _:
            return value if isinstance(value, _HARMLESS) else mask_numbers(str(value))
