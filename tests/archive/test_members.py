"""The header pass: every format, every border, and what is found when pieces are missing or damaged."""

import os
import random
import subprocess
import tarfile

import numpy as np
import pytest

from bench.released import BATCH, member, write_pieces
from digit.archive import members as module
from digit.archive.members import KEPT, open_members
from digit.archive.pieces import Pieces
from digit.run.errors import UserError

FORMATS = [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT]


def touch(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).touch()


def contents(folder, tmp_path):
    """Names and contents of all images that the header pass finds."""
    members = open_members(folder, tmp_path / "elsewhere")
    return {name.decode(): members.read(row) for row, name in enumerate(members.name.tolist())}


def make_files(count=40, seed=0, long=False):
    rng = random.Random(seed)
    more = "x" * 60 + "/" if long else ""
    names = [
        f"{split}/Capture{k % 3}/{more}cam{k % 5}/image{k}.jpg" for k in range(count) for split in ("train", "val")
    ]
    return {name: rng.randbytes(rng.choice([0, 1, 511, 512, 513, 1500, 9000])) for name in names}


@pytest.mark.parametrize("piece_bytes", [97, 512, 513, 4_001, 1 << 20])
@pytest.mark.parametrize("tar_format", FORMATS)
@pytest.mark.parametrize("long", [False, True])
def test_every_member_is_found_across_every_border(pack, tmp_path, piece_bytes, tar_format, long):
    files = make_files(3 if piece_bytes == 97 else 40, long=long)
    assert contents(pack(files, piece_bytes, tar_format), tmp_path) == files


def test_a_whole_tar_is_read_too(pack, tmp_path):
    files = make_files()
    (piece,) = pack(files, 1 << 30).glob("*.partaa")
    piece.rename(piece.with_suffix(""))
    assert contents(tmp_path / "pieces", tmp_path) == files


def test_pieces_that_are_tars_of_their_own_are_read_on(tmp_path):
    """As those of release v0.0, which need ``tar --ignore-zeros``."""
    files = make_files(9)
    for number, names in enumerate((list(files)[:5], list(files)[5:6], list(files)[6:])):
        part = [(member(f"./{BATCH}/images/{name}", len(files[name])), files[name]) for name in names]
        (piece,) = write_pieces(tmp_path / "one", 1 << 30, part)
        (tmp_path / "pieces").mkdir(exist_ok=True)
        piece.rename(tmp_path / "pieces" / f"{piece.name[:-1]}{'abc'[number]}")
    assert contents(tmp_path / "pieces", tmp_path) == files


def test_gnu_tar_itself(pack, tmp_path):
    """Also what no other program writes: long names of GNU, and a copy added later, which counts."""
    if subprocess.run(["tar", "--version"], capture_output=True).returncode:
        pytest.skip("no tar")
    files = make_files(long=True)
    for name, content in files.items():
        path = tmp_path / "tree" / BATCH / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for tar_format in ("gnu", "posix"):
        target = tmp_path / tar_format / "images.tar"
        target.parent.mkdir()
        base = ["tar", "-C", tmp_path / "tree", f"--format={tar_format}", "-f", target]
        subprocess.run([*base, "-c", BATCH], check=True)
        changed = next(iter(files))
        (tmp_path / "tree" / BATCH / "images" / changed).write_bytes(b"newer")
        subprocess.run([*base, "-r", f"{BATCH}/images/{changed}"], check=True)
        subprocess.run(["split", "-b", "30011", target, f"{target}.part"], check=True)
        target.unlink()
        assert contents(target.parent, tmp_path) == files | {changed: b"newer"}


def test_a_header_inside_an_image_misleads_nobody(pack, tmp_path):
    trap = member(f"{BATCH}/images/val/trap.jpg", 10**6).tobuf(tarfile.GNU_FORMAT)
    files = {f"val/{k}.jpg": bytes([k]) * 300 + trap * 3 for k in range(20)}
    assert contents(pack(files, 3_001), tmp_path) == files


def test_the_pass_is_made_once_and_after_a_change_only_where_it_matters(pack, tmp_path, monkeypatch):
    files, calls, scan = make_files(), [], module.scan
    folder = pack(files, 20_011)

    def counted(pieces, number, start):
        calls.append(number)
        return scan(pieces, number, start)

    monkeypatch.setattr(module, "scan", counted)
    assert contents(folder, tmp_path) == files
    count = len(Pieces.of(folder))
    assert calls == list(range(count))
    assert contents(folder, tmp_path) == files and len(calls) == count
    piece = sorted(folder.glob("*.part??"))[2]
    os.utime(piece)
    assert contents(folder, tmp_path) == files
    assert calls[count:] == [1, 2], "the piece, and the one whose last header may reach into it"


def test_a_pass_that_was_stopped_goes_on(pack, tmp_path, monkeypatch):
    files, scan, calls = make_files(), module.scan, []
    folder = pack(files, 20_011)

    def interrupted(pieces, number, start):
        calls.append(number)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return scan(pieces, number, start)

    monkeypatch.setattr(module, "scan", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_members(folder, tmp_path / "elsewhere")
    assert contents(folder, tmp_path) == files
    assert calls[:5] == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("change", [lambda old: old[: len(old) // 2], lambda _: b"", lambda _: b"\x93NUMPY" * 9])
def test_damaged_tables_are_made_again(pack, tmp_path, change):
    files = make_files()
    folder = pack(files)
    assert contents(folder, tmp_path) == files
    for path in (folder / KEPT).rglob("*.*"):
        path.write_bytes(change(path.read_bytes()))
    assert contents(folder, tmp_path) == files


def test_beside_pieces_that_may_not_be_touched_nothing_is_written(pack, tmp_path, monkeypatch):
    files = make_files()
    folder = pack(files)

    def refuse(path):
        raise UserError(f"{path}: cannot be written; choose another place")

    monkeypatch.setattr(module, "require_writable", refuse)
    assert contents(folder, tmp_path) == files
    assert not (folder / KEPT).exists() and (tmp_path / "elsewhere" / "table").is_dir()
    assert contents(folder, tmp_path) == files


def test_names_are_looked_up_as_bytes_of_any_length(pack, tmp_path):
    members = open_members(pack(make_files()), tmp_path)
    wanted = [members.name[3], members.name[3][:-1], members.name[3] + b"x" * 300, b"", "val/ä".encode()]
    rows, found = members.rows(wanted)
    assert found.tolist() == [True, False, False, False, False] and rows[0] == 3
    assert members.rows([])[0].shape == (0,)


def test_pieces_that_are_missing_cost_only_what_lies_in_them(pack, tmp_path):
    files = make_files()
    folder = pack(files, 9_001)
    pieces = sorted(folder.glob("*.part??"))
    sizes = np.cumsum([0] + [piece.stat().st_size for piece in pieces])
    whole = open_members(folder, tmp_path)
    place = sizes[whole.piece] + whole.offset
    lost = [k for k in range(len(place)) if place[k] + whole.size[k] > sizes[3] and place[k] - 512 < sizes[5]]
    for piece in pieces[3:5]:
        piece.unlink()
    left = contents(folder, tmp_path)
    expected = {name: content for k, (name, content) in enumerate(sorted(files.items())) if k not in lost}
    assert left.items() <= files.items() and left.keys() >= expected.keys() - {whole.name[k].decode() for k in lost}
    assert len(left) >= len(expected) - 1


@pytest.mark.parametrize("seed", range(25))
def test_damage_anywhere_costs_only_what_it_touches(pack, tmp_path, seed):
    """Bytes are overwritten, taken out or put in, or pieces change places."""
    files, rng = make_files(), random.Random(seed)
    pieces = sorted(pack(files, 20_011).glob("*.part??"))
    first, second = rng.sample(pieces, 2)
    content, place = bytearray(first.read_bytes()), rng.randrange(20_000)
    how = rng.choice(["overwrite", "zeros", "remove", "insert", "swap"])
    if how == "swap":
        content, other = second.read_bytes(), bytes(content)
        second.write_bytes(other)
    else:
        size = {"remove": 700, "insert": 0}.get(how, 700)
        content[place : place + size] = bytes(700) if how == "zeros" else rng.randbytes(0 if how == "remove" else 700)
    first.write_bytes(content)
    found = contents(tmp_path / "pieces", tmp_path)
    assert found.keys() <= files.keys()
    wrong = [name for name in files if found.get(name) != files[name]]
    assert len(wrong) < (60 if how == "swap" else 25)


@pytest.mark.parametrize("name", ["/etc/images/val/x.jpg", "../images/val/x.jpg", f"{BATCH}/images/val/../../x.jpg"])
def test_hostile_names_are_never_images(tmp_path, name):
    good = (member(f"{BATCH}/images/val/good..jpg", 3), b"abc")
    write_pieces(tmp_path / "pieces", 700, [(member(name, 3), b"bad"), good])
    members = open_members(tmp_path / "pieces", tmp_path)
    assert members.name.tolist() == [b"val/good..jpg"]
    ((found, _),) = members.facts["hostile"]
    assert found == name


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_never_images(tmp_path, kind):
    link = member(f"{BATCH}/images/val/x.jpg", kind=kind)
    link.linkname = "/etc/passwd"
    write_pieces(tmp_path / "pieces", 700, [(link, b""), (member(f"{BATCH}/images/val/y.jpg", 2), b"ok")])
    members = open_members(tmp_path / "pieces", tmp_path)
    assert members.name.tolist() == [b"val/y.jpg"] and members.read(0) == b"ok"
    assert members.facts["hostile"][0][0] == link.name


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "cannot be read"),
        (lambda folder: folder.mkdir(), "holds no piece of the images' tar"),
        (lambda folder: (folder / "images").mkdir(parents=True), "if these images are unpacked, set data.root"),
        (lambda folder: touch(folder, "a.tar.partaa", "b.tar.partaa"), "holds 2 archives"),
        (lambda folder: touch(folder, "a.tar", "a.tar.partaa"), "keep one of both"),
        (lambda folder: folder.write_text("x"), "cannot be read"),
    ],
)
def test_wrong_folders_are_named(tmp_path, make, words):
    make(tmp_path / "wrong")
    with pytest.raises(UserError, match=words):
        open_members(tmp_path / "wrong", tmp_path / "elsewhere")
