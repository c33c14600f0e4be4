import io
import os
import signal

import pytest

from provisioner.errors import InputMissingError, InputRefusedError, StoppedError
from provisioner.settings import InputSettings, RowDefaults
from provisioner.source import apart, open_source
from provisioner.source.apart import EntriesApart, Reading, read_frames, write_frame
from provisioner.source.reader import send

CSV = (
    "participant_1,participant_2,name,note\n"
    "+14155550100,+14155550101,Anna,=1\n"
    "+14155550100,bad,,\n"
    "+14155550102,+14155550103,,\n"
) + "".join(f"+14155550100,+44207946{n:04},,x\n" for n in range(2000))
JSONL = b'{"participants": ["+14155550100", "+14155550101"], "a": 1}\nnot json\n{"b": "\xff"}\n'
SETTINGS = {"defaults": RowDefaults(voice_connector_id="c1")}


@pytest.fixture(autouse=True)
def _every_file_is_large(monkeypatch):
    monkeypatch.setattr("provisioner.source.job_file.LARGE", 0)


@pytest.fixture
def source(tmp_path):
    def make(content, name="night.csv", **settings):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_source(InputSettings(path=str(path), **(SETTINGS | settings)))

    return make


def flat(blocks):
    return [entry for block in blocks for entry in block]


@pytest.mark.parametrize(
    ("content", "name", "settings"),
    [
        (CSV, "a.csv", {}),
        (CSV.replace(",", "\t"), "a.tsv", {}),
        (JSONL, "a.jsonl", {}),
        (CSV.encode("utf-16"), "a.csv", {"encoding": "utf-16"}),
        (b"\xef\xbb\xbf" + CSV.encode(), "a.csv", {"format": "csv"}),
    ],
)
def test_another_process_reads_what_this_one_would(source, content, name, settings):
    other = source(content, name, **settings)
    there = flat(other.entries("night"))
    here = source(content, name, **settings)
    assert there == flat(here.entries_here("night"))
    assert other.layout() == here.layout()


def test_a_name_that_is_no_text_is_no_hindrance(source):
    assert len(flat(source(CSV, "\udce9.csv").entries("night"))) == 2003


def test_a_file_without_a_header_is_refused_as_ever(source):
    with pytest.raises(InputRefusedError, match=r"night\.csv: the header has no column") as refused:
        flat(source("a,b\n1,2\n").entries("night"))
    assert "participant_1" in refused.value.hint


def test_there_is_no_layout_before_the_rows(source):
    job_file = source(CSV)
    job_file.entries("night")
    with pytest.raises(RuntimeError, match="no layout"):
        job_file.layout()


def test_the_process_ends_when_nobody_wants_more(source, monkeypatch):
    started = started_processes(monkeypatch)
    entries = source(CSV * 40).entries("night")
    next(entries)
    entries.close()
    assert started[0].returncode is not None


def test_a_killed_process_stops_the_recording(source, monkeypatch):
    started = started_processes(monkeypatch)
    entries = source(CSV * 40).entries("night")
    next(entries)
    os.kill(started[0].pid, signal.SIGKILL)
    with pytest.raises(StoppedError, match=r"read night\.csv was killed \(signal 9\)"):
        flat(entries)


def test_a_process_that_fails_is_a_fault_of_ours(source, monkeypatch):
    monkeypatch.setattr(apart, "_READER", ("false",))
    with pytest.raises(RuntimeError, match=r"read night\.csv ended with 1"):
        flat(source(CSV).entries("night"))


def test_the_process_is_out_of_reach_of_the_terminals_keys(source, monkeypatch):
    started = started_processes(monkeypatch)
    entries = source(CSV * 40).entries("night")
    next(entries)
    assert os.getpgid(started[0].pid) != os.getpgid(0)
    entries.close()


def reading(path, **changes):
    stamp = path.stat().st_size, path.stat().st_mtime_ns
    settings = InputSettings(path=path.name, **SETTINGS)
    return Reading(
        settings=settings,
        name=path.name,
        sha256="00",
        campaign="night",
        **({"stamp": stamp} | changes),
    )


def received(reading, path):
    out = io.BytesIO()
    with path.open("rb") as jobs:
        send(reading, jobs, out)
    out.seek(0)
    return list(read_frames(out))


def test_the_reader_sends_entries_and_then_the_layout(tmp_path):
    path = tmp_path / "night.csv"
    path.write_text(CSV)
    *blocks, end = received(reading(path), path)
    assert [entry.number for entry in flat(blocks)] == list(range(1, 2004))
    assert end.layout.columns == ("participant_1", "participant_2", "name", "note")


def test_the_reader_tells_of_a_file_that_changed(tmp_path):
    path = tmp_path / "night.csv"
    path.write_text(CSV)
    *_, end = received(reading(path, stamp=(1, 1)), path)
    assert (end.error, end.layout) == ("InputRefusedError", None)
    assert "changed while it was being read" in end.message


def test_an_error_keeps_its_kind_and_its_advice(tmp_path):
    end = apart.told(InputMissingError("gone", hint="look"))
    rows = EntriesApart(reading(tmp_path), io.BytesIO())
    with pytest.raises(InputMissingError, match="gone") as missing:
        list(rows._received([end]))
    assert missing.value.hint == "look"


def test_a_frame_that_did_not_arrive_whole_is_the_end():
    out = io.BytesIO()
    write_frame(out, apart.End(message="all"))
    cut = io.BytesIO(out.getvalue()[:-1])
    assert list(read_frames(cut)) == []


def started_processes(monkeypatch):
    started = []
    popen = apart.Popen

    class Recorded(popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(apart, "Popen", Recorded)
    return started
