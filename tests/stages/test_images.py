import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from digit.config import to_dict
from digit.data.index import open_index
from digit.data.store import Store
from digit.errors import UserError
from digit.layout import Layout
from digit.stages.images import images
from digit.stages.index import index


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
    paths[4].write_bytes(content if paths[4].read_bytes()[:400] != content[:400] else b"GIF89a")
    reasons = ["missing", "cut off: no end marker", "empty", "not a JPEG, or cut off in its header", "px, annotated as"]
    return {path.relative_to(folder).as_posix(): reason for path, reason in zip(paths, reasons, strict=False)}


def test_all_damaged_images_are_named_and_nothing_is_left(tiny_release, run_config):
    config = run_config(tiny_release)
    index(config, "val")
    damage = _damage(tiny_release, Layout.of(config).index("val"))
    with pytest.raises(UserError) as caught:
        images(config, "val", 0)
    message = str(caught.value)
    assert message.startswith("5 of 6 images of split val are missing or damaged:\n")
    for name, reason in damage.items():
        (line,) = [line for line in message.splitlines() if name in line]
        assert line.startswith(f"  - {tiny_release}/images/val/{name}: ") and reason in line
    assert "download the images of the 5 fps v1.0" in message and "data.damaged_images: exclude" in message
    assert not any(Layout.of(config).images("val", 0).parent.iterdir())
    images(config, "val", 1)


def test_damaged_images_can_be_left_out_with_their_reason(tiny_release, run_config):
    config = run_config(tiny_release, {"damaged_images": "exclude"})
    index(config, "val")
    damage = _damage(tiny_release, Layout.of(config).index("val"))
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


def test_a_capture_that_is_added_is_all_that_is_read(tiny_release, run_config, edit_json, caplog):
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
    caplog.set_level(logging.INFO, "digit")
    store = run(config)
    assert (
        sum(int(line.split(" of them from before")[0].split()[-1]) for line in caplog.messages if "before" in line) == 5
    )
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
