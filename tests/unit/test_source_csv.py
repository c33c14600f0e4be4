from functools import partial

import pytest

from provisioner.errors import InputRefusedError
from provisioner.session import GeoMatchParams, SessionRequest
from provisioner.settings import RowDefaults
from tests.unit.csv_files import (
    CONNECTOR,
    HEADER,
    REQUEST,
    SOUND,
    A,
    B,
    cells,
    job_file,
    one_problem,
)


@pytest.fixture
def source(tmp_path):
    return partial(job_file, tmp_path)


@pytest.fixture
def rows(source):
    def read(*args, **settings):
        return list(source(*args, **settings).rows())

    return read


@pytest.fixture
def refusal(source):
    def read(*args, **settings):
        with pytest.raises(InputRefusedError) as caught:
            list(source(*args, **settings).rows())
        return caught.value

    return read


class TestDialects:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_delimiter_is_found_out(self, rows, delimiter):
        text = f"{HEADER},customer\n{SOUND},Zoe\n".replace(",", delimiter)
        assert [row.request for row in rows(text)] == [REQUEST]

    def test_a_delimiter_in_quotes_does_not_count(self, rows):
        text = f'"a;b;c;d";{HEADER.replace(",", ";")}\nx;{SOUND.replace(",", ";")}\n'
        assert [row.request for row in rows(text)] == [REQUEST]

    @pytest.mark.parametrize("name", ["jobs.tsv", "jobs.TAB"])
    def test_an_extension_of_tabs_reads_tabs(self, rows, name):
        text = f"{HEADER}\n{SOUND}\n".replace(",", "\t")
        assert [row.request for row in rows(text, name)] == [REQUEST]

    @pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
    def test_every_line_ending_ends_a_line(self, rows, ending):
        text = ending.join([HEADER, SOUND, "", f"{B},{A},{CONNECTOR}"])
        assert [(row.number, row.line) for row in rows(text)] == [(1, 2), (2, 4)]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_unicode_is_told_by_its_byte_order_mark(self, rows, encoding):
        text = f"{HEADER},customer\n{SOUND},Zoë 東京\n"
        (row,) = rows(text.encode(encoding))
        assert cells(row)[3] == "Zoë 東京"

    @pytest.mark.parametrize(
        ("encoding", "mark"),
        [("cp1252", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-be", b"\xfe\xff"), ("utf-16", b"")],
    )
    def test_an_encoding_can_be_named(self, rows, encoding, mark):
        text = f"{HEADER},customer\n{SOUND},Zoë\n"
        (row,) = rows(mark + text.encode(encoding), encoding=encoding)
        assert (row.request, cells(row)[3]) == (REQUEST, "Zoë")

    def test_a_mark_of_another_encoding_is_text_when_one_is_named(self, refusal):
        error = refusal(f"{HEADER}\n".encode("utf-8-sig"), encoding="cp1252")
        assert "participant_1" in str(error)

    def test_the_layout_tells_the_dialect(self, source):
        job_file = source(f"{HEADER},Größe\n".replace(",", ";").encode("utf-8-sig"))
        assert list(job_file.rows()) == []
        layout = job_file.layout()
        assert (layout.format, layout.delimiter, layout.bom) == ("csv", ";", True)
        assert layout.columns == (*HEADER.split(","), "Größe")

    def test_there_is_no_layout_before_the_rows(self, source):
        with pytest.raises(RuntimeError, match="before its rows"):
            source(HEADER).layout()


class TestHeader:
    @pytest.mark.parametrize(
        "header",
        [
            " Participant_1 , PARTICIPANT_2,VoiceConnectorId",
            "participant 1,participant-2,voice connector id",
            '"participant_1","participant_2","voiceconnectorid"',
        ],
    )
    def test_names_may_be_spelled_in_many_ways(self, rows, header):
        assert [row.request for row in rows(f"{header}\n{SOUND}\n")] == [REQUEST]

    def test_every_column_takes_the_apis_spelling(self, rows):
        header = (
            "participant_1,participant_2,VoiceConnectorId,Capabilities,Name,ExpiryMinutes,"
            "NumberSelectionBehavior,GeoMatchLevel,GeoMatchParams.Country,GeoMatchParams.AreaCode"
        )
        text = f"{header}\n{SOUND},SMS,Order 1,60,AvoidSticky,AreaCode,US,415\n"
        assert [row.request for row in rows(text)] == [
            SessionRequest(
                voice_connector_id=CONNECTOR,
                participants=(A, B),
                capabilities=("SMS",),
                name="Order 1",
                expiry_minutes=60,
                number_selection_behavior="AvoidSticky",
                geo_match_level="AreaCode",
                geo_match_params=GeoMatchParams(country="US", area_code="415"),
            )
        ]

    def test_lines_before_it_may_be_blank(self, rows):
        assert [row.line for row in rows(f"\n  \n{HEADER}\n{SOUND}\n")] == [4]

    def test_a_header_alone_is_no_rows(self, rows):
        assert rows(HEADER) == []

    @pytest.mark.parametrize("content", ["", "\n\n", b"\xef\xbb\xbf"])
    def test_an_empty_file_is_refused(self, refusal, content):
        error = refusal(content)
        assert str(error) == "jobs.csv: the file is empty, it has not even a header"
        assert "participant_1,participant_2" in error.hint

    def test_a_column_named_twice_is_refused(self, refusal):
        error = refusal(f"{HEADER},VoiceConnectorId\n")
        assert "voice_connector_id 2 times: voice_connector_id, VoiceConnectorId" in str(error)

    def test_a_missing_participant_is_refused_with_the_closest_name(self, refusal):
        error = refusal("participant_1,participant2,customer\n")
        assert "no column participant_2; found: participant_1, participant2" in str(error)
        assert error.hint == "Rename participant2 to participant_2."

    def test_a_header_unlike_ours_is_refused_with_an_example(self, refusal):
        error = refusal(",".join(["x"] * 20))
        assert "no column participant_1 and no column participant_2" in str(error)
        assert "and 8 more" in str(error)
        assert "Begin the file with a header line" in error.hint

    @pytest.mark.parametrize("line", [SOUND, SOUND.replace("+", ""), f"'{A};x"])
    def test_data_in_its_place_is_recognised(self, refusal, line):
        error = refusal(line + "\n")
        assert "the first line holds phone numbers" in str(error)
        assert "555" not in str(error)

    def test_bytes_of_another_encoding_are_refused(self, refusal):
        error = refusal(f"{HEADER},größe\n".encode("latin-1"))
        assert "not in the file's encoding" in str(error)
        assert "--encoding" in error.hint

    def test_utf_16_without_its_mark_is_refused_with_the_option(self, refusal):
        error = refusal(HEADER.encode("utf-16-le"))
        assert "NUL" in str(error)
        assert "utf-16-le" in error.hint

    @pytest.mark.parametrize("header", ['"participant_1', f'{HEADER},"x"y', "x" * 2_000_000])
    def test_one_that_cannot_be_split_is_refused(self, refusal, header):
        assert "the header cannot be read" in str(refusal(header))


class TestCells:
    def test_they_stay_as_they_stood(self, rows):
        text = f'{HEADER},a,b\n"{A}", {B} ,{CONNECTOR}," x ","say ""hi"""\n'
        assert cells(rows(text)[0]) == [A, f" {B} ", CONNECTOR, " x ", 'say "hi"']

    def test_a_quote_inside_a_bare_cell_is_text(self, rows):
        assert cells(rows(f'{HEADER},size\n{SOUND},5" pipe\n')[0])[3] == '5" pipe'

    def test_missing_ones_at_the_end_are_empty(self, rows):
        (row,) = rows(f"{HEADER},name,customer\n{SOUND}\n")
        assert (cells(row)[3:], row.request) == (["", ""], REQUEST)

    def test_columns_of_an_earlier_run_are_left_out(self, source):
        job_file = source(f"_row,{HEADER},_status,_Name,_mine\n7,{SOUND},created,p0,x\n")
        (row,) = job_file.rows()
        assert cells(row) == [A, B, CONNECTOR, "x"]
        assert row.request == REQUEST
        assert job_file.layout().columns == (*HEADER.split(","), "_mine")

    def test_a_line_break_in_quotes_stays_and_lines_still_count(self, rows):
        text = f'{HEADER},note\n{SOUND},"one\r\ntwo"\n{B},{A},{CONNECTOR},x\n'
        first, second = rows(text)
        assert (first.line, cells(first)[3]) == (2, "one\r\ntwo")
        assert (second.number, second.line) == (2, 4)

    def test_blank_lines_are_no_rows(self, rows):
        assert [row.number for row in rows(f"{HEADER}\n\n   \n{SOUND}\n\n")] == [1]


class TestIdentity:
    def test_it_is_the_job_id(self, rows):
        assert rows(f"{HEADER},job_id\n{SOUND}, order 7 \n")[0].key == "order 7"

    def test_without_a_job_id_it_is_the_content(self, rows):
        plain, punctuated, other = rows(
            f"{HEADER}\n{SOUND}\n+1 415 555-0100,{B},{CONNECTOR}\n{B},{A},{CONNECTOR}\n"
        )
        assert plain.key == punctuated.key
        assert plain.key != other.key
        assert len(plain.key) == 32

    def test_defaults_are_part_of_it(self, rows):
        text = f"participant_1,participant_2\n{A},{B}\n"
        (given,) = rows(text, defaults=RowDefaults(voice_connector_id=CONNECTOR))
        (written,) = rows(f"{HEADER}\n{SOUND}\n")
        assert given.key == written.key

    def test_carried_columns_are_not(self, rows):
        one, other = rows(f"{HEADER},customer\n{SOUND},a\n{SOUND},b\n")
        assert one.key == other.key

    @pytest.mark.parametrize("job_id", ["x" * 257, '"a\nb"', "a\x07b"])
    def test_a_job_id_that_cannot_be_printed_is_a_problem(self, rows, job_id):
        assert one_problem(rows(f"{HEADER},job_id\n{SOUND},ok\n{SOUND},{job_id}\n")).column == (
            "job_id"
        )

    def test_a_job_id_of_any_script_is_accepted(self, rows):
        read = rows(f"{HEADER},job_id\n{SOUND},Nº\u00a07\n{SOUND},東\u00a0京\n")
        assert [row.key for row in read] == ["Nº\u00a07", "東\u00a0京"]


class TestDefaults:
    def test_they_fill_what_a_row_leaves_empty(self, rows):
        defaults = RowDefaults(voice_connector_id="other", capabilities="SMS", expiry_minutes=5)
        first, second = rows(
            f"{HEADER},capabilities\n{A},{B},,\n{SOUND},Voice\n", defaults=defaults
        )
        assert first.request.voice_connector_id == "other"
        assert (first.request.capabilities, first.request.expiry_minutes) == (("SMS",), 5)
        assert second.request.voice_connector_id == CONNECTOR
        assert second.request.capabilities == ("Voice",)

    def test_without_one_the_connector_is_asked_for_by_option(self, rows):
        problem = one_problem(rows(f"participant_1,participant_2\n{A},{B}\n"))
        assert problem.column == "voice_connector_id"
        assert "--voice-connector-id" in problem.message
