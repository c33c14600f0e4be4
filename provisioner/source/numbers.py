"""Phone numbers as people and spreadsheets write them, and what went wrong with the others."""

import re
import unicodedata

from provisioner.session import mask_number

E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_E164_DIGITS_MAXIMUM = 15
_SPACES = "\t \u00a0\u2007\u2009\u202f"
_DASHES = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
# Marks of text direction and width come along with numbers pasted from an address book.
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"
_PUNCTUATION = dict.fromkeys(map(ord, _SPACES + _DASHES + _INVISIBLE + ".()[]"))

_SCIENTIFIC = re.compile(r"\+?[0-9]+,?[0-9]*[eE]\+?[0-9]+")
_LOST_PLUS = re.compile(r"[1-9][0-9]{1,14}")
_DECIMAL = re.compile(r"\s*'?\+?[0-9]+[.,]0+\s*")
_INTERNATIONAL_PREFIX = re.compile(r"\+?00([1-9][0-9]{1,14})")


def canonical_number(text: str) -> str | None:
    """The number in E.164 with its `+`, without punctuation; None when it is not one."""
    if E164.fullmatch(text):
        return text
    plain = _without_punctuation(text)
    return plain if E164.fullmatch(plain) and not _DECIMAL.fullmatch(text) else None


def describe_damage(text: str) -> str:
    """One sentence on why `text` is no number, with what to write instead; numbers masked."""
    if _DECIMAL.fullmatch(text):
        return (
            "a spreadsheet or a program made a decimal number of it; "
            "write it without the .0 at its end, such as +14155550100"
        )
    plain = _without_punctuation(text)
    if _SCIENTIFIC.fullmatch(plain):
        return (
            "a spreadsheet turned this number into scientific notation and its digits are lost; "
            "format the column as text and enter the number again, such as +14155550100"
        )
    if _LOST_PLUS.fullmatch(plain):
        return f"the leading + is lost; write {mask_number('+' + plain)}, country code included"
    if prefixed := _INTERNATIONAL_PREFIX.fullmatch(plain):
        return f"replace the leading 00 by +; write {mask_number('+' + prefixed[1])}"
    return _misshapen(plain)


def _without_punctuation(text: str) -> str:
    return text.strip().removeprefix("'").translate(_PUNCTUATION).strip()


def _misshapen(plain: str) -> str:
    digits = plain.removeprefix("+")
    stray = next((each for each in digits if each not in "0123456789"), None)
    if stray is not None:
        return _stray_character(stray)
    if len(digits) > _E164_DIGITS_MAXIMUM:
        return (
            f"{len(digits)} digits are too many; "
            f"write + and at most {_E164_DIGITS_MAXIMUM} digits, country code included"
        )
    if digits.startswith("0"):
        return "no country code begins with 0; write + and the country code, such as +442079460000"
    return "too short for a phone number; write + and the country code, such as +14155550100"


def _stray_character(character: str) -> str:
    if character == "+":
        return "a + may stand at the beginning only; write one number, such as +14155550100"
    if character.isdigit():
        return "digits other than 0 to 9 are not understood; write it such as +14155550100"
    shown = character if character.isprintable() else unicodedata.name(character, "a control code")
    return f"{shown!r} does not belong in a phone number; write it such as +14155550100"
