import json

import pytest

from provisioner.errors import InputRefusedError
from provisioner.session import GeoMatchParams, SessionRequest
from provisioner.settings import InputSettings
from provisioner.source import open_source
from provisioner.source.lines import LINE_LENGTH

A, B = "+14155550100", "+442079460000"
CONNECTOR = "abcdef1ghij2klmno3pqr4"
OURS = {"participant_1": A, "participant_2": B, "voice_connector_id": CONNECTOR}
REQUEST = SessionRequest(
    voice_connector_id=CONNECTOR, participants=(A, B), capabilities=("Voice", "SMS")
)


@pytest.fixture
def source(tmp_path):
    def build(*lines, name="jobs.jsonl"):
        path = tmp_path / name
        texts = [line if isinstance(line, str | bytes) else json.dumps(line) for line in lines]
        raw = [text.encode() if isinstance(text, str) else text for text in texts]
        path.write_bytes(b"\n".join(raw))
        return open_source(InputSettings(path=str(path)))

    return build


@pytest.fixture
def rows(source):
    def read(*lines, **settings):
        return list(source(*lines, **settings).rows())

    return read


def only(rows):
    (row,) = rows
    return row


def problem_of(row):
    (problem,) = row.problems
    return problem


class TestSpellings:
    @pytest.mark.parametrize(
        "record",
        [
            OURS,
            {"participants": [A, B], "voice_connector_id": CONNECTOR},
            {"ParticipantPhoneNumbers": [A, B], "VoiceConnectorId": CONNECTOR},
            {"Participant_1": A, "PARTICIPANT_2": B, "Voice_Connector_Id": CONNECTOR},
            OURS | {"participants": ["+1 415 555-0100", B]},
            OURS | {"VoiceConnectorId": CONNECTOR},
            OURS | {"capabilities": None, "name": "", "GeoMatchParams": None},
            OURS | {"Capabilities": ["SMS", "Voice", "SMS"]},
            OURS | {"capabilities": "sms+voice"},
        ],
    )
    def test_one_request_may_be_written_in_many_ways(self, rows, record):
        assert only(rows(record)).request == REQUEST

    def test_a_row_may_be_exactly_a_request(self, rows):
        request = SessionRequest(
            voice_connector_id=CONNECTOR,
            participants=(A, B),
            capabilities=("SMS",),
            name="Order 1",
            expiry_minutes=60,
            number_selection_behavior="AvoidSticky",
            geo_match_level="AreaCode",
            geo_match_params=GeoMatchParams(country="US", area_code="415"),
        )
        record = {
            "VoiceConnectorId": CONNECTOR,
            "ParticipantPhoneNumbers": [A, B],
            "Capabilities": ["SMS"],
            "Name": "Order 1",
            "ExpiryMinutes": 60,
            "NumberSelectionBehavior": "AvoidSticky",
            "GeoMatchLevel": "AreaCode",
            "GeoMatchParams": {"Country": "US", "AreaCode": "415"},
        }
        assert [row.request for row in rows(record, record)] == [request, request]

    def test_a_second_row_of_the_same_keys_is_read_for_itself(self, rows):
        first, second = rows(OURS | {"name": "One"}, OURS | {"participant_1": B, "name": "Two"})
        assert (first.request.name, first.problems) == ("One", ())
        assert problem_of(second).column == "participant_2"

    def test_true_is_not_one_because_one_was_accepted_before(self, rows):
        first, second = rows(OURS | {"expiry_minutes": 1}, OURS | {"expiry_minutes": True})
        assert first.request.expiry_minutes == 1
        assert problem_of(second).column == "expiry_minutes"

    @pytest.mark.parametrize("name", ["jobs.ndjson", "jobs.JSON"])
    def test_other_extensions_are_known(self, rows, name):
        assert only(rows(OURS, name=name)).request == REQUEST

    def test_a_byte_order_mark_is_passed_over(self, rows):
        assert only(rows(b"\xef\xbb\xbf" + json.dumps(OURS).encode())).request == REQUEST

    @pytest.mark.parametrize("job_id", ["7", " 7 ", 7])
    def test_a_job_id_may_be_a_number(self, rows, job_id):
        assert only(rows(OURS | {"job_id": job_id})).key == "7"

    def test_carried_values_may_be_nested(self, rows):
        line = json.dumps(OURS)[:-1] + ', "a": ' + "[" * 63 + "]" * 63 + "}"
        assert only(rows(line)).request == REQUEST

    def test_blank_lines_are_no_rows(self, rows):
        assert [(row.number, row.line) for row in rows("", OURS, "  ", OURS)] == [(1, 2), (2, 4)]

    def test_an_empty_file_is_no_rows(self, source):
        job_file = source(b"")
        assert list(job_file.rows()) == []
        assert job_file.layout().columns == ()


class TestCells:
    def test_they_are_the_object_as_written(self, rows):
        line = '{ "n": 1.10, "big": 123456789012345678901234567890, ' + json.dumps(OURS)[1:]
        assert only(rows(f" {line} ")).cells == line

    def test_keys_of_an_earlier_run_are_left_out(self, source):
        job_file = source({"_row": 1, **OURS, "_status": "created", "_mine": [1, {"a": "b c"}]})
        row = only(list(job_file.rows()))
        assert row.request == REQUEST
        assert json.loads(row.cells) == OURS | {"_mine": [1, {"a": "b c"}]}

    def test_the_layout_lists_every_key_once(self, source):
        job_file = source(OURS, OURS | {"a": 1, "_row": 1}, {"b": 1, **OURS})
        assert list(job_file.rows())
        assert job_file.layout().format == "jsonl"
        assert job_file.layout().columns == (*OURS, "a", "b")

    def test_ever_new_keys_do_not_slow_it_to_a_halt(self, rows):
        read = rows(*(OURS | {f"key {index}": index} for index in range(1500)))
        assert {row.request for row in read} == {REQUEST}

    def test_a_line_that_is_no_object_is_kept_as_text(self, rows):
        assert json.loads(only(rows("[1, 2]")).cells) == "[1, 2]"


class TestDamage:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("[]", "not a JSON object"),
            ('"text"', "not a JSON object"),
            ("null", "not a JSON object"),
            ('{"a":1,}', "not valid JSON at column 8: trailing comma"),
            ('{"é": ?}', "not valid JSON at column 7: invalid character"),
            ('{"a": 1', "it ends too early"),
            ("{'a': 1}", "not valid JSON at column 2"),
            ('{"a": 1e999}', "not valid JSON"),
            ('{"a":' + "9" * 5000 + "}", "not valid JSON"),
            ("[" * 100_000, "nested more than 64 levels"),
            ('{"a": ' + "[" * 64 + "]" * 64 + "}", "nested more than 64 levels"),
            ('{"a": "' + "x" * LINE_LENGTH + '"}', "longer than 1048576 characters"),
            (b'{"a": "caf\xe9"}', "not in the file's encoding"),
            ('{"a": "\x00"}', "not valid JSON"),
        ],
    )
    def test_a_line_that_cannot_be_read_is_a_problem(self, rows, line, said):
        first, second = rows(line, OURS)
        assert said in problem_of(first).message
        assert problem_of(first).line == 1
        assert second.request == REQUEST

    @pytest.mark.parametrize("key", ["note", "name"])
    def test_an_escaped_nul_is_a_problem_of_its_key(self, rows, key):
        problem = problem_of(only(rows(OURS | {key: "a\0b"})))
        assert problem.column == key
        assert "NUL" in problem.message

    def test_a_nested_nul_is_a_problem_of_its_key(self, rows):
        assert problem_of(only(rows(OURS | {"note": [{"a": "\0"}]}))).column == "note"

    def test_an_escape_that_only_looks_like_a_nul_is_text(self, rows):
        assert only(rows(OURS | {"note": "\\u0000"})).request == REQUEST

    @pytest.mark.parametrize("opening", ["[", "{"])
    def test_one_document_over_many_lines_is_refused(self, source, opening):
        with pytest.raises(InputRefusedError, match="one JSON document over many lines") as caught:
            list(source(opening, OURS, "]").rows())
        assert "jq" in caught.value.hint

    @pytest.mark.parametrize("pair", [[A], [A, B, A], A, {}, 14155550100, []])
    def test_a_pair_is_exactly_two(self, rows, pair):
        problem = problem_of(only(rows({"participants": pair, "voice_connector_id": CONNECTOR})))
        assert problem.column == "participants"
        assert "exactly two" in problem.message
        assert "5550" not in str(problem.value)

    def test_an_empty_half_of_a_pair_is_a_problem_under_its_key(self, rows):
        record = {"ParticipantPhoneNumbers": [A, ""], "voice_connector_id": CONNECTOR}
        assert problem_of(only(rows(record))).column == "ParticipantPhoneNumbers"

    @pytest.mark.parametrize("number", [14155550100, 1.41556e10])
    def test_a_bare_number_has_lost_its_plus(self, rows, number):
        problem = problem_of(only(rows(OURS | {"participant_1": number})))
        assert "outside quotes loses its +" in problem.message
        assert "5550100" not in problem.value

    @pytest.mark.parametrize("value", [True, [A], {"number": A}])
    def test_what_is_no_text_is_no_number(self, rows, value):
        problem = problem_of(only(rows(OURS | {"participant_1": value})))
        assert "not a phone number" in problem.message

    def test_a_pair_that_disagrees_with_its_columns_is_a_problem(self, rows):
        problem = problem_of(only(rows(OURS | {"participants": [A, "+14155550199"]})))
        assert problem.column == "participant_2"
        assert "participant_2 and participants say different things" in problem.message

    def test_two_spellings_that_disagree_are_a_problem(self, rows):
        problem = problem_of(only(rows(OURS | {"name": "One", "Name": "Two"})))
        assert "name and Name say different things" in problem.message

    def test_values_of_different_kinds_disagree(self, rows):
        problem = problem_of(only(rows(OURS | {"expiry_minutes": 1, "ExpiryMinutes": "1"})))
        assert "say different things" in problem.message

    @pytest.mark.parametrize(
        "params",
        [
            {"Country": "US"},
            {"Country": "US", "AreaCode": "415", "City": "San Francisco"},
            {"country": "US", "areacode": "415"},
            "US",
        ],
    )
    def test_geo_match_params_have_exactly_their_members(self, rows, params):
        problem = problem_of(only(rows(OURS | {"GeoMatchParams": params})))
        assert problem.column == "GeoMatchParams"
        assert "Country and AreaCode, both and nothing else" in problem.message

    def test_a_member_of_geo_match_params_is_reported_under_its_key(self, rows):
        params = {"Country": "us", "AreaCode": 415}
        row = only(rows(OURS | {"GeoMatchParams": params}))
        assert {each.column for each in row.problems} == {"GeoMatchParams"}
        assert len(row.problems) == 2

    def test_all_problems_of_a_row_are_told(self, rows):
        row = only(rows({"participants": [A], "Name": "x" * 31, "note": "\0"}))
        assert {each.column for each in row.problems} == {
            "participants",
            "Name",
            "note",
            "voice_connector_id",
        }
