"""What is wrong with single rows costs them alone, and is told."""

import pytest

from provisioner.source.lines import LINE_LENGTH
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
def rows(tmp_path):
    def read(*args, **settings):
        return list(job_file(tmp_path, *args, **settings).rows())

    return read


class TestDamage:
    def test_more_cells_than_the_header_is_a_problem(self, rows):
        (row,) = rows(f"_row,{HEADER}\n1,{SOUND},Smith, Jones\n")
        assert (row.key, row.request) == (None, None)
        assert cells(row) == [A, B, CONNECTOR, "Smith", " Jones"]
        assert "4 columns and this row 6 cells" in row.problems[0].message

    def test_an_unclosed_quote_costs_its_own_line_only(self, rows):
        first, second, third = rows(f'{HEADER},note\n{SOUND},"oops\n{SOUND},a\n{SOUND},"b"\n')
        assert first.problems[0].line == 2
        assert "a quote is opened on this line and not closed" in first.problems[0].message
        assert cells(first) == f'{SOUND},"oops'
        assert (second.line, second.request) == (3, REQUEST)
        assert (third.line, third.request) == (4, REQUEST)

    def test_an_unclosed_quote_does_not_swallow_a_long_file(self, rows):
        text = f'{HEADER},note\n{SOUND},"oops\n' + f"{SOUND},x\n" * 40_000
        read = rows(text)
        assert len(read) == 40_001
        assert one_problem(read).line == 2

    def test_quoted_line_breaks_are_bounded(self, rows):
        cell = '"' + "x" * 99_999 + '\n",'
        read = rows(f"{HEADER}\n" + cell * 12 + "\n")
        assert "not closed" in read[0].problems[0].message

    def test_text_behind_a_closing_quote_is_a_problem(self, rows):
        problem = one_problem(rows(f'{HEADER},note\n{SOUND},"a"b\n'))
        assert "double every quote" in problem.message

    def test_a_huge_quoted_cell_is_a_problem(self, rows):
        problem = one_problem(rows(f'{HEADER},note\n{SOUND},"{"x" * 140_000}"\n'))
        assert "a cell is longer than 131072 characters" in problem.message

    def test_an_overlong_line_is_a_problem_and_the_next_is_not(self, rows):
        read = rows(f"{HEADER},note\n{SOUND},{'x' * (3 * LINE_LENGTH)}\n{SOUND},x\n")
        assert one_problem(read).line == 2
        assert "longer than 1048576 characters" in one_problem(read).message
        assert len(cells(read[0])) < LINE_LENGTH
        assert (read[1].line, read[1].request) == (3, REQUEST)

    def test_an_overlong_line_is_passed_over_once_when_it_was_read_ahead(self, rows):
        read = rows(f'{HEADER},note\n{SOUND},"a\n{"x" * (3 * LINE_LENGTH)}\n{SOUND},x\n')
        assert [(row.line, len(row.problems)) for row in read] == [(2, 1), (3, 1), (4, 0)]

    def test_a_nul_is_a_problem_of_its_column(self, rows):
        problem = one_problem(rows(f"{HEADER},note\n{SOUND},a\0b\n"))
        assert (problem.column, problem.value) == ("note", "a\ufffdb")
        assert "NUL" in problem.message

    def test_an_escape_that_only_looks_like_a_nul_is_text(self, rows):
        (row,) = rows(f"{HEADER},note\n{SOUND},\\u0000\n")
        assert (row.request, cells(row)[3]) == (REQUEST, "\\u0000")

    def test_undecodable_bytes_are_a_problem_of_their_column(self, rows):
        (row,) = rows(f"{HEADER},note\n{SOUND},caf\xe9\n".encode("latin-1"))
        assert [(each.column, each.value) for each in row.problems] == [("note", "caf\ufffd")]
        assert "--encoding" in row.problems[0].message
        assert cells(row)[3] == "caf\ufffd"

    def test_undecodable_bytes_in_a_number_are_told_once(self, rows):
        (row,) = rows(f"{HEADER}\n{A}\xff,{A},{CONNECTOR}\n".encode("latin-1"))
        assert [each.column for each in row.problems] == ["participant_1"]

    def test_undecodable_bytes_in_a_row_too_long_are_replaced(self, rows):
        (row,) = rows(f"{HEADER}\n{SOUND},\xff\n".encode("latin-1"))
        assert cells(row)[3] == "\ufffd"

    def test_broken_utf_16_is_a_problem(self, rows):
        data = f"{HEADER},note\n{SOUND},x\n".encode("utf-16")
        read = rows(data[:-4] + b"\x00\xd8" + data[-2:])
        assert one_problem(read).column == "note"

    def test_all_problems_of_a_row_are_told_under_the_files_own_names(self, rows):
        header = "Participant 1,participant_2,VoiceConnectorId,ExpiryMinutes"
        (row,) = rows(f"{header}\n14155550100,{A},,soon\n")
        assert {each.column: each.value for each in row.problems} == {
            "Participant 1": "14155***0100",
            "VoiceConnectorId": None,
            "ExpiryMinutes": "soon",
        }
        assert {each.line for each in row.problems} == {2}

    def test_a_bad_name_is_a_problem_among_rows_accepted_before(self, rows):
        read = rows(f"{HEADER},name\n{SOUND},One\n{SOUND},No. 2\n{SOUND},Three\n")
        assert [row.request and row.request.name for row in read] == ["One", None, "Three"]

    def test_a_row_of_empty_cells_is_a_problem(self, rows):
        (row,) = rows(f"{HEADER}\n,,\n")
        assert len(row.problems) == 3
