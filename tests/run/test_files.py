import errno
import json
import os
from pathlib import Path

import pytest

from digit.run.errors import UserError
from digit.run.files import read_json, remove, replacing, require_writable, sync, write_json


def test_a_finished_file_takes_its_place(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folders_are_replaced_whole(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "stale").touch()
    with replacing(folder) as temporary:
        temporary.mkdir()
        (temporary / "fresh").touch()
    assert [p.name for p in folder.iterdir()] == ["fresh"]


def test_left_overs_of_a_killed_process_are_removed(tmp_path):
    path = tmp_path / "a.txt"
    (tmp_path / ".a.txt.partial").write_text("left over")
    with replacing(path) as temporary:
        assert not temporary.exists()
        temporary.write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_remove_takes_files_folders_and_nothing(tmp_path):
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name in ("folder", "file", "absent"):
        remove(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_remove_does_not_follow_links(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    remove(tmp_path / "link")
    assert (tmp_path / "precious").is_dir()


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "index").write_text("mine")
    message = r"index/val/a: cannot be written \(.*/index is a file, not a folder\); choose another place"
    with pytest.raises(UserError, match=message), replacing(tmp_path / "index" / "val" / "a"):
        pass
    assert (tmp_path / "index").read_text() == "mine"


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        pytest.raises(UserError, match=r"a\.txt: cannot be written \(No space left on device\); free some disk space"),
        replacing(path) as new,
    ):
        new.write_text("half")
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"more")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_files_and_folders_are_brought_to_the_disk(tmp_path, monkeypatch):
    (tmp_path / "tables").mkdir()
    for name in ("a", "b"):
        (tmp_path / "tables" / name).write_text(name)
    synced = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    sync(tmp_path / "tables")
    assert synced == [tmp_path / "tables" / "a", tmp_path / "tables" / "b", tmp_path / "tables"]
    sync(tmp_path / "tables" / "b")
    assert synced[3:] == [tmp_path / "tables" / "b"]


def test_only_folders_may_be_beyond_syncing(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr("os.fsync", refuse)
    sync(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Invalid argument"):
        sync(tmp_path)


def test_json_round_trip(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, 2.5, None, "ä"]})
    assert read_json(tmp_path / "a.json", "") == {"x": [1, 2.5, None, "ä"]}


def test_nan_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_broken_json_names_file_cause_and_remedy(tmp_path):
    path = tmp_path / "half.json"
    path.write_text(json.dumps({"a": list(range(99))})[:50])
    with pytest.raises(UserError, match=r"half\.json: is not valid JSON .* cut off or damaged; download it again"):
        read_json(path, "download it again")
    with pytest.raises(UserError, match=r"absent\.json: cannot be read \(No such file or directory\); get it"):
        read_json(tmp_path / "absent.json", "get it")


def test_places_where_nothing_can_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    require_writable(tmp_path / "new" / "a.pt")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(UserError, match=r"file/x/a\.pt: cannot be written \(.*/file is a file, not a folder\)"):
        require_writable(tmp_path / "file" / "x" / "a.pt")
    with pytest.raises(UserError, match=r"a\.pt: cannot be written \("):
        require_writable(Path("/proc/a.pt"))
