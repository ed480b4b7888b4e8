"""What check says about an archive that is not what it should be."""

import shutil

import pytest

from bench.released import BATCH, image_members, member, write_checksums, write_pieces
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.stages.check import check
from digit.stages.images import images
from digit.stages.index import index
from digit.store.shards import Store


@pytest.fixture
def config(archive, tiny_release, run_config):
    """A run on the archive alone: the unpacked images are gone."""
    shutil.rmtree(tiny_release / "images")
    return run_config(tiny_release, {"image_archive": str(archive), "check_images": 0})


def pieces(archive):
    return sorted(archive.glob("*.part??"))


def failure_of(config, split="val"):
    with pytest.raises(UserError) as caught:
        check(config, split)
    return str(caught.value)


def failures_of(config):
    """Messages of the splits that fail, and the number of those that pass."""
    messages, passed = [], 0
    for split in ("train", "val", "test"):
        try:
            check(config, split)
            passed += 1
        except UserError as error:
            messages.append(str(error))
    return messages, passed


def test_a_sound_archive_passes_and_is_summed_once(config, archive, caplog):
    caplog.set_level("INFO", "digit")
    check(config, "val")
    check(config, "train")
    assert caplog.text.count(f"verifying {archive}: 6 of 6") == 1 and "WARNING" not in caplog.text


def test_a_missing_piece_is_named_with_what_it_holds(config, archive):
    gone = pieces(archive)[2]
    gone.unlink()
    messages, passed = failures_of(config)
    assert messages and passed, "a split that lies in other pieces can be used"
    for message in messages:
        assert f"pieces are missing (1: {gone.name}, images after " in message and " and before " in message
        assert "images are missing" in message and "Capture" in message


def test_the_last_piece_is_missed_by_the_checksum_file_or_by_the_end_of_the_tar(config, archive):
    pieces(archive)[-1].unlink()
    messages, _ = failures_of(config)
    assert any("pieces are missing (1: " in message and "partaf" in message for message in messages)
    next(archive.glob("*.CHECKSUM")).unlink()
    messages, _ = failures_of(config)
    assert any("the tar does not end with its last piece" in message for message in messages)


@pytest.mark.parametrize("sums", [True, False])
def test_a_short_piece(config, archive, sums):
    short = pieces(archive)[1]
    short.write_bytes(short.read_bytes()[:15_000])
    if not sums:
        next(archive.glob("*.CHECKSUM")).unlink()
    messages, _ = failures_of(config)
    words = "is damaged (MD5 " if sums else "of 15,000 bytes instead of 20,011"
    assert messages and all(f"{short.name} {words}" in message and "Capture" in message for message in messages)


@pytest.mark.parametrize("sums", [True, False])
def test_swapped_pieces(config, archive, sums):
    first, second = pieces(archive)[1:3]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    if not sums:
        next(archive.glob("*.CHECKSUM")).unlink()
    messages, _ = failures_of(config)
    assert messages
    for message in messages:
        if sums:
            assert f"{first.name} holds {second.name}, which holds " in message
        else:
            assert "pieces do not continue each other" in message and f"{first.name} and {second.name}" in message


def test_a_changed_byte_is_found_by_its_sum_alone(config, archive):
    damaged = pieces(archive)[3]
    content = bytearray(damaged.read_bytes())
    content[9000] ^= 1
    damaged.write_bytes(content)
    messages, _ = failures_of(config)
    assert messages and all(f"{damaged.name} is damaged (MD5 " in message for message in messages)


def test_without_sums_a_lost_header_is_named(config, archive, caplog):
    next(archive.glob("*.CHECKSUM")).unlink()
    piece = pieces(archive)[2]
    content = bytearray(piece.read_bytes())
    place = content.index(b"ustar") - 257
    content[place : place + 512] = b"x" * 512
    piece.write_bytes(content)
    messages, _ = failures_of(config)
    assert any("there is no header where one should be" in m or "do not continue" in m for m in messages)
    assert "has no checksum file, so damage inside the pieces goes unnoticed" in caplog.text


def test_hostile_and_foreign_members_are_named_and_change_nothing(tiny_release, run_config, tmp_path, caplog):
    extra = [
        (member("/etc/passwd", 4), b"root"),
        (member(f"{BATCH}/../../escape.jpg", 2), b"hi"),
        (member(f"{BATCH}/images/val/Capture9/more.jpg", 2), b"hi"),
        (member("README", 2), b"hi"),
    ]
    link = member(f"{BATCH}/images/val/Capture9/link.jpg", kind=b"2")
    link.linkname = "/etc/passwd"
    folder = tmp_path / "pieces"
    members = [*extra, (link, b""), *image_members(tiny_release)]
    write_checksums(folder, write_pieces(folder, 20_011, members))
    check(run_config(tiny_release, {"image_archive": str(folder)}), "val")
    for words in ("/etc/passwd: an absolute path", "escape.jpg: a path that leaves", "link.jpg: a symbolic link"):
        assert words in caplog.text
    assert "images that no annotation names (1: val/Capture9/more.jpg)" in caplog.text
    assert not list(tmp_path.rglob("escape*"))


def test_images_that_the_archive_lacks_are_left_out_or_fail_as_in_a_folder(tiny_release, run_config, tmp_path):
    lost = sorted((tiny_release / "images" / "val").rglob("*.jpg"))[3]
    lost.unlink()
    write_pieces(tmp_path / "pieces", 20_011, image_members(tiny_release))
    messages, headers = [], []
    for where in ({}, {"image_archive": str(tmp_path / "pieces")}):
        config = run_config(tiny_release, where, run=f"fail-{len(where)}")
        messages.append(failure_of(config))
        config = run_config(tiny_release, where | {"damaged_images": "exclude", "shards": 1}, run=f"leave-{len(where)}")
        check(config, "val")
        index(config, "val")
        images(config, "val", 0)
        headers.append(Store([Layout.of(config).images("val", 0)]).header)
    name = lost.relative_to(tiny_release / "images" / "val").as_posix()
    assert all(f"images are missing (1: {name})" in message for message in messages)
    assert headers[0] == headers[1] and headers[0]["excluded"] == {name: "missing"}
    assert "run `digit download`" in messages[1] and "download" in messages[0]


def test_an_archive_of_another_release_is_in_doubt(tiny_release, run_config, tmp_path):
    others = {f"val/Capture5/{k}.jpg": b"x" * 100 for k in range(9)}
    members = [(member(f"{BATCH}/images/{name}", 100), content) for name, content in others.items()]
    write_pieces(tmp_path / "pieces", 20_011, members)
    data = {"image_archive": str(tmp_path / "pieces"), "damaged_images": "exclude"}
    message = failure_of(run_config(tiny_release, data))
    assert "images are missing (12:" in message and "is data.image_archive (" in message


def test_another_folder_is_named(tiny_release, run_config, tmp_path):
    message = failure_of(run_config(tiny_release, {"image_archive": str(tiny_release)}))
    assert "holds no piece of the images' tar" in message and "set data.root to the folder above images/" in message
    message = failure_of(run_config(tiny_release, {"image_archive": str(tmp_path / "nowhere")}))
    assert "nowhere: cannot be read (No such file or directory); set data.image_archive" in message


def test_what_has_not_changed_is_taken_from_before(archive, tiny_release, run_config, caplog):
    caplog.set_level("INFO", "digit")
    config = run_config(tiny_release, {"image_archive": str(archive), "shards": 1})
    index(config, "val")
    images(config, "val", 0)
    images(config, "val", 0)
    assert "nothing has changed" in caplog.text
    piece = pieces(archive)[2]
    piece.write_bytes(piece.read_bytes())
    caplog.clear()
    images(config, "val", 0)
    (line,) = [line for line in caplog.messages if "of them from before" in line]
    assert "12 images" in line and ", 12 of them" not in line
