import csv
import json
import tracemalloc

import msgspec
import pytest

from provisioner.errors import CannotWriteError
from provisioner.job import JobState
from provisioner.record import Layout, RowResult
from provisioner.report import result_paths, write_results
from provisioner.session import Participant, Session, SessionRequest

NAMES = ("created", "failed", "rejected", "duplicates", "needs_review", "pending")
CSV = Layout(format="csv", columns=("participant_1", "participant_2", "note"))
JSONL = Layout(format="jsonl", columns=("participants", "note"))
REQUEST = SessionRequest(
    voice_connector_id="connector-of-request",
    participants=("+14155550100", "+14155550199"),
    capabilities=("Voice",),
    name="asked",
    expiry_minutes=60,
)
SESSION = Session(
    proxy_session_id="session-1",
    voice_connector_id="connector-of-session",
    name="given",
    expiry_minutes=720,
    created_at="2025-07-01T00:00:00.000Z",
    participants=(
        Participant(phone_number="+14155550199", proxy_phone_number="+12065550002"),
        Participant(phone_number="+14155550100", proxy_phone_number="+12065550001"),
    ),
)


def row(cells=("+14155550100", "+14155550199", "order 7"), state=JobState.PENDING, **more):
    text = cells if isinstance(cells, str) else json.dumps(cells)
    return RowResult(**({"number": 1, "key": "key-1"} | more), cells=text, state=state)


def created(**more):
    session = json_of(SESSION)
    return row(
        state=JobState.CREATED,
        request=REQUEST,
        session_json=session,
        attempts=2,
        request_id="request-1",
        **more,
    )


def json_of(session):
    return msgspec.json.encode(session)


def read_csv(path, **options):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, **options))


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def only(rows, layout, out, name="pending", form=None):
    write_results(rows, layout, out, form)
    path = result_paths(layout, out, form)[name]
    (each,) = read_csv(path) if path.suffix == ".csv" else read_jsonl(path)
    return each


@pytest.mark.parametrize(
    ("state", "name", "status"),
    [
        (JobState.CREATED, "created", "created"),
        (JobState.FAILED, "failed", "failed"),
        (JobState.REJECTED, "rejected", "rejected"),
        (JobState.DUPLICATE, "duplicates", "duplicate"),
        (JobState.NEEDS_REVIEW, "needs_review", "needs_review"),
        (JobState.AMBIGUOUS, "needs_review", "needs_review"),
        (JobState.IN_FLIGHT, "pending", "in_flight"),
        (JobState.PENDING, "pending", "pending"),
    ],
)
def test_a_row_goes_to_the_file_of_its_state(tmp_path, state, name, status):
    assert only([row(state=state)], CSV, tmp_path, name)["_status"] == status


def test_all_six_csv_files_hold_the_header_when_there_are_no_rows(tmp_path):
    write_results([], CSV, tmp_path, None)
    header = (
        "participant_1,participant_2,note,_row,_job_key,_status,_voice_connector_id,"
        "_proxy_session_id,_proxy_phone_number_1,_proxy_phone_number_2,_name,_expiry_minutes,"
        "_created_at,_attempts,_error_code,_error_message,_request_id\n"
    )
    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert texts == {f"{name}.csv": header for name in NAMES}


def test_all_six_jsonl_files_are_empty_when_there_are_no_rows(tmp_path):
    write_results([], JSONL, tmp_path, None)
    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert texts == {f"{name}.jsonl": "" for name in NAMES}


def test_a_created_row_shows_its_session_with_the_proxy_numbers_in_the_order_of_the_row(tmp_path):
    shown = only([created()], CSV, tmp_path, "created")
    assert shown == {
        "participant_1": "+14155550100",
        "participant_2": "+14155550199",
        "note": "order 7",
        "_row": "1",
        "_job_key": "key-1",
        "_status": "created",
        "_voice_connector_id": "connector-of-session",
        "_proxy_session_id": "session-1",
        "_proxy_phone_number_1": "+12065550001",
        "_proxy_phone_number_2": "+12065550002",
        "_name": "given",
        "_expiry_minutes": "720",
        "_created_at": "2025-07-01T00:00:00.000Z",
        "_attempts": "2",
        "_error_code": "",
        "_error_message": "",
        "_request_id": "request-1",
    }


def test_a_row_without_a_session_shows_what_was_asked_for(tmp_path):
    shown = only([row(request=REQUEST)], CSV, tmp_path)
    asked = (shown["_voice_connector_id"], shown["_name"], shown["_expiry_minutes"])
    assert asked == ("connector-of-request", "asked", "60")


def test_members_the_service_left_out_are_taken_from_the_request(tmp_path):
    bare = created()
    bare = RowResult(
        number=1, cells=bare.cells, key="k", state=JobState.CREATED, request=REQUEST,
        session_json=b'{"ProxySessionId":"s"}',
    )  # fmt: skip
    shown = only([bare], CSV, tmp_path, "created")
    taken = (shown["_voice_connector_id"], shown["_name"], shown["_expiry_minutes"])
    assert taken == ("connector-of-request", "asked", "60")


def test_a_rejected_row_tells_its_problem(tmp_path):
    turned_away = row(
        state=JobState.REJECTED, key=None, error_code="InvalidRow", error_message="two numbers"
    )
    shown = only([turned_away], CSV, tmp_path, "rejected")
    assert (shown["_error_code"], shown["_error_message"]) == ("InvalidRow", "two numbers")


def test_csv_keeps_the_delimiter_and_the_byte_order_mark(tmp_path):
    layout = Layout(format="csv", delimiter=";", bom=True, columns=("a", "b"))
    write_results([row(("x,y", "p;q"))], layout, tmp_path, None)
    text = (tmp_path / "pending.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbfa;b;_row")
    assert b'\nx,y;"p;q";1;' in text


def test_a_tab_separated_job_file_gets_tsv_results(tmp_path):
    layout = Layout(format="csv", delimiter="\t", columns=("a",))
    write_results([row(("x",))], layout, tmp_path, None)
    assert (tmp_path / "pending.tsv").read_text().startswith("a\t_row\t")


def test_jsonl_keeps_the_row_verbatim_in_front(tmp_path):
    write_results([row('{"note": 1.0e2, "deep": {"b":1, "a":[ ]}}')], JSONL, tmp_path, None)
    line = (tmp_path / "pending.jsonl").read_text()
    assert line.startswith('{"note": 1.0e2, "deep": {"b":1, "a":[ ]},"_row":1,"_job_key":"key-1",')


def test_a_jsonl_row_stays_on_one_line(tmp_path):
    write_results([row('{"note":\r1,\n"b": "\\r"}')], JSONL, tmp_path, None)
    line = (tmp_path / "pending.jsonl").read_bytes()
    assert line.startswith(b'{"note": 1, "b": "\\r","_row":1,')


def test_jsonl_gives_numbers_as_numbers_and_null_for_what_is_absent(tmp_path):
    shown = only([created()], JSONL, tmp_path, "created", "jsonl")
    assert (shown["_expiry_minutes"], shown["_attempts"], shown["_error_code"]) == (720, 2, None)


def test_an_empty_object_gets_our_members_alone(tmp_path):
    assert next(iter(only([row("{ }")], JSONL, tmp_path))) == "_row"


def test_an_unreadable_line_of_jsonl_is_kept_raw(tmp_path):
    shown = only([row(json.dumps("{half"))], JSONL, tmp_path)
    assert (shown["_raw"], shown["_row"]) == ("{half", 1)


def test_a_csv_campaign_can_have_jsonl_results(tmp_path):
    shown = only([row(("a", "b", "c"))], CSV, tmp_path, form="jsonl")
    assert list(shown.items())[:4] == [
        ("participant_1", "a"), ("participant_2", "b"), ("note", "c"), ("_row", 1),
    ]  # fmt: skip


def test_cells_beyond_the_header_survive_as_jsonl(tmp_path):
    assert only([row(("a", "b", "c", "d"))], CSV, tmp_path, form="jsonl")["_beyond"] == ["d"]


def test_a_jsonl_campaign_can_have_csv_results(tmp_path):
    layout = Layout(format="jsonl", columns=("participants", "note", "flag", "none", "absent"))
    cells = '{"note": "n", "participants": ["+1",  "+2"], "flag": true, "none": null}'
    shown = only([row(cells)], layout, tmp_path, form="csv")
    own = [shown[name] for name in layout.columns]
    assert own == ['["+1","+2"]', "n", "true", "", ""]


def test_members_the_layout_does_not_know_follow_as_one_json_cell(tmp_path):
    shown = only([row('{"note": "n", "late": 1.0}')], JSONL, tmp_path, form="csv")
    assert shown[None] == ['{"late":1.0}']


def test_files_of_another_format_are_removed_and_foreign_ones_left(tmp_path):
    (tmp_path / "mine.csv").write_text("x")
    write_results([], CSV, tmp_path, None)
    write_results([], CSV, tmp_path, "jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {
        "mine.csv", *(f"{name}.jsonl" for name in NAMES),
    }  # fmt: skip


def test_an_old_file_that_cannot_be_removed_is_told(tmp_path):
    (tmp_path / "created.jsonl").mkdir()
    with pytest.raises(CannotWriteError, match=r"created\.jsonl"):
        write_results([], CSV, tmp_path, None)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    tracemalloc.start()
    try:
        write_results((created() for _ in range(5_000)), CSV, tmp_path, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
