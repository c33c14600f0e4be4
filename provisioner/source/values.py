"""One cell at a time: what a column's raw value means, or what to write instead.

A raw value is the text of a CSV cell or any JSON value. Empty ones never come here.
"""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeAlias

from provisioner.session import (
    AREA_CODE,
    CAPABILITIES,
    CONNECTOR_ID_LENGTH,
    COUNTRY,
    EXPIRY_MINUTES_MINIMUM,
    GEO_MATCH_LEVELS,
    NAME,
    NUMBER_SELECTION_BEHAVIORS,
)
from provisioner.source.numbers import canonical_number, describe_damage

NAME_LENGTH = 30
JOB_ID_LENGTH = 256
EXPIRY_MINUTES_MAXIMUM = 2**31 - 1

Parser: TypeAlias = Callable[[object], object]

_CONNECTOR_ID = re.compile(r"(?!\.+$)[!-~]+")
_BREAKS_A_PATH = re.compile(r"[/?#%\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIGITS = re.compile(r"[0-9]{1,10}")
_WHOLE_WITH_DECIMALS = re.compile(r"([0-9]{1,10})[.,]0*")
_CAPABILITY_SEPARATORS = re.compile(r"[|;+,\s]+")
_CAPABILITY_OF = {name.casefold(): name for name in CAPABILITIES}


class InvalidValueError(ValueError):
    """A value that cannot be used; its text says what to write instead."""


def parse_participant(value: object) -> str:
    """A phone number in E.164."""
    if not isinstance(value, str):
        raise InvalidValueError(
            'a number outside quotes loses its +; write it as text, such as "+14155550100"'
            if isinstance(value, int | float) and not isinstance(value, bool)
            else 'not a phone number; write it as text, such as "+14155550100"'
        )
    number = canonical_number(value)
    if number is None:
        raise InvalidValueError(describe_damage(value))
    return number


def parse_connector_id(value: object) -> str:
    """An id of 1 to 128 characters that can stand in a URL's path."""
    text = _text(value)
    if len(text) > CONNECTOR_ID_LENGTH:
        raise InvalidValueError(
            f"{len(text)} characters; a connector id has at most {CONNECTOR_ID_LENGTH}"
        )
    if not _CONNECTOR_ID.fullmatch(text) or _BREAKS_A_PATH.search(text):
        raise InvalidValueError(
            "not a connector id; write the id alone, such as abcdef1ghij2klmno3pqr4, "
            "without spaces, slashes or a URL around it"
        )
    return text


def parse_capabilities(value: object) -> tuple[str, ...]:
    """Capabilities in the order of `CAPABILITIES`, each once, from text or a list."""
    chosen = {_capability(name) for name in _capability_names(value)}
    if not chosen:
        raise InvalidValueError(f"no capability; write {_either(CAPABILITIES)}, or both")
    return tuple(name for name in CAPABILITIES if name in chosen)


def parse_name(value: object) -> str:
    """A session's Name: at most 30 letters, digits and spaces."""
    text = _text(value)
    if len(text) > NAME_LENGTH:
        raise InvalidValueError(
            f"{len(text)} characters; a name has at most {NAME_LENGTH}; shorten it"
        )
    if not NAME.fullmatch(text):
        raise InvalidValueError(
            f"a name has letters a to z, digits and spaces; leave out {_strays(text)}"
        )
    return text


def parse_expiry_minutes(value: object) -> int:
    """Whole minutes, at least 1."""
    whole = _integer(value)
    minutes = _minutes_in(_text(value, example="720")) if whole is None else whole
    if not EXPIRY_MINUTES_MINIMUM <= minutes <= EXPIRY_MINUTES_MAXIMUM:
        raise InvalidValueError("out of range; write whole minutes from 1 up, such as 720")
    return minutes


def parse_number_selection_behavior(value: object) -> str:
    """`PreferSticky` or `AvoidSticky`."""
    return _one_of(NUMBER_SELECTION_BEHAVIORS, value)


def parse_geo_match_level(value: object) -> str:
    """`Country` or `AreaCode`."""
    return _one_of(GEO_MATCH_LEVELS, value)


def parse_country(value: object) -> str:
    """Two capital letters."""
    text = _text(value)
    if COUNTRY.fullmatch(text):
        return text
    if COUNTRY.fullmatch(text.upper()):
        raise InvalidValueError(f"a country is two capital letters; write {text.upper()}")
    raise InvalidValueError("a country is two capital letters; write its ISO code, such as US")


def parse_area_code(value: object) -> str:
    """Three digits."""
    text = _text(value, example='"415"')
    if not AREA_CODE.fullmatch(text):
        raise InvalidValueError(
            "an area code is three digits, leading zeros included; write it such as 415"
        )
    return text


def parse_job_id(value: object) -> str:
    """Text of 1 to 256 characters without control codes; a JSON integer is its digits."""
    whole = _integer(value)
    text = _text(value) if whole is None else str(whole)
    if len(text) > JOB_ID_LENGTH:
        raise InvalidValueError(f"longer than {JOB_ID_LENGTH} characters; shorten it")
    if _CONTROL.search(text):
        raise InvalidValueError("holds a line break or another control code; leave it out")
    return text


PARSERS: dict[str, Parser] = {
    "participant_1": parse_participant,
    "participant_2": parse_participant,
    "voice_connector_id": parse_connector_id,
    "capabilities": parse_capabilities,
    "name": parse_name,
    "expiry_minutes": parse_expiry_minutes,
    "number_selection_behavior": parse_number_selection_behavior,
    "geo_match_level": parse_geo_match_level,
    "geo_match_country": parse_country,
    "geo_match_area_code": parse_area_code,
    "job_id": parse_job_id,
}


def _text(value: object, *, example: str = '"..."') -> str:
    if not isinstance(value, str):
        raise InvalidValueError(f"must be text; write it in quotes, such as {example}")
    return value.strip()


def _strays(text: str) -> str:
    strays = dict.fromkeys(each for each in text if not NAME.fullmatch(each))
    return " ".join(each if each.isprintable() else "control codes" for each in strays)


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _minutes_in(text: str) -> int:
    if _DIGITS.fullmatch(text):
        return int(text)
    if decimals := _WHOLE_WITH_DECIMALS.fullmatch(text):
        raise InvalidValueError(f"must be a whole number; write {int(decimals[1])}")
    raise InvalidValueError("not a number of minutes; write a whole number, such as 720")


def _capability_names(value: object) -> Iterable[object]:
    if isinstance(value, list):
        return value
    return filter(None, _CAPABILITY_SEPARATORS.split(_text(value, example='["Voice", "SMS"]')))


def _capability(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    found = _CAPABILITY_OF.get(text.casefold())
    if found is None:
        raise InvalidValueError(
            f"a capability is {_either(CAPABILITIES)}{_guess(text, CAPABILITIES)}"
        )
    return found


def _one_of(options: tuple[str, ...], value: object) -> str:
    text = _text(value, example=f'"{options[0]}"')
    if text not in options:
        raise InvalidValueError(f"must be exactly {_either(options)}{_guess(text, options)}")
    return text


def _either(options: Iterable[str]) -> str:
    return " or ".join(options)


def _guess(text: str, options: Iterable[str]) -> str:
    by_folded = {option.casefold(): option for option in options}
    found = get_close_matches(text.casefold(), by_folded, n=1)
    return f"; did you mean {by_folded[found[0]]}?" if found else ""
