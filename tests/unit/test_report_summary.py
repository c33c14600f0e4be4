import json
import stat

import msgspec
import pytest

from provisioner.errors import ExitCode, HaltedError
from provisioner.events import (
    CallSent,
    DrainStarted,
    OutcomeRecorded,
    RateChanged,
    RunFinished,
    RunStarted,
)
from provisioner.job import JobState, Outcome, Verdict
from provisioner.record import CallCounts, CampaignRecord, Layout, RowResult
from provisioner.report import (
    Audit,
    Cause,
    Causes,
    Limits,
    RunTally,
    exit_code,
    file_counts,
    render_summary,
    seconds_text,
    summarize,
    summary_json,
    write_summary,
)
from provisioner.report.advice import advice

NOON = 1_752_235_200.0
COUNTS = {JobState.CREATED: 7, JobState.FAILED: 2, JobState.AMBIGUOUS: 1}
CALLS = CallCounts(attempts=12, throttled=3, retried=2, ambiguous=1, adopted=0)
CAMPAIGN = CampaignRecord(
    id=1,
    name="july",
    input_name="july.csv",
    input_sha256="ab" * 32,
    defaults="{}",
    layout=Layout(format="csv"),
    connectors=("c",),
    created_at=NOON,
)


def finished_tally():
    tally = RunTally()
    counts = {JobState.PENDING: 10}
    created = Outcome(verdict=Verdict.CREATED)
    tally(RunStarted(campaign="july", counts=counts, rate=50.0, concurrency=4, at=NOON))
    for nth in range(12):
        tally(CallSent(job_key="k", attempt=1, at=NOON + nth / 4))
        tally(
            OutcomeRecorded(
                job_key="k",
                attempt=1,
                outcome=created,
                state=JobState.CREATED,
                latency=0.25,
                recording=0.02,
                retry_in=None,
                at=NOON,
            )
        )
    tally(RateChanged(rate=33.0, previous=50.0, reason="throttled", at=NOON))
    tally(RunFinished(campaign="july", counts=COUNTS, at=NOON + 4))
    return tally


def summary(counts=COUNTS, **more):
    told = summarize(CAMPAIGN, counts, CALLS, finished_tally())
    return msgspec.structs.replace(told, **more)


def test_summary_json_has_the_members_of_the_contract():
    told = json.loads(summary_json(summary()))
    assert told | {"version": ""} == {
        "schema": 1,
        "campaign": "july",
        "input": {"name": "july.csv", "sha256": "ab" * 32, "rows": 10, "gone": 0},
        "counts": {
            "created": 7,
            "failed": 2,
            "rejected": 0,
            "duplicates": 0,
            "needs_review": 1,
            "pending": 0,
        },
        "calls": {"attempts": 12, "throttled": 3, "retried": 2, "ambiguous": 1, "adopted": 0},
        "timing": {
            "start": "2025-07-11T12:00:00.000Z",
            "end": "2025-07-11T12:00:04.000Z",
            "seconds": 4.0,
            "rate_achieved": 4.0,
            "latency": {"p50": 0.25, "p90": 0.25, "p99": 0.25, "max": 0.25},
            "since_token": {"p50": 0.27, "p90": 0.27, "p99": 0.27, "max": 0.27},
            "limited_by": {
                "quota": 0.0,
                "concurrency": 0.0,
                "cpu": 0.0,
                "ledger": 0.0,
                "waiting": 1.0,
            },
        },
        "rate": {"asked": 50.0, "learned": 33.0},
        "exit_code": 5,
        "version": "",
        "causes": [],
        "files": {},
        "audit": {"duplicates": 0, "orphans": 0, "unlisted": []},
        "stopped": None,
    }


def test_an_error_that_stopped_the_run_gives_the_reason_and_the_code():
    error = HaltedError("halted: +14155550100")
    told = summarize(CAMPAIGN, COUNTS, CALLS, finished_tally(), error)
    assert (told.stopped, told.exit_code) == ("halted: +1415***0100", ExitCode.HALTED)


def test_a_drain_gives_the_reason():
    tally = finished_tally()
    tally(DrainStarted(reason="asked to stop", in_flight=0, at=NOON))
    told = summarize(CAMPAIGN, COUNTS, CALLS, tally)
    assert told.stopped == "asked to stop"
    assert "\nStopped: asked to stop.\n" in render_summary(told)


def test_a_run_that_never_began_has_no_timing():
    told = summarize(CAMPAIGN, {}, CallCounts(), RunTally())
    assert (told.timing.start, told.timing.seconds, told.timing.latency.max) == (None, None, None)


def test_a_run_that_took_no_time_has_no_rate():
    tally = RunTally()
    tally(RunStarted(campaign="july", counts={}, rate=1.0, concurrency=1, at=NOON))
    tally(RunFinished(campaign="july", counts={}, at=NOON))
    assert summarize(CAMPAIGN, {}, CallCounts(), tally).timing.rate_achieved == 0


def test_the_summary_file_is_json_for_its_owner_only(tmp_path):
    write_summary(summary(), tmp_path)
    path = tmp_path / "summary.json"
    assert json.loads(path.read_text())["campaign"] == "july"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_state_counts_for_a_file():
    assert sum(file_counts(dict.fromkeys(JobState, 1)).values()) == len(JobState)


CREATED, FAILED, REJECTED = JobState.CREATED, JobState.FAILED, JobState.REJECTED
PENDING, REVIEW, DUPLICATE = JobState.PENDING, JobState.NEEDS_REVIEW, JobState.DUPLICATE


@pytest.mark.parametrize(
    ("states", "stopped", "code"),
    [
        ([], None, 0),
        ([CREATED], None, 0),
        ([CREATED, DUPLICATE], None, 0),
        ([CREATED, FAILED], None, 3),
        ([CREATED, REJECTED], None, 3),
        ([CREATED, PENDING], None, 75),
        ([FAILED, PENDING], None, 3),
        ([FAILED, PENDING, REVIEW], None, 5),
        ([JobState.AMBIGUOUS], None, 5),
        ([JobState.IN_FLIGHT], None, 75),
        ([CREATED, PENDING], ExitCode.STOPPED_EARLY, 75),
        ([CREATED], ExitCode.STOPPED_EARLY, 0),
        ([FAILED, PENDING], ExitCode.STOPPED_EARLY, 3),
        ([FAILED, PENDING, REVIEW], ExitCode.HALTED, 4),
        ([FAILED, PENDING, REVIEW], ExitCode.SERVICE, 69),
        ([FAILED, PENDING, REVIEW], ExitCode.CREDENTIALS, 77),
        ([FAILED, PENDING, REVIEW], ExitCode.INTERRUPTED, 130),
    ],
)
def test_the_exit_code_follows_the_precedence(states, stopped, code):
    assert exit_code(dict.fromkeys(states, 1), stopped) == code


def rejected(code, message=None, state=FAILED):
    return RowResult(
        number=1, cells="[]", key=None, state=state, error_code=code, error_message=message
    )


def cause(code, rows, *, message="", file="failed"):
    return Cause(code=code, message=message, rows=rows, file=file, hint=advice(code, file))


def test_causes_are_counted_while_rows_pass():
    causes = Causes()
    rows = [rejected("A", "first +14155550100"), rejected("B"), rejected("B"), rejected(None)]
    assert list(causes.counting(rows)) == rows
    assert causes.commonest() == (
        cause("B", 2),
        cause("A", 1, message="first +1415***0100"),
    )


def test_rows_of_one_code_are_told_by_where_they_stand():
    causes = Causes()
    list(causes.counting([rejected("A"), rejected("A", state=PENDING), rejected("A")]))
    assert [(each.file, each.rows) for each in causes.commonest()] == [
        ("failed", 2),
        ("pending", 1),
    ]


@pytest.mark.parametrize(
    ("code", "file", "todo"),
    [
        ("InvalidRow", "rejected", "--extend"),
        ("ResourceLimitExceededException", "failed", "--retry-failed=ResourceLimitExceeded"),
        ("ServiceFailureException", "needs_review", "provisioner reconcile"),
        ("SomethingNew", "needs_review", "provisioner reconcile"),
        ("SomethingNew", "failed", "--retry-failed=SomethingNew"),
        ("ThrottledClientException", "failed", "lower --rate"),
        ("ThrottledClientException", "pending", "next run"),
    ],
)
def test_a_cause_tells_what_to_do(code, file, todo):
    assert todo in advice(code, file)


def test_an_error_before_success_is_no_cause():
    causes = Causes()
    list(causes.counting([rejected("A", state=CREATED)]))
    assert causes.commonest() == ()


def test_the_text_tells_what_happened_what_to_do_and_where_the_files_are():
    files = {"created": "out/july/created.csv", "rejected": "out/july/rejected.csv"}
    causes = (cause("BadRequestException", 2, message="no\nsuch " + "x" * 99),)
    told = render_summary(summary(files=files, causes=causes))
    expected = """\
Campaign july finished: 7 of 10 rows created, 2 failed, 1 in need of review.
Whether the rows that need review have a session is not known, so they are not
sent again. `provisioner reconcile` settles them.

  created       7  out/july/created.csv
  failed        2
  rejected      0
  duplicates    0
  needs review  1
  pending       0

  calls         12 (3 throttled, 2 retried, 1 ambiguous, 0 adopted)
  this run      4s, 4.0 calls/s
  latency       p50 250ms, p90 250ms, p99 250ms, max 250ms
  limited by    waits 100 %

"""
    first = "  2 x BadRequestException: no such "
    hint = """\
      mend the rows and run with --extend, or mend the connector and run with
      --retry-failed=BadRequestException
"""
    assert told == expected + first + "x" * (77 - len(first)) + "...\n" + hint


def test_a_cause_without_words_of_the_service_is_its_code():
    told = render_summary(summary(causes=(cause("ReadTimeout", 17, message=""),)))
    assert "\n  17 x ReadTimeout\n" in told


def test_the_text_tells_what_limited_the_run_the_largest_share_first():
    limits = Limits(quota=0.06, concurrency=0.92, cpu=0.017, ledger=0.003)
    told = summary()
    timing = msgspec.structs.replace(told.timing, limited_by=limits)
    told = render_summary(msgspec.structs.replace(told, timing=timing))
    assert "  limited by    concurrency 92 %, quota 6 %, CPU 2 %\n" in told


def test_sessions_that_no_row_has_are_told_with_who_lists_them():
    told = render_summary(summary(audit=Audit(duplicates=2, orphans=1)))
    assert "  audit         2 duplicates, 1 orphans: `provisioner reconcile` lists them\n" in told


def test_a_connector_that_could_not_be_listed_is_told_with_the_permission_it_takes():
    told = render_summary(summary(audit=Audit(unlisted=("c1", "c2"))))
    assert "  not listed    c1, c2: chime:ListProxySessions allowed?\n" in told


def test_a_complete_campaign_needs_nothing_more():
    told = render_summary(summary({CREATED: 10}))
    assert told.splitlines()[:2] == ["Campaign july is complete: all 10 rows created.", ""]


@pytest.mark.parametrize("stopped", list(ExitCode))
def test_pending_rows_are_to_be_resumed_whatever_stopped_the_run(stopped):
    told = render_summary(summary({CREATED: 1, PENDING: 1, FAILED: 1}, exit_code=stopped))
    assert "stopped early" in told
    assert "Run the same command again to go on with the pending rows." in told


def test_no_line_is_wider_than_80_columns():
    counts = dict.fromkeys(JobState, 999_999)
    lines = render_summary(
        summary(counts, exit_code=ExitCode.SERVICE, stopped="many words " * 20)
    ).splitlines()
    assert max(map(len, lines)) <= 80


def test_a_run_without_calls_shows_no_times():
    told = render_summary(summarize(CAMPAIGN, {}, CallCounts(), RunTally()))
    assert "latency" not in told
    assert "this run" not in told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.1234, "123ms"), (12.34, "12.3s"), (59.4, "59.4s"), (192, "3m12s"),
     (7_500, "2h05m"), (59.99, "60s")],
)  # fmt: skip
def test_durations_are_short(seconds, text):
    assert seconds_text(seconds) == text
