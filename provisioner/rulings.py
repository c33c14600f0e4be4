"""What a listing says of an attempt whose outcome nobody knows: one table, pure.

The listing is complete, of one connector, in all statuses. The first row that fits:

    one session is the job's                                        adopt it
    several are, under a Name that only this job can have           adopt the earliest
    some may be, but another such job's call is under way           wait
    several are, under a Name of the row's own                      review
    one is, but another such job may have made it                   review
    one has the job's own Name, but other numbers                   review
    it began before the attempt was due, or by an unsteady clock    wait
    a session may have closed by then, and may no longer show       review
    it is the first that should have shown a session                absent once
    the job has been sent often enough                              give up
    otherwise                                                       send again

A session is the job's when it has the job's Name and both its numbers, and was created not before
the job's first attempt, give or take `skew`. Under a Name that the row brought, which others may
share, its capabilities must be the job's as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from provisioner import defaults
from provisioner.job import Job, JobState
from provisioner.session import SESSION_NAME, Session, SessionRequest, pair

_ANSWERED_SHARE = 1 / 15
_WAITED_SHARE = 2 / 3
_MINUTE = 60.0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt of which nobody knows whether it created a session. Times are epoch seconds.

    `closed_at` is when its caller stopped waiting, None when the process died. `answered` tells
    that the service did reply. `absent_at` is when the first listing began that should have shown
    a session and did not. `first_opened_at` is when the job's first attempt was opened.
    """

    attempt_id: int
    job: Job
    first_opened_at: float
    opened_at: float
    closed_at: float | None = None
    answered: bool = False
    absent_at: float | None = None


class Ruling(StrEnum):
    """What becomes of a question."""

    WAIT = "wait"
    ADOPT = "adopt"
    ABSENT_ONCE = "absent_once"
    RESEND = "resend"
    GIVE_UP = "give_up"
    REVIEW = "review"


STATE_AFTER: dict[Ruling, JobState | None] = {
    Ruling.WAIT: None,
    Ruling.ADOPT: JobState.CREATED,
    Ruling.ABSENT_ONCE: None,
    Ruling.RESEND: JobState.PENDING,
    Ruling.GIVE_UP: JobState.FAILED,
    Ruling.REVIEW: JobState.NEEDS_REVIEW,
}
"""Where a ruling takes the job; None leaves it where it is."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A question and its answer: `session` with ADOPT, `reason` with REVIEW.

    `listed_at` is when the listing began that it rests on, epoch seconds.
    """

    question: Question
    ruling: Ruling
    listed_at: float
    session: Session | None = None
    reason: str | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A complete listing of one connector. Times are epoch seconds.

    It looked for the jobs in doubt when it `began`; its last page was read when it `ended`.
    `first_ended` is when the session ended that ended first of those listed, None without one: a
    session that ended later would still be listed. `steady` is False when the wall clock has moved
    by itself of late: then nobody knows how old an attempt is, and no absence is proven.
    `default_expiry_minutes` is how long the connector's sessions live whose request does not say;
    None where nobody knows, and they may be over at once. `under_way` has the likeness of every
    job with a Name of its own whose call was on the wire when the listing ended.
    """

    began: float
    ended: float
    steady: bool = True
    first_ended: float | None = None
    default_expiry_minutes: int | None = None
    under_way: frozenset[object] = frozenset()


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """A job that needs a session, and those listed that have its Name and numbers, oldest first."""

    job: Job
    sessions: tuple[Session, ...]


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """A listed session that no job owns, though its Name is a job's or one of ours.

    With `owned`, the job's own session, it is a duplicate; without it an orphan, whose job (if
    there is one in the ledger) has no session that is known. `job_key` and `request` are the
    job's; `since` is when its first attempt was opened, epoch seconds.
    """

    connector_id: str
    session: Session
    job_key: str | None = None
    request: SessionRequest | None = None
    since: float | None = None
    owned: str | None = None


class SettlePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for proof, in seconds.

    An attempt nobody answered is due `settle` after it was opened: by then its signature is no
    longer accepted and its session is listed. One that was answered is due after a fifteenth of
    that, which is also the time between two listings. `skew` is how far our clock and the
    service's may be apart. `resends` bounds how often one run sends a job again. A run's audit
    waits until `audit` after the last 503; None is twice the time between listings, by which the
    session of an answer is listed.
    """

    settle: float = defaults.SETTLE
    skew: float = defaults.CLOCK_SKEW
    resends: int = 7
    audit: float | None = None

    @property
    def again(self) -> float:
        """Seconds between the two listings that prove an absence."""
        return self.settle * _ANSWERED_SHARE

    @property
    def audit_after(self) -> float:
        """Seconds from the last 503 to the audit."""
        return 2 * self.again if self.audit is None else self.audit

    def due(self, question: Question) -> float:
        """When a listing may begin that says something of the attempt's absence.

        A process that was stopped between its intent and its call sends late: so not too soon
        after it stopped waiting, either.
        """
        window = self.again if question.answered else self.settle
        due = question.opened_at + window
        if question.closed_at is not None:
            due = max(due, question.closed_at + window * _WAITED_SHARE)
        if question.absent_at is not None:
            due = max(due, question.absent_at + self.again)
        return due


def decide(
    question: Question,
    sessions: Sequence[Session],
    listing: Listing,
    policy: SettlePolicy,
    *,
    contested: bool = False,
    exhausted: bool = False,
) -> Decision:
    """Apply the table.

    `sessions` are those listed that have the job's Name and that no other job owns. `contested`
    tells that another open question has the same Name and numbers.
    """
    ruling, session, reason = _found(question, sessions, listing, policy, contested=contested)
    if ruling is None:
        ruling, reason = _not_found(question, listing, policy, exhausted=exhausted)
    return Decision(
        question=question, ruling=ruling, listed_at=listing.began, session=session, reason=reason
    )


def belongs(session: Session, request: SessionRequest, since: float | None) -> bool:
    """Whether a session with the request's Name is its, created not before `since`."""
    if _pair(session) != pair(request.participants):
        return False
    if not is_ours(request.name) and set(session.capabilities) != set(request.capabilities):
        return False
    created = created_at(session)
    return since is None or created is None or created >= since


def likeness(request: SessionRequest) -> object:
    """What tells a row's sessions from another's; equal where two rows' could be confused."""
    numbers = pair(request.participants)
    return (request.voice_connector_id, request.name, numbers, frozenset(request.capabilities))


def is_ours(name: str | None) -> bool:
    """Whether a Name is a deterministic one, which no two jobs share."""
    return name is not None and SESSION_NAME.fullmatch(name) is not None


def earliest(sessions: Sequence[Session]) -> Session:
    """The session created first; equal ones by id, so that every listing says the same."""
    return min(sessions, key=lambda each: (each.created_at or "", each.proxy_session_id))


def created_at(session: Session) -> float | None:
    """When a session was created, epoch seconds; None where nobody says."""
    return _moment(session.created_at)


def ended_at(session: Session) -> float | None:
    """When a session ended, epoch seconds; None while it is open or where nobody says."""
    return _moment(session.ended_at)


def _found(
    question: Question,
    sessions: Sequence[Session],
    listing: Listing,
    policy: SettlePolicy,
    *,
    contested: bool,
) -> tuple[Ruling | None, Session | None, str | None]:
    request = question.job.request
    since = question.first_opened_at - policy.skew
    own = [each for each in sessions if belongs(each, request, since)]
    if is_ours(request.name):
        others = any(_pair(each) != pair(request.participants) for each in sessions)
        if others and not own:
            return Ruling.REVIEW, None, "a session has this job's Name, but other numbers"
    elif own and likeness(request) in listing.under_way:
        return Ruling.WAIT, None, None
    elif len(own) > 1:
        return Ruling.REVIEW, None, f"{len(own)} sessions have this row's Name and numbers"
    elif own and contested:
        return Ruling.REVIEW, None, "its session may be that of another row with the same Name"
    return (Ruling.ADOPT, earliest(own), None) if own else (None, None, None)


def _not_found(
    question: Question, listing: Listing, policy: SettlePolicy, *, exhausted: bool
) -> tuple[Ruling, str | None]:
    if not listing.steady or listing.began < policy.due(question):
        return Ruling.WAIT, None
    if _may_have_gone(question, listing, policy):
        return Ruling.REVIEW, "its session may have closed by now and no longer be listed"
    if question.absent_at is None:
        return Ruling.ABSENT_ONCE, None
    return Ruling.GIVE_UP if exhausted else Ruling.RESEND, None


def _may_have_gone(question: Question, listing: Listing, policy: SettlePolicy) -> bool:
    """Whether the session may be over, and the listing shows none that ended as early."""
    minutes = question.job.request.expiry_minutes or listing.default_expiry_minutes or 0
    over = question.opened_at + minutes * _MINUTE - policy.skew
    return over <= listing.ended and (listing.first_ended is None or listing.first_ended > over)


def _pair(session: Session) -> frozenset[str]:
    return pair(each.phone_number for each in session.participants)


def _moment(text: str | None) -> float | None:
    """Epoch seconds of ISO-8601 text; None for what cannot be read."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
