import io
import json
import logging
from itertools import pairwise

import pytest

from provisioner.events import (
    BreakerClosed,
    BreakerOpened,
    CallSent,
    ConcurrencyChanged,
    ConcurrencyLimits,
    ConnectorSetAside,
    DrainStarted,
    JobSettled,
    ListingFailed,
    OutcomeRecorded,
    OutcomeUnrecorded,
    RateChanged,
    RunFinished,
    RunStarted,
    SettlingStarted,
    StrayFound,
)
from provisioner.job import JobState, Outcome, Verdict
from provisioner.report import configure_logging, event_logger
from provisioner.rulings import Ruling
from provisioner.session import Session

DIGEST = "12345678" * 8


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Broken(io.StringIO):
    def write(self, _text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(*events, level="debug"):
    stream = io.StringIO()
    sink = event_logger(configure_logging("json", level, stream))
    for event in events:
        sink(event)
    return lines(stream)


def recorded(verdict, state=JobState.FAILED, **more):
    return OutcomeRecorded(
        job_key="key",
        attempt=2,
        outcome=Outcome(verdict=verdict, **more),
        state=state,
        latency=0.12345,
        retry_in=None,
        at=1.0,
    )


def test_auto_is_json_where_the_stream_is_no_terminal():
    stream = io.StringIO()
    configure_logging("auto", "info", stream).info("hello", rows=3)
    (line,) = lines(stream)
    assert line | {"timestamp": ""} == {
        "event": "hello", "rows": 3, "level": "info", "timestamp": "",
    }  # fmt: skip


def test_auto_is_for_people_on_a_terminal():
    stream = Terminal()
    configure_logging("auto", "info", stream).info("hello")
    assert "hello" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_json_can_be_asked_for_on_a_terminal():
    stream = Terminal()
    configure_logging("json", "info", stream).info("hello")
    assert lines(stream)[0]["event"] == "hello"


@pytest.mark.parametrize(("stream", "colored"), [(Terminal(), True), (io.StringIO(), False)])
def test_colors_are_for_terminals(stream, colored):
    configure_logging("console", "info", stream).info("hello")
    assert ("\x1b[" in stream.getvalue()) is colored


def test_colors_can_be_declined():
    stream = Terminal()
    configure_logging("console", "info", stream, colors=False).info("hello")
    assert "\x1b[" not in stream.getvalue()


def test_lines_below_the_level_are_not_written():
    stream = io.StringIO()
    configure_logging("json", "warning", stream).info("hello")
    assert stream.getvalue() == ""


def test_numbers_are_masked_however_deep():
    stream = io.StringIO()
    configure_logging("json", "info", stream).info(
        "called +14155550100",
        pair=("+14155550100", {"to": "+14155550199"}),
        error=ValueError("no +14155550100"),
        rows=14155550100,
    )
    (line,) = lines(stream)
    told = (line["event"], line["pair"], line["error"], line["rows"])
    assert told == (
        "called +1415***0100",
        ["+1415***0100", {"to": "+1415***0199"}],
        "no +1415***0100",
        14155550100,
    )


@pytest.mark.parametrize("format_", ["json", "console"])
def test_numbers_in_a_traceback_are_masked(format_):
    stream = io.StringIO()
    logger = configure_logging(format_, "info", stream)
    try:
        int("+14155550100 x")
    except ValueError:
        logger.exception("failed")
    assert "ValueError" in stream.getvalue()
    assert "+14155550100" not in stream.getvalue()


def test_keys_of_jobs_can_be_searched_for():
    stream = io.StringIO()
    configure_logging("json", "info", stream).info("x", job_key=DIGEST)
    assert lines(stream)[0]["job_key"] == DIGEST


def test_a_stream_that_fails_does_not_stop_the_run():
    configure_logging("json", "info", Broken()).info("hello")


def test_loggers_of_libraries_are_left_alone():
    before = logging.getLogger().level, logging.getLogger("botocore").level
    configure_logging("json", "debug", io.StringIO())
    assert (logging.getLogger().level, logging.getLogger("botocore").level) == before


def test_the_course_of_a_run_is_told():
    counts = {JobState.PENDING: 3}
    told = logged(
        RunStarted(campaign="july", counts=counts, rate=5.0, concurrency=2, at=1.0),
        CallSent(job_key="key", attempt=1, at=1.0),
        RateChanged(rate=2.345, previous=5.0, reason="throttled", at=1.0),
        DrainStarted(reason="signal", in_flight=2, at=1.0),
        RunFinished(campaign="july", counts=counts, at=2.0),
    )
    assert [(line["level"], line["event"]) for line in told] == [
        ("info", "run started"),
        ("info", "rate changed"),
        ("warning", "drain started"),
        ("info", "run finished"),
    ]
    assert (told[0]["pending"], told[1]["rate"], told[2]["in_flight"]) == (3, 2.35, 2)


def test_a_rate_is_told_when_it_has_moved_by_a_tenth():
    rates = (100.0, 95.0, 91.0, 89.0, 91.0, 85.0, 80.0)
    told = logged(
        *(
            RateChanged(rate=rate, previous=previous, reason="429", at=1.0)
            for previous, rate in pairwise(rates)
        ),
        level="info",
    )
    assert [(line["previous"], line["rate"]) for line in told] == [(100.0, 89.0), (89.0, 80.0)]


def test_a_pause_and_its_end_are_told_at_a_terminal_too():
    told = logged(
        RateChanged(rate=0.0, previous=5.0, reason="operator", at=1.0),
        RateChanged(rate=5.0, previous=0.0, reason="operator", at=2.0),
        level="warning",
    )
    assert [(line["event"], line["rate"]) for line in told] == [
        ("calls paused", 0.0),
        ("rate changed", 5.0),
    ]


def test_a_rate_that_a_run_begins_at_is_told():
    begins = RateChanged(rate=25.96, previous=25.96, reason="learned on 2026-11-24", at=1.0)
    (line,) = logged(begins, level="info")
    assert (line["event"], line["rate"], line["reason"]) == ("rate known", 25.96, begins.reason)


@pytest.mark.parametrize(
    ("event", "level", "title"),
    [
        (recorded(Verdict.CREATED, JobState.CREATED), "debug", "session created"),
        (recorded(Verdict.RETRYABLE, JobState.PENDING), "debug", "call to be retried"),
        (recorded(Verdict.RETRYABLE, JobState.FAILED), "warning", "row given up"),
        (recorded(Verdict.REFUSED, JobState.FAILED), "warning", "call refused"),
        (recorded(Verdict.AMBIGUOUS, JobState.AMBIGUOUS), "warning", "call ambiguous"),
        (recorded(Verdict.FATAL, JobState.PENDING), "error", "call refused for other rows, too"),
    ],
)
def test_outcomes_are_told_as_loudly_as_they_matter(event, level, title):
    (line,) = logged(event)
    assert (line["level"], line["event"]) == (level, title)


def test_connections_that_cannot_reach_the_rate_are_told():
    changed = ConcurrencyChanged(connections=100, at=1.0)
    (line,) = logged(
        changed, ConcurrencyLimits(connections=512, reachable=341.333, at=2.0), level="warning"
    )
    assert line["event"] == "concurrency limits, not the quota"
    assert (line["connections"], line["reachable"]) == (512, 341.33)
    assert logged(changed)[0]["connections"] == 100


def test_an_outcome_tells_what_is_known_of_it():
    (line,) = logged(recorded(Verdict.REFUSED, status=400, message="no +14155550100"))
    assert line | {"timestamp": ""} == {
        "event": "call refused",
        "level": "warning",
        "timestamp": "",
        "job_key": "key",
        "attempt": 2,
        "latency": 0.123,
        "status": 400,
        "message": "no +1415***0100",
    }


def test_single_calls_that_went_well_are_not_told_at_info():
    assert logged(recorded(Verdict.CREATED, JobState.CREATED), level="info") == []


def test_a_row_given_up_is_told_at_info():
    assert len(logged(recorded(Verdict.RETRYABLE, JobState.FAILED), level="info")) == 1


def test_what_could_not_be_recorded_is_told_with_all_that_finds_it_again():
    session = Session(proxy_session_id="id-1")
    outcome = Outcome(verdict=Verdict.CREATED, session=session, request_id="request-1")
    lost = OutcomeUnrecorded(job_key="key", attempt=2, outcome=outcome, at=1.0)
    begun = RunStarted(campaign="night", counts={}, rate=1.0, concurrency=1, at=0.0)
    (line,) = logged(begun, lost, level="warning")
    hint = line.pop("hint")
    del line["timestamp"]
    assert line == {
        "event": "outcome not recorded",
        "level": "error",
        "campaign": "night",
        "job_key": "key",
        "attempt": 2,
        "verdict": "created",
        "proxy_session_id": "id-1",
        "request_id": "request-1",
    }
    assert "next run" in hint


def test_a_service_left_alone_is_told_loudly_once():
    opened = BreakerOpened(reason="ServiceUnavailableException", seconds=1.0, at=1.0)
    told = logged(opened, opened, BreakerClosed(at=9.0), opened)
    assert [(line["event"], line["level"]) for line in told] == [
        ("service unwell, calls paused", "warning"),
        ("service still unwell", "info"),
        ("service answers again, calls go on", "warning"),
        ("service unwell, calls paused", "warning"),
    ]
    assert (told[0]["reason"], told[0]["next_call_in"]) == ("ServiceUnavailableException", 1.0)


def test_a_connector_set_aside_is_told_with_the_reason():
    (line,) = logged(ConnectorSetAside(connector_id="c", reason="it is missing", at=1.0))
    assert (line["level"], line["voice_connector_id"]) == ("error", "c")
    assert line["reason"] == "it is missing"


def test_a_wait_to_settle_tells_until_when():
    (line,) = logged(SettlingStarted(ambiguous=3, until=160.0, at=100.0))
    assert (line["ambiguous"], line["seconds"]) == (3, 60)
    assert line["until"] == "1970-01-01T00:02:40.000Z"


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        (Outcome(verdict=Verdict.FATAL, status=403, fatal_exit=77), "chime:ListProxySessions"),
        (Outcome(verdict=Verdict.RETRYABLE, status=503), "tries again"),
    ],
)
def test_a_listing_that_failed_says_what_to_do(outcome, hint):
    (line,) = logged(ListingFailed(connector_id="c", outcome=outcome, at=1.0))
    assert line["level"] == "error"
    assert hint in line["hint"]


@pytest.mark.parametrize(
    ("state", "level"), [(JobState.CREATED, "info"), (JobState.NEEDS_REVIEW, "warning")]
)
def test_a_settled_row_is_a_warning_where_a_person_must_look(state, level):
    settled = JobSettled(job_key="k", ruling=Ruling.ADOPT, state=state, session_id="s", at=1.0)
    (line,) = logged(settled)
    assert (line["level"], line["proxy_session_id"]) == (level, "s")
    assert "reason" not in line


@pytest.mark.parametrize(("owned", "event"), [("s", "duplicate found"), (None, "orphan found")])
def test_a_stray_is_called_by_its_name(owned, event):
    stray = StrayFound(connector_id="c", session_id="t", job_key="k", owned=owned, at=1.0)
    assert logged(stray)[0]["event"] == event


def test_of_many_strays_the_first_are_told_loudly():
    stray = StrayFound(connector_id="c", session_id="t", job_key=None, owned=None, at=1.0)
    told = logged(*[stray] * 30, level="info")
    assert [line["event"] for line in told[19:]] == [
        "orphan found",
        "more of these are told at debug only",
    ]


def test_what_befalls_many_rows_alike_is_a_warning_for_the_first_only():
    refused = [recorded(Verdict.REFUSED, JobState.FAILED, error_code="Gone") for _ in range(30)]
    other = recorded(Verdict.REFUSED, JobState.FAILED, error_code="Other")
    told = logged(*refused, other, level="warning")
    assert [line["event"] for line in told] == [
        *["call refused"] * 20,
        "more of these are told at info only",
        "call refused",
    ]
    assert len(logged(*refused, level="info")) == 31
