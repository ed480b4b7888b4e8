"""The command against mirrors that misbehave: the end is the same, or the words say why not."""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from functools import partial
from types import SimpleNamespace

import pytest
import yaml

from digit.archive.checksums import read_checksums
from digit.config import resolve, to_dict
from digit.download.annotations import ARCHIVE
from digit.download.files import Fetcher, Patience
from digit.download.release import CHECKSUMS
from digit.run.errors import UserError
from digit.stages.download import download

QUICK = Patience(first_pause_s=0.01, longest_pause_s=0.05, tries=3, tries_of_several=2, timeout_s=0.5)


@pytest.fixture
def target(tmp_path):
    """Function that gives the configuration of a download from mirrors to ``data/``."""

    def make(*mirrors, **data):
        settings = {"source": "interhand", "root": str(tmp_path / "data"), "download": True, "mirrors": list(mirrors)}
        return resolve({"run": {"name": "run", "folder": str(tmp_path / "results")}, "data": settings | data})

    return make


def run(config):
    download(config, accepted=True, fetcher=Fetcher(config.data.mirrors, patience=QUICK))


def failure_of(config):
    with pytest.raises(UserError) as caught:
        run(config)
    return str(caught.value)


def pieces(folder):
    return sorted(folder.glob("*.tar.part??"))


def assert_same(released, tmp_path):
    """The archive is what the mirror has, and nothing half done is left."""
    here = tmp_path / "data" / "archive"
    assert [piece.read_bytes() for piece in pieces(here)] == [piece.read_bytes() for piece in pieces(released)]
    assert not [path for path in here.iterdir() if "partial" in path.name]
    assert read_checksums(here) == read_checksums(released)


def test_everything_arrives(released, serve, target, tmp_path, tiny_release):
    mirror = serve(released)
    run(target(mirror.address))
    assert_same(released, tmp_path)
    for path in (tiny_release / "annotations").rglob("*.*"):
        assert (tmp_path / "data" / path.relative_to(tiny_release)).read_bytes() == path.read_bytes()
    before = len(mirror.requests)
    download(target(mirror.address))
    assert len(mirror.requests) == before, "what is there is neither asked for nor accepted again"


PASSING = ["cut 100", "cut 0", "status 429", "status 503", "whole", "redirect", "stall"]
WRONG = ["change 7", "short 10", "long 10", "page", "page 1", "circle", "status 404", "status 403"]


@pytest.mark.parametrize("fault", PASSING + WRONG)
def test_a_fault_of_one_mirror_is_survived(released, serve, target, tmp_path, fault):
    first, second = serve(released), serve(released)
    for piece in pieces(released)[:2]:
        first.faults[piece.name] = ["cut 5000", fault] if fault == "whole" else [fault]
    run(target(first.address, second.address))
    assert_same(released, tmp_path)


@pytest.mark.parametrize("fault", ["page", "page 1"])
def test_a_web_page_in_place_of_the_rest_costs_nothing_that_is_here(released, serve, target, tmp_path, fault):
    first, second = serve(released), serve(released)
    piece = pieces(released)[1]
    first.faults[piece.name] = ["cut 5000", fault]
    run(target(first.address, second.address))
    assert_same(released, tmp_path)
    assert second.sent[piece.name] == piece.stat().st_size - 5000


def test_a_mirror_that_always_fails_is_asked_ever_less(released, serve, target, tmp_path):
    first, second = serve(released), serve(released)
    first.always = dict.fromkeys([path.name for path in released.iterdir()], "status 503")
    run(target(first.address, second.address))
    assert_same(released, tmp_path)
    assert len([name for _, name, _ in first.requests if ".part" in name]) == 0, "the checksum file told"


def test_faults_in_a_row_at_the_only_mirror_are_survived_and_no_byte_comes_twice(released, serve, target, tmp_path):
    mirror = serve(released)
    for number, piece in enumerate(pieces(released)[:5]):
        mirror.faults[piece.name] = ["cut 3000", f"{PASSING[2 + number]}", "cut 10", "cut 0", "cut 2000"]
    run(target(mirror.address))
    assert_same(released, tmp_path)
    ranges = [stated for _, name, stated in mirror.requests if name == pieces(released)[0].name]
    assert ranges[:2] == [None, "bytes=3000-"] and ranges[-1] == "bytes=5010-"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("status 404", "answered 404: it has no such file"),
        ("status 403", "answered 403: it does not let you have the file"),
        ("status 429", "answered 429: too many requests"),
        ("status 503", "answered 503: the server is overloaded or broken"),
        ("status 418", "answered 418"),
        ("page", "answered with a web page instead of the file; a login page of your network"),
        ("circle", "redirects in a circle"),
        ("stall", "sent nothing for|cut the connection"),
        ("cut 0", "cut the connection"),
        ("change 9", r"has the MD5 \w{32} instead of \w{32} \(20,011 bytes\), also at the second attempt"),
        ("short 9", r"has the MD5 \w{32} instead of \w{32} \(20,002 bytes\), also at the second attempt"),
    ],
)
def test_what_a_mirror_does_instead_is_said(released, serve, target, tmp_path, fault, words):
    mirror = serve(released)
    name = pieces(released)[1].name
    mirror.always[name] = fault
    message = failure_of(target(mirror.address))
    assert message.startswith("1 of 7 files could not be downloaded:\n  - ") and name in message
    assert re.search(words, message), message
    assert mirror.address in message and "Traceback" not in message
    mirror.always.clear()
    run(target(mirror.address))
    assert_same(released, tmp_path)


@pytest.mark.parametrize("fault", ["page", "page 1", "short 400", "status 404"])
def test_the_checksum_file_comes_from_the_other_mirror(released, serve, target, tmp_path, fault):
    first, second = serve(released), serve(released)
    first.always[CHECKSUMS] = fault
    run(target(first.address, second.address))
    assert_same(released, tmp_path)


@pytest.mark.parametrize("line", ["", "words", "0" * 32 + "  ../outside.tar.partaa", "0" * 32 + "  /etc/x.tar.partaa"])
def test_a_checksum_file_that_is_none_is_refused(released, serve, target, tmp_path, line):
    (released / CHECKSUMS).write_text(line)
    message = failure_of(target(serve(released).address))
    assert CHECKSUMS in message and "is no checksum file" in message
    assert not list(tmp_path.rglob("outside*"))


def test_no_mirror_can_be_reached(released, target):
    message = failure_of(target("http://127.0.0.1:9/nothing/", "ftp://127.0.0.1/x", "not an address"))
    assert "http://127.0.0.1:9/nothing/ cannot be reached" in message
    assert "ftp://127.0.0.1/x is no address" in message and "not an address is no address" in message


def test_the_terms_come_first(released, serve, target, tmp_path):
    mirror = serve(released)
    with pytest.raises(UserError, match=r"nothing was downloaded(.|\n)*CC BY-NC 4\.0(.|\n)*--accept-licence"):
        download(target(mirror.address))
    assert not mirror.requests and not pieces(tmp_path)
    download(target(mirror.address, accept_licence=True), fetcher=Fetcher([mirror.address], patience=QUICK))
    assert_same(released, tmp_path)


def test_a_disk_without_room_is_named_before_anything_is_fetched(released, serve, target, tmp_path, monkeypatch):
    mirror = serve(released)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, used=10**9 - 5000, free=5000))
    message = failure_of(target(mirror.address))
    assert "7 files of the release need" in message and "the disk has 5.0 kB free" in message
    assert [name for _, name, _ in mirror.requests] == [CHECKSUMS]


def test_a_full_disk_keeps_what_has_arrived(released, serve, target, tmp_path, monkeypatch):
    """A tiny file system where one can be made, which needs no more rights than a container has as root."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a tmpfs")
    try:
        mirror = serve(released)
        monkeypatch.setattr("digit.download.room.SPARE", 0)
        config = target(mirror.address, image_archive=str(folder))
        message = failure_of(config)
        assert "the disk is full; free some space and run again, what has arrived is kept" in message
        assert "Traceback" not in message and list(folder.glob(".*.partial"))
        subprocess.run(["mount", "-o", "remount,size=10m", folder], check=True)
        run(config)
        assert [p.read_bytes() for p in pieces(folder)] == [p.read_bytes() for p in pieces(released)]
        assert sum(mirror.sent.values()) < 2 * sum(path.stat().st_size for path in released.iterdir())
    finally:
        subprocess.run(["umount", folder], check=True)


def test_what_wget_left_is_taken_up_and_what_is_wrong_is_set_aside(released, serve, target, tmp_path, caplog):
    here = tmp_path / "data" / "archive"
    shutil.copytree(released, here)
    half, swapped, damaged, other, lost = pieces(here)[:5]
    half.write_bytes(half.read_bytes()[:7000])
    content = swapped.read_bytes()
    swapped.write_bytes(other.read_bytes())
    other.write_bytes(content)
    damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
    lost.unlink()
    mirror = serve(released)
    run(target(mirror.address))
    assert [piece.read_bytes() for piece in pieces(here)] == [piece.read_bytes() for piece in pieces(released)]
    assert sorted(mirror.sent) == [half.name, swapped.name, damaged.name, other.name, lost.name]
    assert mirror.sent[half.name] == half.stat().st_size - 7000
    assert f"holds {other.name}; it is now {swapped.name}.wrong" in caplog.text
    assert len(list(here.glob("*.wrong"))) == 3, "a user's files are not deleted"


def test_pieces_of_an_own_copy_need_no_network(released, target, tmp_path):
    shutil.copytree(released, tmp_path / "data" / "archive")
    download(target("http://127.0.0.1:9/"))
    assert_same(released, tmp_path)


def test_pieces_that_may_not_be_touched_are_used_as_they_are(released, target, tmp_path, monkeypatch):
    def refuse(path):
        raise UserError(f"{path}: cannot be written; choose another place")

    for module in ("digit.archive.members", "digit.download.release"):
        monkeypatch.setattr(f"{module}.require_writable", refuse)
    download(target("http://127.0.0.1:9/", image_archive=str(released)))
    assert not (released / "digit-members").exists() and (tmp_path / "results/run/members/verified.json").is_file()
    first = pieces(released)[0]
    first.unlink()
    message = failure_of(target("http://127.0.0.1:9/", image_archive=str(released)))
    assert message == f"{first}: cannot be written; choose another place"


def test_killed_at_random_moments_the_end_is_the_same(released, serve, target, tmp_path):
    mirror = serve(released, bytes_per_second=40_000)
    config = target(mirror.address, accept_licence=True)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(to_dict(config)))
    command = [sys.executable, "-m", "digit", "download", "--config", str(tmp_path / "config.yaml")]
    rng, killed = random.Random(1), 0
    while killed < 10:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
        before, deadline = sum(mirror.sent.values()), time.monotonic() + 60
        wanted = before + rng.randrange(1, 15_000)
        while sum(mirror.sent.values()) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        assert process.poll() is None, process.stderr.read().decode()
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
    mirror.bytes_per_second = float("inf")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert_same(released, tmp_path)
    size = sum(path.stat().st_size for path in released.iterdir())
    assert sum(mirror.sent.values()) < size + 11 * 4 * 20_000, "what had arrived was not fetched again"


def test_an_interrupted_command_ends_at_once(released, serve, target, tmp_path):
    mirror = serve(released, bytes_per_second=5_000)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(to_dict(target(mirror.address, accept_licence=True))))
    command = [sys.executable, "-m", "digit", "download", "--config", str(tmp_path / "config.yaml")]
    heeds_ctrl_c = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # which what a shell starts with & does not
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=heeds_ctrl_c)
    while sum(mirror.sent.values()) < 2000 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(released, serve, target, tmp_path):
    (tmp_path / "data").mkdir(mode=0o500)
    assert "data/archive" in failure_of(target(serve(released).address))


def test_a_file_in_place_of_the_folder_is_named(released, serve, target, tmp_path):
    (tmp_path / "data").write_text("mine")
    assert "data is a file, not a folder" in failure_of(target(serve(released).address))


def test_the_embedded_data_are_not_downloaded(tmp_path):
    with pytest.raises(UserError, match=r"data\.source: is synthetic"):
        download(resolve({"run": {"folder": str(tmp_path)}}))
    with pytest.raises(UserError, match=r"data\.download: needs data\.source: interhand"):
        resolve({"data": {"download": True}})


def test_hostile_members_of_the_annotations_are_named_and_not_followed(released, serve, target, tmp_path, caplog):
    with zipfile.ZipFile(released / ARCHIVE, "a") as archive:
        archive.writestr("../../InterHand2.6M_train_data.json", "{}")
        archive.writestr("/InterHand2.6M_val_data.json", "{}")
        link = zipfile.ZipInfo("annotations/skeleton.txt.link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("annotations/notes.txt", "not asked for")
    run(target(serve(released).address))
    assert "'../../InterHand2.6M_train_data.json' is a path that leaves" in caplog.text
    assert "'/InterHand2.6M_val_data.json' is an absolute path" in caplog.text
    assert "skeleton.txt.link' is a link or device" in caplog.text
    assert {path.name for path in (tmp_path / "data" / "annotations").iterdir()} == {
        *("train", "val", "test", "skeleton.txt", "subject.txt")
    }
    assert not list(tmp_path.glob("InterHand*"))


def test_annotations_of_the_older_release_are_named(released, serve, target):
    with zipfile.ZipFile(released / ARCHIVE, "w") as archive:
        for folder in ("all", "human_annot", "machine_annot"):
            archive.writestr(f"annotations/{folder}/InterHand2.6M_train_data.json", "{}")
    assert "laid out as in release v0.0" in failure_of(target(serve(released).address))


def test_a_user_s_annotations_stay(released, serve, target, tmp_path):
    mine = tmp_path / "data" / "annotations" / "subject.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    run(target(serve(released).address))
    assert mine.read_text() == "mine"


def test_sums_on_the_way_are_those_of_hashlib(released):
    from digit.archive.checksums import md5_of

    for piece in pieces(released):
        assert md5_of(piece).hexdigest() == hashlib.md5(piece.read_bytes()).hexdigest()
