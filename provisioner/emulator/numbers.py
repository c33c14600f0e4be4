"""The pool of proxy numbers: fictional ranges, by country, and who holds which."""

from __future__ import annotations

from functools import reduce
from operator import or_
from zlib import crc32

from provisioner.emulator.refusal import pool_exhausted
from provisioner.emulator.requests import CreateProxySession
from provisioner.errors import ConfigurationError

_US_AREAS = ("206", "212", "303", "312", "415", "512", "617", "702", "808", "907")
_CA_AREAS = ("204", "306", "403", "416", "506", "514", "604", "709", "867", "902")
_STEMS: dict[str, tuple[str, ...]] = {
    "US": tuple(f"+1{area}55501" for area in _US_AREAS),
    "CA": tuple(f"+1{area}55501" for area in _CA_AREAS),
    "GB": ("+4420794600", "+4411349600", "+4411449600", "+4412149600", "+4413149600"),
    "AU": ("+612555001", "+613555001", "+617555001", "+618555001"),
    "FR": ("+331990000", "+332619100", "+333530100", "+334657100", "+335364900"),
    "DE": ("+49302312500", "+49406696900", "+49221471100", "+49899980800"),
}
"""Ranges kept for drama, each a stem that two more digits complete."""

COUNTRIES = tuple(_STEMS)
"""Countries that have numbers."""

_NEAR = 200
_PREFIXES = {"44": "GB", "61": "AU", "33": "FR", "49": "DE"}


def country_of(number: str) -> str:
    """The country of a phone number among those with numbers; the United States when in doubt."""
    digits = number.lstrip("+")
    if digits[0] == "1":
        return "CA" if digits[1:4] in _CA_AREAS else "US"
    return _PREFIXES.get(digits[:2], "US")


class NumberPool:
    """Which proxy number may serve whom.

    A number serves many sessions, but only one for each participant: a call from a participant to
    a number must lead to one session. What somebody holds is the bits of one integer, bit i for
    the i-th number.
    """

    def __init__(self, size: int) -> None:
        largest = min(len(stems) for stems in _STEMS.values()) * 100
        if not 1 <= size <= largest:
            raise ConfigurationError(
                f"a pool of {size} numbers per country cannot be had",
                hint=f"the fictional ranges allow 1 to {largest}",
            )
        self.numbers: list[str] = []
        self._masks: dict[str, int] = {}
        self._offers: dict[tuple[str, ...], int] = {}
        self._held: dict[str, int] = {}
        for country in COUNTRIES:
            self._add(country, size)
        self._places = {number.lstrip("+"): place for place, number in enumerate(self.numbers)}

    def _add(self, country: str, size: int) -> None:
        stems = _STEMS[country]
        for position in range(size):
            bit = 1 << len(self.numbers)
            stem = stems[position % len(stems)]
            self.numbers.append(f"{stem}{position // len(stems):02d}")
            self._masks[country] = self._masks.get(country, 0) | bit
            if country in {"US", "CA"}:
                self._masks[stem[2:5]] = self._masks.get(stem[2:5], 0) | bit

    def reserve(
        self, request: CreateProxySession, countries: tuple[str, ...], luck: int
    ) -> tuple[int, int]:
        """A number, by index, for each participant; often the same one.

        `luck` is 32 random bits. PreferSticky ignores it, so that a pair gets what it had.

        Raises:
            Refusal: one of the two holds every number there is.
        """
        pair = [number.lstrip("+") for number in request.participant_phone_numbers]
        if request.number_selection_behavior == "PreferSticky":
            luck = crc32("|".join(sorted(pair)).encode())
        everything = self._offer(countries)
        for number in pair:
            # Nobody is shown his own number.
            if number in self._places:
                everything &= ~(1 << self._places[number])
        wanted = everything & self._wish(request) or everything
        chosen = self._choose(
            [self._held.get(number, 0) for number in pair], wanted, everything, luck
        )
        self._hold(pair, chosen)
        return chosen

    def _offer(self, countries: tuple[str, ...]) -> int:
        """The numbers of some countries."""
        offer = self._offers.get(countries)
        if offer is None:
            offer = reduce(or_, (self._masks[country] for country in countries))
            self._offers[countries] = offer
        return offer

    def _wish(self, request: CreateProxySession) -> int:
        """The numbers that suit the request's geography; none when it has no wish."""
        if request.geo_match_level is None:
            return 0
        first = request.participant_phone_numbers[0].lstrip("+")
        place = request.geo_match_params
        country = (place and place.country) or country_of(first)
        area = (place and place.area_code) or first[1:4]
        mask = self._masks.get(country, 0)
        if request.geo_match_level == "AreaCode":
            mask = mask & self._masks.get(area, 0) or mask
        return mask

    def _choose(self, held: list[int], wanted: int, everything: int, luck: int) -> tuple[int, int]:
        first, second = held
        shared = wanted & ~(first | second) or everything & ~(first | second)
        if shared and luck & 1:
            index = self._pick(shared, luck)
            return index, index
        return (
            self._pick(wanted & ~first or everything & ~first, luck),
            self._pick(wanted & ~second or everything & ~second, luck >> 8),
        )

    def _pick(self, free: int, luck: int) -> int:
        """One of the free numbers: the first from a random place on, or from the start."""
        if not free:
            raise pool_exhausted("No proxy phone number is available for these participants")
        lowest = (free & -free).bit_length() - 1
        # Not far beyond: what millions hold are integers as long as their highest place.
        start = lowest + (luck >> 1) % min(_NEAR, free.bit_length() - lowest)
        candidates = free >> start << start or free
        return (candidates & -candidates).bit_length() - 1

    def _hold(self, pair: list[str], chosen: tuple[int, int]) -> None:
        for number, index in zip(pair, chosen, strict=True):
            self._held[number] = self._held.get(number, 0) | 1 << index

    def release(self, participants: tuple[str, str], chosen: tuple[int, int]) -> None:
        """Give the numbers of a session back."""
        for participant, index in zip(participants, chosen, strict=True):
            number = participant.lstrip("+")
            rest = self._held[number] & ~(1 << index)
            if rest:
                self._held[number] = rest
            else:
                del self._held[number]
