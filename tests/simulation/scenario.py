"""What one seed decides: the rows, the service, the lane, and the lives of the processes."""

from __future__ import annotations

from random import Random

import msgspec

from provisioner.emulator.faults import FaultKind, FaultPlan
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings, Quota
from provisioner.entry import Entry, entry
from provisioner.job import Problem
from provisioner.session import SessionRequest
from provisioner.settings import PaceSettings

CONNECTORS = (CONNECTOR, "zyxwvu9tsrq8ponml7kji6")
STOLEN_FOR = 4000.0
"""Seconds that a process stands still which is taken for dead."""
LONGEST_STALENESS = 50.0
"""Seconds that a listing may lag behind, beyond the service's own delay."""
LATENESS_ALLOWED_BY = 900.0
"""Seconds of `settle` that allow for all of it, and for the service's delays below."""
STEPS_PER_JOB = 10
LARGEST_SKEW = 100.0
"""Seconds a machine's clock is wrong by at most, either way."""
LONGEST_DELAY = 330.0
"""Seconds a request is held up on the wire; beyond its signature's life it is refused."""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One process, from its start to its end, orderly or not.

    `crash_at` is the step at which it dies; `freezes` and `jumps` are (step, seconds): how long it
    stands still there, by how much its clock is wrong from there on. `drain_at` is seconds after
    its start; `pause` seconds pass before it. At the first intent from step `stolen_at` on it is
    stopped for an hour; somebody takes it for dead, removes its lock and starts another on the same
    ledger. At step `second_at` another is started beside it, by mistake. Before a life that is
    `meddled` with somebody has set rows back to pending in the database, by hand, and afterwards
    undoes it. From step `full_at` on its disk is full. In the `morning` the operator has every
    session listed. When the ledger is `lost` before it, the sessions that are there are adopted
    before anything is sent.
    """

    crash_at: int | None = None
    freezes: tuple[tuple[int, float], ...] = ()
    jumps: tuple[tuple[int, float], ...] = ()
    drain_at: float | None = None
    stolen_at: int | None = None
    second_at: int | None = None
    meddled: bool = False
    full_at: int | None = None
    limit: int | None = None
    retry_failed: bool = False
    extended: bool = True
    pause: float = 1.0
    morning: bool = False
    lost: bool = False


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A night. `first_rows` of the rows are in the first version of the job file.

    `late` and `dropped` are the chances that a request is held up on the wire, or never arrives.
    `page` is the most sessions a listing shows at once; `stale` the chance that one is answered
    from a copy of the past, `moving` that a session on it moves to a page that was shown already:
    no listing before or after misses that session. `yesterday` is the share of rows for which there
    are sessions already that an earlier night made under the same Names. `staleness` is how many
    seconds old that copy of the past is. `quotas` are (seconds into the night, the quota from then
    on).
    """

    seed: int
    rows: tuple[Entry, ...]
    first_rows: int
    pace: PaceSettings
    connections: int
    timeout: float
    settle: float
    emulator: EmulatorSettings
    late: float
    dropped: float
    page: int
    stale: float
    quotas: tuple[tuple[float, Quota | None], ...]
    lives: tuple[Life, ...]
    moving: float
    yesterday: float
    staleness: float


def scenario(seed: int, jobs: tuple[int, int] = (5, 40)) -> Scenario:
    """The night of a seed."""
    random = Random(seed)
    fewest, most = jobs
    count = fewest + int((most + 1 - fewest) * random.random() ** 2)
    rows = _rows(random, count)
    # One night in six is long enough for what its beginning left in doubt to be settled in it.
    rate = round(10 ** random.uniform(*((0, 2.3) if random.random() < 5 / 6 else (-1.9, -1))), 4)
    length = count / rate
    night = Scenario(
        seed=seed,
        rows=rows,
        first_rows=random.randint(1, len(rows)) if random.random() < 0.3 else len(rows),
        pace=PaceSettings(
            rate=rate,
            burst=random.choice((1, 1, 1, 1, 2, 5, 10)),
            max_attempts=random.choice((1, 2, 4, 8)),
        ),
        connections=random.choice((1, 2, 4, 8, 16)),
        timeout=random.choice((5.0, 10.0, 30.0)),
        settle=900.0,
        emulator=_service(random, seed, rate),
        late=random.choice((0.0, 0.02, 0.1)),
        dropped=random.choice((0.0, 0.0, 0.02, 0.1)),
        page=random.choice((2, 5, 20, 100)),
        stale=random.choice((0.0, 0.5)),
        quotas=_quotas(random, rate, length),
        lives=_beset(random, count, _lives(random, count, length)),
        moving=0.0,
        yesterday=random.choice((0.0, 0.0, 0.0, 0.3, 1.0)),
        staleness=LONGEST_STALENESS,
    )
    # An answered attempt's first listing may be too early for a copy of the past: one more is due.
    moving = random.choice((0.0, 0.1, 0.5))
    night = night if night.stale else msgspec.structs.replace(night, moving=moving)
    return _settling(night, random.choice((600.0, 900.0, 900.0, 1800.0)))


def _settling(night: Scenario, settle: float) -> Scenario:
    """As long as that is waited for proof; what is listed late is so within what that allows."""
    share = min(settle / LATENESS_ALLOWED_BY, 1.0)
    faults = night.emulator.faults
    faults = msgspec.structs.replace(faults, listing_lag=share * faults.listing_lag)
    delay = share * night.emulator.listing_delay
    emulator = msgspec.structs.replace(night.emulator, listing_delay=delay, faults=faults)
    return msgspec.structs.replace(
        night, settle=settle, emulator=emulator, staleness=share * LONGEST_STALENESS
    )


def crashing(seed: int, step: int | None, jobs: tuple[int, int]) -> Scenario:
    """The night of a seed with one more life before the others, which dies at `step`."""
    night = scenario(seed, jobs)
    first = Life(crash_at=step, pause=0.0, extended=night.lives[0].extended)
    return msgspec.structs.replace(night, lives=(first, *night.lives))


def losing(seed: int) -> Scenario:
    """The night of a seed whose ledger is lost in the middle of it.

    Adoption starts when nothing that was sent can arrive any more, with the whole job file; rows
    are told apart by their Names.
    """
    night = scenario(seed)
    lives = [
        msgspec.structs.replace(life, stolen_at=None, extended=True) for life in night.lives[:2]
    ]
    return msgspec.structs.replace(
        night,
        rows=tuple(map(_by_itself, night.rows)),
        first_rows=len(night.rows),
        yesterday=0.0,
        lives=(*lives, Life(lost=True, pause=night.settle)),
    )


def _by_itself(row: Entry) -> Entry:
    request = row.request
    if request is None or request.name != "Smith":
        return row
    request = msgspec.structs.replace(request, name=f"Smith {row.key}".replace("-", " "))
    return entry(row.number, row.line, row.cells, request=request, key=row.key or "")


def _rows(random: Random, count: int) -> tuple[Entry, ...]:
    """Mostly distinct jobs; some share their numbers or their Name, some are turned away."""
    people = random.choice((2, 5, 3 * count))
    shared = random.random() < 0.3
    rows: list[Entry] = []
    for number in range(1, count + 1):
        kind = random.random()
        if kind < 0.03:
            rows.append(_invalid(number))
        elif kind < 0.06 and rows and rows[-1].request is not None:
            rows.append(msgspec.structs.replace(rows[-1], number=number, line=number))
        else:
            rows.append(_valid(random, number, people, shared=shared))
    return tuple(rows)


def _valid(random: Random, number: int, people: int, *, shared: bool) -> Entry:
    first = random.randrange(people)
    second = (first + random.randrange(1, people)) % people
    own = random.random()
    name = None if own < 0.7 else "Smith" if shared and own < 0.85 else f"Smith {number}"
    request = SessionRequest(
        voice_connector_id=random.choice(CONNECTORS),
        participants=(f"+1206{first:07}", f"+1206{second:07}"),
        capabilities=random.choice((("Voice",), ("Voice", "SMS"))),
        name=name,
        expiry_minutes=random.choice((None, None, 5, 60, 720)),
    )
    return entry(number=number, line=number, cells="[]", key=f"job-{number}", request=request)


def _invalid(number: int) -> Entry:
    problem = Problem(line=number, message="not a number")
    return Entry(number=number, line=number, cells="[]", problems=(problem,))


def _service(random: Random, seed: int, rate: float) -> EmulatorSettings:
    latency = random.choice((0.01, 0.1, 0.5, 2.0))
    rates = {kind: random.choice((0.01, 0.03, 0.1)) for kind in FaultKind if random.random() < 0.4}
    if random.random() < 0.75:
        rates.pop(FaultKind.UNAVAILABLE_AFTER, None)
    return EmulatorSettings(
        seed=seed,
        connectors=CONNECTORS,
        pool_size=random.choice((10, 30)),
        quota=_quota(random, rate) if random.random() < 0.5 else None,
        listing_delay=random.choice((0.0, 0.0, 5.0, 30.0, 55.0)),
        closed_retention=random.choice((None, None, None, 0.0, 1800.0)),
        retry_after=random.choice((None, None, 1, 5)),
        faults=FaultPlan(
            rates=rates,
            latency=latency,
            jitter=random.choice((0.0, latency / 2)),
            listing_lag=random.choice((10.0, 45.0)),
            operations=random.choice(
                (("CreateProxySession",), ("CreateProxySession", "ListProxySessions"))
            ),
        ),
    )


def _quota(random: Random, rate: float) -> Quota:
    return Quota(
        rate=rate * random.choice((0.3, 0.7, 1.0, 2.0)),
        burst=random.choice((1, 1, 5)),
        window=random.choice((None, None, 10.0 / rate + 1.0)),
    )


def _quotas(random: Random, rate: float, length: float) -> tuple[tuple[float, Quota | None], ...]:
    if random.random() < 0.7:
        return ()
    return tuple(
        (random.uniform(0, 2 * length), _quota(random, rate) if random.random() < 0.7 else None)
        for _ in range(random.randint(1, 3))
    )


def _lives(random: Random, count: int, length: float) -> tuple[Life, ...]:
    """Up to five eventful lives; calm ones follow until the campaign is finished."""
    eventful = random.choice((0, 1, 1, 2, 2, 3, 5))
    lives = [_life(random, count, length, last=False) for _ in range(eventful)]
    if not lives or random.random() < 0.5:
        lives.append(_life(random, count, length, last=True))
    extended = random.randint(0, len(lives))
    return tuple(
        msgspec.structs.replace(life, extended=index >= extended)
        for index, life in enumerate(lives)
    )


def _beset(random: Random, count: int, lives: tuple[Life, ...]) -> tuple[Life, ...]:
    """Some lives with others who work on their ledger, or in it."""
    return tuple(
        msgspec.structs.replace(
            life,
            second_at=random.randint(1, STEPS_PER_JOB * count) if random.random() < 0.1 else None,
            meddled=random.random() < 0.1,
            full_at=random.randint(1, STEPS_PER_JOB * count) if random.random() < 0.05 else None,
        )
        for life in lives
    )


def _life(random: Random, count: int, length: float, *, last: bool) -> Life:
    steps = STEPS_PER_JOB * count + 10
    end = 1.0 if last else random.random()
    return Life(
        crash_at=random.randint(1, steps) if end < 0.7 else None,
        drain_at=random.uniform(0, 1.5 * length) if 0.6 < end < 0.95 else None,
        freezes=_events(random, steps, (0.1, 5.0, 60.0, 290.0, 310.0, 1000.0, 4000.0)),
        jumps=_events(random, steps, (-LARGEST_SKEW, -1.0, 0.0, 30.0, LARGEST_SKEW)),
        stolen_at=random.randint(1, steps) if random.random() < 0.1 else None,
        limit=random.randint(1, count) if random.random() < 0.1 else None,
        retry_failed=random.random() < 0.2,
        pause=random.choice((0.0, 0.1, 10.0, 400.0, 7200.0)),
    )


def _events(random: Random, steps: int, sizes: tuple[float, ...]) -> tuple[tuple[int, float], ...]:
    if random.random() < 0.7:
        return ()
    return tuple(
        (random.randint(1, steps), random.choice(sizes)) for _ in range(random.randint(1, 3))
    )
