"""How a raw value is shown in a problem: its numbers masked, on one line, cut to fit."""

import re

import msgspec

from provisioner.session import mask_number

SHOWN_LENGTH = 60
_LENGTH_EXAMINED = 1000
_DIGITS_OF_A_NUMBER = 5
# Seven digits or more, however they are grouped, may be somebody's number.
_NUMBER_LIKE = re.compile(r"[+(]{0,2}\d(?:[^a-zA-Z\d\n,;|]{0,2}\d){6,}")


def shown_participant(value: object) -> str:
    """A participant's cell; shown as it is only where it can hold no number."""
    text = _printable(value)
    if sum(map(str.isdigit, text)) >= _DIGITS_OF_A_NUMBER:
        return mask_number(text)
    return _cut(text)


def shown(value: object) -> str:
    """Any other cell, with everything masked that could be a phone number."""
    return _cut(_NUMBER_LIKE.sub(lambda match: mask_number(match[0]), _printable(value)))


def _printable(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = text[:_LENGTH_EXAMINED]
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
