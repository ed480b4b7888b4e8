"""The batch-wise data set and the order of samples over epochs and processes."""

import pickle
from dataclasses import replace

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader

from digit.config import resolve
from digit.config.presets import PRESETS
from digit.release.interhand import Release
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.augment import no_augmentation
from digit.samples.dataset import EpochSampler, HandDataset, Masks, read_mask, whole_batch
from digit.samples.fits import PAIR, FittedHands
from digit.samples.index import open_index
from digit.samples.opening import open_dataset, open_images
from digit.scoring import truth_of
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts
from digit.store.lmdb_file import LmdbFile
from digit.store.shards import CHECKSUMS_KEY, HEADER_KEY, Store, write_shard

TINY = resolve({"experiments": {"tiny": PRESETS["tiny"] | {"preset": "tiny"}}}).experiments["tiny"]


@pytest.fixture
def config(run_config, tiny_release):
    config = run_config(tiny_release)
    for split in ("train", "val"):
        index(config, split)
        for shard in range(config.data.shards):
            images(config, split, shard)
            parts(config, split, shard)
    return config


def training_data(config):
    return open_dataset(config, "train", TINY.model, augment=TINY.augment, seed=5)[0]


def assert_equal_batches(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, msg=name)


def test_a_batch_has_the_promised_shapes_and_types(config):
    dataset = training_data(config)
    batch = dataset.__getitems__([0, 1, 2])
    size = TINY.model.input_size
    shapes = {
        "image": (3, size, size, 3), "color": (3, 3), "joint_coord": (3, 42, 3), "joint_valid": (3, 42),
        "rel_root_depth": (3, 1), "root_valid": (3, 1), "hand_type": (3, 2), "hand_type_valid": (3, 1),
        "segm": (3, size // 2, size // 2), "segm_valid": (3,), "inv_trans": (3, 2, 3), "row": (3,),
    }  # fmt: skip
    assert {name: tuple(value.shape) for name, value in batch.items()} == shapes
    assert batch["image"].dtype == batch["segm"].dtype == torch.uint8
    assert int(batch["segm"].max()) <= 32


def test_batches_do_not_depend_on_workers_or_grouping(config):
    dataset = training_data(config)
    keys = list(range(len(dataset)))
    whole = dataset.__getitems__(keys)
    for workers in (0, 2):
        loader = DataLoader(dataset, batch_size=5, sampler=keys, collate_fn=whole_batch, num_workers=workers)
        pieces = list(loader)
        joined = {name: torch.cat([piece[name] for piece in pieces]) for name in whole}
        assert_equal_batches(joined, whole)


def test_mixed_spectra_change_pictures_alone_and_do_not_depend_on_grouping(config, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    for k in range(5):
        cv2.imwrite(str(tmp_path / f"{k}.jpg"), noise)
    plain = training_data(config).__getitems__([0, 1, 2, 3])
    changed = []
    for spectra in ((), (str(tmp_path),)):
        augment = replace(TINY.augment, spectrum_mix=0.9, spectra=spectra)
        dataset = open_dataset(config, "train", TINY.model, augment=augment, seed=5)[0]
        mixed = dataset.__getitems__([0, 1, 2, 3])
        assert_equal_batches(mixed | {"image": plain["image"]}, plain)
        assert_equal_batches(
            pickle.loads(pickle.dumps(dataset)).__getitems__([2]), {n: v[2:3] for n, v in mixed.items()}
        )
        changed.append((mixed["image"].float() - plain["image"].float()).abs().mean())
    assert changed[0] > 1 and changed[1] > 1 and changed[0] != changed[1]


def test_an_epoch_draws_new_augmentation_and_a_pickled_data_set_draws_the_same(config):
    dataset = training_data(config)
    first, second = dataset.__getitems__([0]), dataset.__getitems__([len(dataset)])
    assert not torch.equal(first["joint_coord"], second["joint_coord"])
    assert_equal_batches(pickle.loads(pickle.dumps(dataset)).__getitems__([0]), first)


def test_rootnet_boxes_must_be_there(config):
    with pytest.raises(UserError, match="no RootNet entry"):
        open_dataset(config, "train", TINY.model, "rootnet")


def test_missing_stores_name_the_stage_to_run(config):
    Layout.of(config).images("train", 1).unlink()
    with pytest.raises(UserError, match="images"):
        training_data(config).__getitems__(list(range(12)))


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_share_each_global_batch(processes):
    samplers = [EpochSampler(50, 8, seed=3, rank=rank, processes=processes) for rank in range(processes)]
    shares = [np.array(list(sampler)).reshape(len(sampler) * processes // 8, -1) for sampler in samplers]
    alone = np.array(list(EpochSampler(50, 8, seed=3))).reshape(6, 8)
    np.testing.assert_array_equal(np.sort(np.concatenate(shares, axis=1)), np.sort(alone))
    assert len(set(alone.ravel())) == 48


def test_epochs_have_their_own_order():
    sampler = EpochSampler(20, 4, seed=3)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(first) == list(range(20)) and sorted(second) == list(range(20, 40))
    assert [key - 20 for key in second] != first


def test_epochs_that_are_parts_of_a_pass_see_every_sample_once_in_it():
    whole, sampler = EpochSampler(21, 4, seed=3), EpochSampler(21, 4, seed=3, parts=2)
    assert len(sampler) == 8
    passes = []
    for turn in range(2):
        whole.set_epoch(turn)
        shares = []
        for part in range(2):
            sampler.set_epoch(2 * turn + part)
            shares += [np.array(list(sampler)) - sampler.epoch * 21]
        passes.append(np.concatenate(shares))
        assert len(set(passes[-1])) == 16
        np.testing.assert_array_equal(passes[-1], np.array(list(whole))[:16] - turn * 21)
    assert (passes[0] != passes[1]).any()


def test_epochs_of_more_parts_than_batches_still_have_one():
    sampler = EpochSampler(10, 8, seed=3, parts=5)
    sampler.set_epoch(4)
    assert len(sampler) == len(list(sampler)) == 8


@pytest.mark.parametrize("lacking", ["drawn", "accepted"])
def test_masks_are_empty_where_they_do_not_show_the_hands_of_the_sample(config, lacking):
    dataset = training_data(config)
    hands = replace(dataset.masks.hands, **{lacking: np.zeros((len(dataset.index), 2), bool)})
    dataset.masks = replace(dataset.masks, hands=hands)
    batch = dataset.__getitems__([0, 1])
    assert not batch["segm"].any() and not batch["segm_valid"].any()


def test_a_limit_on_fit_errors_only_ever_takes_masks_away():
    """A right hand's mask that shows a left one too does not count, however bad the left one's fit is."""
    drawn = np.array([[True, True], [True, False], [True, False], [True, True], [True, True]])
    accepted = np.array([[True, False], [True, False], [False, False], [True, True], [True, False]])
    masks = Masks(Store("none"), FittedHands(drawn, accepted, []))
    hand_type = np.array([[True, False], [True, False], [True, False], [True, True], [True, True]])
    assert masks.supervise(np.arange(5), hand_type).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((4, 5, 3), 7, np.uint8), r"\(4, 5, 3\) uint8"),
        (np.full((4, 5), 7, np.uint16), "uint16"),
        (np.full((4, 5), 33, np.uint8), "label 33"),
    ],
)
def test_a_picture_that_is_no_mask_is_refused(labels, message):
    with pytest.raises(UserError, match=rf"a/b\.jpg: .*{message}.*digit parts"):
        read_mask(cv2.imencode(".png", labels)[1].tobytes(), "a/b.jpg")


def _copy(config, source, target):
    layout = Layout.of(config)
    content = getattr(layout, source[0])(*source[1:]).read_bytes()
    path = getattr(layout, target[0])(*target[1:])
    path.unlink()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (("parts", "train", 0), ("images", "train", 0), "stage parts, not images"),
        (("images", "train", 0), ("parts", "train", 0), "stage images, not parts"),
        (("images", "val", 0), ("images", "train", 0), "split val, not train"),
        (("images", "train", 0), ("images", "train", 1), "shard 0, not 1"),
        (("parts", "train", 1), ("parts", "train", 0), "shard 1, not 0"),
    ],
)
def test_a_store_of_another_place_is_refused(config, source, target, message):
    path = _copy(config, source, target)
    with pytest.raises(UserError, match=message) as caught:
        training_data(config)
    again = f"run `digit {target[0]} --split train --shard {target[2]}` again"
    assert str(path) in str(caught.value) and again in str(caught.value)


def test_stores_of_another_number_of_shards_or_another_index_are_refused(config, run_config, larger_release):
    images(replace(config, data=replace(config.data, shards=3)), "train", 0)
    with pytest.raises(UserError, match="shards 3, not 2"):
        training_data(config)
    images(config, "train", 0)
    training_data(config)
    index(run_config(larger_release), "train")
    with pytest.raises(UserError, match=r"knows 6 samples, by the index there are 4\d, so it was made from other"):
        training_data(config)


def test_a_store_and_a_table_that_were_not_made_together_are_refused(config, edit_json):
    layout = Layout.of(config)
    table = layout.fit("train", 1).read_bytes()

    def move(cameras):
        for camera in cameras.values():
            camera["princpt"] = {name: [x + 3, y] for name, (x, y) in camera["princpt"].items()}

    edit_json(Release.of(config).annotation("train", "camera"), move)
    index(config, "train")
    parts(config, "train", 1)
    training_data(config)
    layout.fit("train", 1).write_bytes(table)
    with pytest.raises(UserError, match=r"1\.lmdb and 1\.fit\.parquet .* not made together; run `digit parts"):
        training_data(config)


def test_a_store_and_a_table_from_before_there_was_a_pair_are_read(config):
    layout, whole = Layout.of(config), training_data(config).__getitems__([0, 1])
    for shard in range(2):
        store = Store(layout.parts("train", shard))
        header = {key: value for key, value in store.header.items() if key != PAIR}
        write_shard(layout.parts("train", shard), [(name, store.get(name)) for name in store.keys()], header)  # noqa: SIM118
        table = pq.read_table(layout.fit("train", shard))
        pq.write_table(table.replace_schema_metadata({"digit": "old"}), layout.fit("train", shard))
    assert_equal_batches(training_data(config).__getitems__([0, 1]), whole)


def test_stores_are_closed_when_workers_start(config):
    dataset = training_data(config)
    assert not dataset.images.is_open and not dataset.masks.store.is_open
    dataset.images.get(dataset.index.keys()[0])
    assert dataset.images.is_open


def test_each_file_is_looked_up_in_one_shard(config, monkeypatch):
    dataset, asked = training_data(config), []
    find = LmdbFile.get
    monkeypatch.setattr(LmdbFile, "get", lambda file, name: (asked.append(name), find(file, name))[1])
    batch = dataset.__getitems__(list(range(len(dataset))))
    looked_up = [name for name in asked if name not in (HEADER_KEY, CHECKSUMS_KEY)]
    assert len(looked_up) == len(dataset) + int(batch["segm_valid"].sum())


def test_what_no_camera_sees_is_not_valid_and_finite(run_config, tiny_release, edit_json):
    def move(document):
        world = document["0"]["90"]["world_coord"]
        world[20] = [0.0, 5.0, -1000.0]  # in the first camera
        world[21:] = [[x, y, z - 3000] for x, y, z in world[21:]]

    edit_json(Release(tiny_release).annotation("train", "joint_3d"), move)
    edit_json(Release(tiny_release).annotation("train", "MANO_NeuralAnnot"), lambda document: document["0"].pop("90"))
    config = run_config(tiny_release, {"shards": 1})
    index(config, "train")
    images(config, "train", 0)
    tables = open_index(Layout.of(config).index("train"))
    rows = np.arange(len(tables))
    moved = (tables.capture == 0) & (tables.frame == 90)
    _, seen = tables.seen_joints(rows)
    assert not seen[moved, 21:].any() and not seen[np.flatnonzero(moved)[0], 20]
    assert (seen[~moved] == tables.joint_valid[~moved]).all()
    dataset = HandDataset(tables, open_images(config, tables), TINY.model, rows, augment=TINY.augment)
    for batch in (dataset.assemble(rows, no_augmentation(len(rows))), dataset.__getitems__(rows.tolist())):
        assert all(value.isfinite().all() for value in batch.values())
    upright = dataset.assemble(rows, no_augmentation(len(rows)))
    assert not upright["joint_valid"][moved][:, 21:].any() and not upright["root_valid"][moved].any()
    assert not upright["joint_valid"][int(np.flatnonzero(moved)[0])].any()
    np.testing.assert_array_equal(truth_of(tables, rows, "gt").joint_valid, seen)
