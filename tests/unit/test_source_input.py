import gc
import io
import os
import sys
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from provisioner.errors import (
    CannotWriteError,
    ConfigurationError,
    InputMissingError,
    InputRefusedError,
)
from provisioner.settings import InputSettings
from provisioner.source import input as source_input
from provisioner.source import open_source

CSV = b"participant_1,participant_2,voice_connector_id\n+14155550100,+442079460000,abc\n"
JSONL = b'{"participants": ["+14155550100", "+442079460000"], "voice_connector_id": "abc"}\n'


class FailingStream(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, _buffer):
        raise OSError(5, "Input/output error")


class FullDisk(io.BytesIO):
    def write(self, _data):
        raise OSError(28, "No space left on device")


@pytest.fixture
def stdin(monkeypatch):
    def give(content):
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))

    return give


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "night.csv"
    path.write_bytes(CSV)
    return path


def source(path, **settings):
    return open_source(InputSettings(path=str(path), **settings))


def test_name_and_digest_are_known_before_the_first_row(path):
    job_file = source(path)
    assert (job_file.name, job_file.sha256) == ("night.csv", sha256(CSV).hexdigest())


def test_standard_input_has_a_digest_before_the_first_row(stdin):
    stdin(CSV)
    job_file = source("-")
    assert (job_file.name, job_file.sha256) == ("-", sha256(CSV).hexdigest())
    assert len(list(job_file.rows())) == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [(CSV, "csv"), (JSONL, "jsonl"), (b"\n  \n" + JSONL, "jsonl"), (b"[]\n", "jsonl")],
)
def test_the_format_of_standard_input_is_found_out(stdin, content, found):
    stdin(content)
    job_file = source("-")
    assert list(job_file.rows())
    assert job_file.layout().format == found


def test_the_format_of_standard_input_can_be_named(stdin):
    stdin(b"")
    assert list(source("-", format="jsonl").rows()) == []


def test_a_named_format_beats_the_extension(tmp_path):
    path = tmp_path / "night.csv"
    path.write_bytes(JSONL)
    assert next(source(path, format="jsonl").rows()).request is not None


@pytest.mark.parametrize(("name", "shown"), [("jobs.xlsx", ".xlsx"), ("jobs", "(none)")])
def test_an_unknown_extension_is_refused_with_the_option(tmp_path, name, shown):
    with pytest.raises(InputRefusedError, match="does not tell its format") as caught:
        source(tmp_path / name)
    assert shown in str(caught.value)
    assert "--format" in caught.value.hint


def test_an_unknown_format_is_a_configuration_error(path):
    with pytest.raises(ConfigurationError, match="--format xml"):
        source(path, format="xml")


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "undefined", "a\0b"])
def test_an_unknown_encoding_is_a_configuration_error(path, encoding):
    with pytest.raises(ConfigurationError, match="no such text encoding"):
        source(path, encoding=encoding)


def test_an_encoding_that_cannot_mark_damage_refuses_the_file(path):
    path.write_bytes(b"xn--\xff\n")
    with pytest.raises(InputRefusedError, match=r"night\.csv: cannot be read in this encoding"):
        list(source(path, encoding="idna").rows())


def test_damage_is_marked_in_reading_only():
    with pytest.raises(UnicodeEncodeError):
        "ë".encode("ascii", "provisioner.mark")


def test_a_missing_file_is_told_with_a_hint(tmp_path):
    with pytest.raises(InputMissingError, match="there is no such file") as caught:
        source(tmp_path / "none.csv")
    assert caught.value.hint


def test_a_folder_is_no_job_file(tmp_path):
    folder = tmp_path / "jobs.csv"
    folder.mkdir()
    with pytest.raises(InputMissingError, match="is a folder"):
        source(folder)


def test_a_file_that_may_not_be_read_is_missing(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputMissingError, match="cannot be opened: Permission denied"):
        source(path)


def test_a_path_no_system_accepts_is_missing():
    with pytest.raises(InputMissingError, match="cannot be opened"):
        source("a\0b.csv")


def test_closed_standard_input_is_missing(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputMissingError, match="standard input is closed"):
        source("-")


def test_a_stream_that_breaks_is_missing(stdin):
    stdin(io.BufferedReader(FailingStream()))
    with pytest.raises(InputMissingError, match="cannot be read: Input/output error"):
        source("-")


def test_a_disk_that_breaks_while_rows_are_read_is_missing(path, monkeypatch):
    job_file = source(path)
    monkeypatch.setattr(job_file, "_read", lambda *_, **__: FailingStream())
    with pytest.raises(InputMissingError, match=r"night\.csv: cannot be read: Input/output"):
        list(job_file.rows())


def test_no_room_for_the_temporary_file_is_told_with_tmpdir(stdin, monkeypatch):
    stdin(CSV)
    monkeypatch.setattr(source_input, "TemporaryFile", FullDisk)
    with pytest.raises(CannotWriteError, match="No space left") as caught:
        source("-")
    assert "TMPDIR" in caught.value.hint


def test_a_named_pipe_is_read_like_standard_input(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(CSV,))
    writer.start()
    job_file = source(pipe)
    writer.join()
    assert (job_file.name, job_file.sha256) == ("pipe.csv", sha256(CSV).hexdigest())
    assert len(list(job_file.rows())) == 1


def test_a_file_that_changes_while_it_is_read_is_refused(path):
    rows = source(path).rows()
    next(rows)
    with path.open("ab") as file:
        file.write(b"+14155550101,+442079460000,abc\n")
    with pytest.raises(InputRefusedError, match=r"night\.csv: it changed while it was being read"):
        list(rows)


def test_a_file_replaced_while_it_is_read_stays_what_it_was(path):
    job_file = source(path)
    other = path.with_suffix(".new")
    other.write_bytes(b"")
    other.replace(path)
    assert len(list(job_file.rows())) == 1


def test_a_source_nobody_reads_closes_its_file(path):
    job_file = source(path)
    stream = job_file._input.stream
    del job_file
    gc.collect()
    assert stream.closed
