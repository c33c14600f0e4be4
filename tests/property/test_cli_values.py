from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.cli.values import Duration


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_reads_back_as_it_was_written(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    written = Duration.text(seconds)
    assert abs(Duration().convert(written, None, None) - seconds) < 1e-6 * max(1, seconds)
