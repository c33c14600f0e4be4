"""Text from bytes, without ever failing on one: what cannot be decoded is marked in place."""

import codecs
import io
from typing import BinaryIO

import msgspec

from provisioner.errors import ConfigurationError

UNDECODABLE = "\udcff"
BOM_LENGTH = 3
_MARK = "provisioner.mark"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """How a file's bytes become text; the first `bom` bytes are its mark."""

    name: str
    bom: int = 0


def check_encoding(name: str | None) -> None:
    """Fail early on a name Python knows no text encoding for.

    Raises:
        ConfigurationError: there is no such encoding.
    """
    if name is None:
        return
    try:
        "a".encode(name).decode(name)
    except (LookupError, ValueError) as error:
        raise ConfigurationError(
            f"--encoding {name}: no such text encoding",
            hint="use a name such as utf-8, utf-16, cp1252 or latin-1",
        ) from error


def detect_encoding(head: bytes, asked: str | None) -> Encoding:
    """UTF-8 unless a byte order mark or `asked` says otherwise; `head` is the file's beginning."""
    family = codecs.lookup(asked).name.removesuffix("-sig") if asked else "utf-"
    for bom, name in _BOMS:
        if head.startswith(bom) and name.startswith(family):
            return Encoding(name=name, bom=len(bom))
    return Encoding(name=asked or "utf-8")


def decoded(stream: BinaryIO, encoding: Encoding) -> io.TextIOWrapper:
    """The rest of `stream` as text, line endings untouched, undecodable bytes marked.

    A lone surrogate marks them: no text has one, and the delimiters around it survive.
    """
    stream.seek(encoding.bom)
    return io.TextIOWrapper(stream, encoding=encoding.name, errors=_MARK, newline="")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error(_MARK, _mark)
