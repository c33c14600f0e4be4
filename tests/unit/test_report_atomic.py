import errno
import os
import stat

import pytest

from provisioner.errors import CannotWriteError
from provisioner.report.atomic import ensure_writable, replaced


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def write(folder, **texts):
    with replaced(folder, list(texts)) as files:
        for file, text in zip(files, texts.values(), strict=True):
            file.write(text)


def failing_midway(folder):
    with replaced(folder, ["a", "b"]) as (first, _):
        first.write("new")
        raise RuntimeError


def test_all_files_take_their_places_at_the_end(tmp_path):
    write(tmp_path, a="old", b="old")
    with replaced(tmp_path, ["a", "b"]) as (first, second):
        first.write("new")
        second.write("newer")
        first.flush()
        assert (tmp_path / "a").read_text() == "old"
    assert contents(tmp_path) == {"a": "new", "b": "newer"}


def test_line_ends_are_left_as_they_are(tmp_path):
    write(tmp_path, a="x\r\ny\n")
    assert (tmp_path / "a").read_bytes() == b"x\r\ny\n"


def test_files_and_folder_are_for_their_owner_only(tmp_path):
    folder = tmp_path / "out" / "july"
    write(folder, a="")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "a")]
    assert modes == [0o700, 0o600]


def test_a_file_that_others_could_read_is_replaced_by_one_they_cannot(tmp_path):
    (tmp_path / "a").touch(mode=0o644)
    write(tmp_path, a="")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_a_failure_midway_leaves_the_old_files_and_nothing_else(tmp_path):
    write(tmp_path, a="old", b="old")
    with pytest.raises(RuntimeError):
        failing_midway(tmp_path)
    assert contents(tmp_path) == {"a": "old", "b": "old"}


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".a.0123abcd.tmp").write_text("half")
    write(tmp_path, a="new")
    assert contents(tmp_path) == {"a": "new"}


def test_two_writers_at_once_leave_each_other_alone(tmp_path):
    with replaced(tmp_path, ["a"]) as (first,):
        first.write("first")
        write(tmp_path, a="second")
    assert contents(tmp_path) == {"a": "first"}


def test_a_disk_full_at_the_end_leaves_the_old_files_and_nothing_else(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(tmp_path, a="old", b="old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWriteError):
        write(tmp_path, a="new", b="new")
    assert contents(tmp_path) == {"a": "old", "b": "old"}


def test_a_disk_full_while_writing_is_told_with_what_to_do(tmp_path, monkeypatch):
    def open_full(_path):
        return open("/dev/full", "w")  # noqa: PTH123 - the product closes it

    monkeypatch.setattr("provisioner.report.atomic._create", open_full)
    with pytest.raises(CannotWriteError) as caught:
        write(tmp_path, a="x" * 1_000_000)
    assert str(caught.value) == f"cannot write {tmp_path}: No space left on device"
    assert caught.value.hint.startswith("free some disk space, then `provisioner results`")


def test_a_file_in_the_folders_place_is_told(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(CannotWriteError) as caught:
        write(tmp_path / "out", a="")
    assert str(caught.value) == f"cannot write {tmp_path / 'out'}: File exists"
    assert caught.value.hint == "name a folder, not a file, with --out"


def test_a_folder_in_a_files_place_is_told(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(CannotWriteError, match="Is a directory") as caught:
        write(tmp_path, a="")
    assert caught.value.hint.startswith("a folder has the name of a result file")


def test_a_folder_that_may_not_be_written_is_told(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CannotWriteError, match="Permission denied") as caught:
        write(tmp_path, a="")
    assert caught.value.hint == "choose a folder that can be written with --out"


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path):
    folder = tmp_path / "out" / "july"
    ensure_writable(folder)
    assert list(folder.iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_told_beforehand(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(CannotWriteError, match="Not a directory"):
        ensure_writable(tmp_path / "out" / "july")
