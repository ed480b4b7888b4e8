import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from digit.config import to_dict
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.index import open_index
from digit.stages.check import check
from digit.stages.images import images
from digit.stages.index import index
from digit.store.image_source import ImageFolder
from digit.store.jpeg import jpeg_size
from digit.store.shards import Store


def run(config, split="val"):
    index(config, split)
    for shard in range(config.data.shards):
        images(config, split, shard)
    return Store([Layout.of(config).images(split, shard) for shard in range(config.data.shards)])


@pytest.mark.parametrize("folder", ["tiny_release", "mini_release"])
@pytest.mark.parametrize("shards", [1, 3, 20])
def test_every_image_is_stored_as_it_is(request, run_config, folder, shards):
    root = request.getfixturevalue(folder)
    config = run_config(root, {"shards": shards})
    store = run(config)
    tables = open_index(Layout.of(config).index("val"))
    assert sorted(store.keys()) == sorted(tables.keys())
    for key in tables.keys():  # noqa: SIM118
        assert store.get(key) == (root / "images" / "val" / key).read_bytes()
    for shard, header in enumerate(store.headers):
        assert (header["stage"], header["split"], header["shard"], header["shards"]) == ("images", "val", shard, shards)
        assert header["count"] == len(tables.shard_rows(shards, shard))


def _damage(root, index):
    """Damage five images of shard 0 in five ways; their names with what should be said of each."""
    folder = root / "images" / "val"
    paths = [folder / name for name in open_index(index).keys(open_index(index).shard_rows(2, 0))]
    content = paths[1].read_bytes()
    paths[0].unlink()
    paths[1].write_bytes(content[: len(content) // 2])
    paths[2].write_bytes(b"")
    paths[3].write_bytes(content[:30])
    paths[4] = next(path for path in paths[4:] if jpeg_size(path.read_bytes()) != jpeg_size(content))
    paths[4].write_bytes(content)
    reasons = ["missing", "cut off: no end marker", "empty", "not a JPEG, or cut off in its header", "px, annotated as"]
    return {path.relative_to(folder).as_posix(): reason for path, reason in zip(paths, reasons, strict=False)}


def test_all_damaged_images_are_named_and_nothing_is_left(larger_release, run_config):
    config = run_config(larger_release)
    index(config, "val")
    damage = _damage(larger_release, Layout.of(config).index("val"))
    with pytest.raises(UserError) as caught:
        images(config, "val", 0)
    message = str(caught.value)
    assert message.startswith("5 of 45 images of split val are missing or damaged:\n")
    for name, reason in damage.items():
        (line,) = [line for line in message.splitlines() if name in line]
        assert line.startswith(f"  - {larger_release}/images/val/{name}: ") and reason in line
    assert "download the images of the 5 fps v1.0" in message and "data.damaged_images: exclude" in message
    assert not any(Layout.of(config).images("val", 0).parent.iterdir())
    images(config, "val", 1)


def test_damaged_images_can_be_left_out_with_their_reason(larger_release, run_config):
    config = run_config(larger_release, {"damaged_images": "exclude"})
    index(config, "val")
    damage = _damage(larger_release, Layout.of(config).index("val"))
    store = run(config)
    excluded = store.excluded()
    assert excluded.keys() == damage.keys()
    assert all(damage[name] in excluded[name] for name in damage)
    tables = open_index(Layout.of(config).index("val"))
    assert set(store.keys()) == set(tables.keys()) - set(damage)


def test_a_long_list_of_missing_images_is_shortened(larger_release, run_config):
    config = run_config(larger_release, {"shards": 1})
    index(config, "val")
    for path in (larger_release / "images" / "val").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(UserError, match=r"90 of 90 images .*(\n  - .*){50}\n  \.\.\. and 40 more\n"):
        images(config, "val", 0)


def test_a_shard_that_is_not_planned_is_refused(tiny_release, run_config):
    config = run_config(tiny_release)
    index(config, "val")
    with pytest.raises(UserError, match=r"data\.shards is 2"):
        images(config, "val", 2)


def test_images_asks_for_the_index(tiny_release, run_config):
    with pytest.raises(UserError, match="digit index --split val"):
        images(run_config(tiny_release), "val", 0)


def test_a_killed_run_leaves_nothing_and_the_next_one_completes(larger_release, run_config):
    """The last image is a pipe that nobody writes to, so the stage is surely in the middle when it is killed."""
    config = run_config(larger_release, {"shards": 1}, run="killed")
    whole = run(run_config(larger_release, {"shards": 1}, run="whole"))
    index(config, "val")
    last = larger_release / "images" / "val" / whole.keys()[-1]
    content = last.read_bytes()
    last.unlink()
    os.mkfifo(last)
    code = (
        "import json, sys; from digit.config import resolve; from digit.stages.images import images;"
        "images(resolve(json.loads(sys.argv[1])), 'val', 0)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, json.dumps(to_dict(config))])
    path = Layout.of(config).images("val", 0)
    partial = path.with_name(f".{path.name}.partial")
    deadline = time.monotonic() + 30
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert partial.exists() and not path.exists()
    last.unlink()
    last.write_bytes(content)
    images(config, "val", 0)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".previous", "0.lmdb"]
    assert path.read_bytes() == whole.paths[0].read_bytes()
    store = Store(path)
    assert {key: store.get(key) for key in store.keys()} == {key: whole.get(key) for key in whole.keys()}  # noqa: SIM118


def test_a_capture_that_is_added_is_all_that_is_read(tiny_release, run_config, edit_json, monkeypatch):
    """Also when the outputs are gone, as Snakemake removes them before it runs a job again."""
    data = tiny_release / "annotations" / "val" / "InterHand2.6M_val_data.json"
    whole = run(run_config(tiny_release, run="whole"))
    complete = data.read_bytes()
    edit_json(data, lambda document: [_keep_capture(document[part], document["images"]) for part in document])
    config = run_config(tiny_release)
    assert len(run(config)) == 6
    data.write_bytes(complete)
    changed = tiny_release / "images" / "val" / whole.keys()[0]
    changed.write_bytes(changed.read_bytes())
    for shard in range(2):
        Layout.of(config).images("val", shard).unlink()
    were_read, read = [], ImageFolder.read
    monkeypatch.setattr(ImageFolder, "read", lambda folder, name: (were_read.append(name), read(folder, name))[1])
    store = run(config)
    assert whole.keys()[0] in were_read and len(were_read) == len(store) - 5
    assert [path.read_bytes() for path in store.paths] == [path.read_bytes() for path in whole.paths]


def _keep_capture(records, images):
    kept = {image["id"] for image in images if image["capture"] == 0}
    records[:] = [record for record in records if record.get("image_id", record["id"]) in kept]


def test_a_damaged_earlier_shard_is_of_no_consequence(tiny_release, run_config):
    config = run_config(tiny_release)
    whole = run(config)
    expected = [path.read_bytes() for path in whole.paths]
    for path in whole.paths:
        kept = path.parent / ".previous" / path.name
        path.unlink()
        kept.write_bytes(kept.read_bytes()[:5000])
    assert [path.read_bytes() for path in run(config).paths] == expected


def _damage_inside(path):
    """Half of the pixels are gone between two sound ends: libjpeg patches them up."""
    content = path.read_bytes()
    path.write_bytes(content[: (content.index(b"\xff\xda") + len(content)) // 2] + content[-2:])


def test_what_check_found_damaged_inside_is_left_out(tiny_release, run_config, caplog):
    exclude, fail = (run_config(tiny_release, {"check_images": 0, "damaged_images": w}) for w in ("exclude", "fail"))
    path = sorted((tiny_release / "images" / "val").rglob("*.jpg"))[3]
    name, sound = path.relative_to(tiny_release / "images" / "val").as_posix(), path.read_bytes()
    _damage_inside(path)
    caplog.set_level(logging.INFO, "digit")
    store = run(exclude)
    assert name in store.keys() and caplog.text.count("damage inside files goes unnoticed") == 2  # noqa: SIM118
    store.close()
    check(exclude, "val")
    assert "1 of these damaged images are packed already" in caplog.text
    store = run(exclude)
    ((left_out, reason),) = store.excluded().items()
    assert left_out == name and reason.startswith("does not decode: Corrupt JPEG data") and len(store) == 11
    store.close()
    with pytest.raises(UserError, match=f"{name}: does not decode"):
        run(fail)
    path.write_bytes(sound)
    assert run(fail).get(name) == sound


def test_only_missing_files_and_their_content_count_as_damage(tiny_release, run_config, monkeypatch):
    config = run_config(tiny_release, {"damaged_images": "exclude"})
    path = min((tiny_release / "images" / "val").rglob("*.jpg"))
    path.unlink()
    path.mkdir()
    assert list(run(config).excluded().values()) == ["a folder, not a file"]
    before, opened = [Layout.of(config).images("val", k).read_bytes() for k in range(2)], os.open
    for number in (errno.EIO, errno.EMFILE, errno.EACCES, errno.ESTALE):

        def refuse(file, *arguments, number=number, **options):
            if str(file) == str(path):
                raise OSError(number, os.strerror(number), file)
            return opened(file, *arguments, **options)

        monkeypatch.setattr(os, "open", refuse)
        shutil.rmtree(Layout.of(config).images("val", 0).parent / ".previous", ignore_errors=True)
        with pytest.raises(UserError, match=f"{path.name}: cannot be read .{os.strerror(number)}.*no damage"):
            run(config)
        monkeypatch.setattr(os, "open", opened)
    assert [Layout.of(config).images("val", k).read_bytes() for k in range(2)] == before


def test_a_folder_without_its_images_is_never_a_success(tiny_release, run_config):
    config = run_config(tiny_release, {"damaged_images": "exclude"})
    folder = tiny_release / "images" / "val"
    index(config, "val")
    for path in folder.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(UserError, match=r"6 of 6 .*missing(.|\n)*is data\.root .* the right folder"):
        images(config, "val", 0)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match=r"this folder does not exist; is data\.root right"):
        images(config, "val", 0)


def _differing(config, root):
    store = Store([Layout.of(config).images("val", shard) for shard in range(config.data.shards)])
    return [name for name in store.keys() if store.get(name) != (root / "images/val" / name).read_bytes()]  # noqa: SIM118


def _change(path):
    """Other content of the same size."""
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def test_another_data_root_is_read_even_when_it_is_older(tiny_release, run_config, tmp_path):
    shutil.copytree(tiny_release, tmp_path / "other")
    for path in (tmp_path / "other" / "images" / "val").rglob("*.jpg"):
        _change(path)
    run(run_config(tiny_release))
    second = run_config(tmp_path / "other")
    run(second)
    assert _differing(second, tmp_path / "other") == []


@pytest.mark.parametrize("how", ["touched", "copied", "changed while the job ran"])
def test_a_file_that_changed_is_read_again(tiny_release, run_config, tmp_path, monkeypatch, how):
    config = run_config(tiny_release)
    path = min((tiny_release / "images" / "val").rglob("*.jpg"))
    if how == "changed while the job ran":
        with monkeypatch.context() as patch:
            write = images.__globals__["write_shard"]
            patch.setitem(images.__globals__, "write_shard", lambda *a: (write(*a), time.sleep(0.02), _change(path))[0])
            run(config)
    else:
        run(config)
        time.sleep(0.02)
        _change(path)
    store = Layout.of(config).images("val", 0)
    if how == "touched":
        os.utime(store)
    if how == "copied":
        shutil.copytree(store.parent, tmp_path / "copy", copy_function=shutil.copyfile)
        shutil.rmtree(store.parent)
        (tmp_path / "copy").rename(store.parent)
    run(config)
    assert _differing(config, tiny_release) == []


def test_a_shard_of_unchanged_files_is_not_written_again(tiny_release, run_config):
    """It is the same file under its name again, but newer than the job's inputs, as Snakemake needs it."""
    config = run_config(tiny_release, {"damaged_images": "exclude"})
    gone = min((tiny_release / "images" / "val").rglob("*.jpg"))
    content = gone.read_bytes()
    gone.unlink()
    paths = run(config).paths
    before = [(path.stat().st_ino, path.read_bytes()) for path in paths]
    for path in paths:
        path.unlink()
    start, _ = time.time_ns(), time.sleep(0.02)
    for _ in range(2):
        store = run(config)
        assert [(path.stat().st_ino, path.read_bytes()) for path in paths] == before
        assert min(path.stat().st_mtime_ns for path in paths) > start and len(store.excluded()) == 1
    with pytest.raises(UserError, match="1 of 6 images"):
        run(run_config(tiny_release))
    gone.write_bytes(content)
    assert run(config).excluded() == {}


def test_a_byte_that_changed_in_the_earlier_shard_is_not_linked_back(tiny_release, run_config):
    config = run_config(tiny_release)
    path, other = run(config).paths
    whole = path.read_bytes()
    name = Store(path).keys()[0]
    start = whole.index((tiny_release / "images" / "val" / name).read_bytes()[:200])
    with path.open("r+b") as file:
        file.seek(start + 150)
        file.write(bytes([whole[start + 150] ^ 1]))
    path.unlink()
    run(config)
    assert path.read_bytes() == whole and other.exists()


def test_an_earlier_shard_that_kills_the_job_is_gone_when_it_is_tried_again(tiny_release, run_config):
    config = run_config(tiny_release, {"shards": 1})
    (path,) = run(config).paths
    whole = path.read_bytes()
    path.unlink()
    code = (
        "import json, os, sys; from digit.config import resolve; from digit.stages.images import images;"
        "from digit.store.shards import Store; Store.get = Store.find = lambda *a: os.kill(os.getpid(), 7);"
        "images(resolve(json.loads(sys.argv[1])), 'val', 0)"
    )
    killed = subprocess.run([sys.executable, "-c", code, json.dumps(to_dict(config))], check=False, timeout=60)
    assert killed.returncode == -signal.SIGBUS
    images(config, "val", 0)
    assert path.read_bytes() == whole
    assert sorted(p.name for p in path.parent.rglob("*")) == [".previous", "0.lmdb", "0.lmdb", "0.lmdb.sources"]


def test_surplus_shards_are_removed(tiny_release, run_config):
    run(run_config(tiny_release, {"shards": 5}))
    other = run(run_config(tiny_release, {"shards": 12}, run="other")).paths
    few = run(run_config(tiny_release, {"shards": 2})).paths
    names = sorted(path.name for path in few[0].parent.rglob("*.*"))
    assert names == [".previous", "0.lmdb", "0.lmdb", "0.lmdb.sources", "1.lmdb", "1.lmdb", "1.lmdb.sources"]
    assert all(path.exists() for path in other)
