"""Annotation files as people's own scripts leave them: the stages give the right answer or say what is wrong.

Each example changes one file of a small sound data set and takes it through check, index, images, one batch, the
losses and the metrics. Whatever the change: never a traceback, never NaN, and no other answer without a word.
DIGIT_MUTATIONS=1000 tries as many.
"""

import json
import logging
import os
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from digit import scoring
from digit.config import LossSettings, resolve
from digit.metrics import Space
from digit.model.inference import Outputs
from digit.model.losses import digit_losses
from digit.model.network import Prediction
from digit.release.interhand import Release
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.dataset import HandDataset
from digit.samples.index import open_index
from digit.samples.opening import open_images
from digit.skeleton import LABEL_COUNT
from digit.stages.check import check
from digit.stages.images import images
from digit.stages.index import index

EXAMPLES = int(os.environ.get("DIGIT_MUTATIONS", "12"))
KINDS = ("data", "camera", "joint_3d", "MANO_NeuralAnnot", "rootnet")
VALUES = ["NaN", "-Infinity", "Infinity", "null", "1e300", "-1e300", "1e999", "1e9", "-1e9", "12345678", "-7e5", '"90"']
VALUES += ["[]", "{}", "true", '""', '"\\u0000"', str(2**63), str(2**31), '"../x"', '"a\\\\b"', '"' + "ä" * 300 + '"']
QUIET_KEYS = {"joint_valid", "hand_type", "hand_type_valid", "subject", "seq_name", "id"}
"""Keys that say something of their own, so that another value there is another sound answer."""
FACTORS = {"joint_3d": "world_coord", "camera": "campos", "MANO_NeuralAnnot": "trans", "rootnet": "abs_depth"}
HOLE = "the place of the value"


def leaves(node, path=()):
    """Paths of all values that are no containers."""
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(child, (*path, key))
    else:
        yield path


def at(node, path):
    for key in path:
        node = node[key]
    return node


def changed_text(kind: str, document, mutation: str, draw: random.Random) -> tuple[bytes, bool]:
    """The changed file, and whether it may give another answer without a word."""
    path = draw.choice(list(leaves(document)))
    if mutation == "value":
        key = next(key for key in reversed(path) if isinstance(key, str))
        holder = at(document, path[:-1])
        holder[path[-1]] = HOLE
        value = draw.choice(VALUES)
        return json.dumps(document).replace(f'"{HOLE}"', value).encode(), key in QUIET_KEYS
    if mutation == "missing":
        depth = draw.randrange(1, len(path) + 1)
        holder = at(document, path[: depth - 1])
        del holder[path[depth - 1]]
        no_fit = kind == "MANO_NeuralAnnot" and depth <= 3  # a capture, frame or hand may have none
        return json.dumps(document).encode(), no_fit or any(key in QUIET_KEYS for key in path[:depth])
    if mutation == "twice":
        depth = draw.randrange(1, len(path) + 1)
        holder, key = at(document, path[: depth - 1]), path[depth - 1]
        if isinstance(holder, list):
            holder.insert(key, holder[key])
            return json.dumps(document).encode(), True
        holder[HOLE] = holder[key]
        return json.dumps(document).replace(json.dumps(HOLE), json.dumps(key)).encode(), True
    if mutation == "order":
        return json.dumps(shuffled(document, draw), indent=draw.choice([None, 1])).encode(), False
    if mutation == "unit":
        factor, name = draw.choice([1e-3, 1e-2, 0.1, 1e3, 10, 1 / 25.4]), FACTORS.get(kind, "bbox")
        for place in leaves(document):
            if name in place:
                at(document, place[:-1])[place[-1]] *= factor
        return json.dumps(document).encode(), False
    if mutation == "encoding":
        return json.dumps(document).encode(
            draw.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"])
        ), False
    content = json.dumps(document).encode()
    place = draw.randrange(len(content))
    return (content[:place] if mutation == "cut" else content[:place] + b"\xe4" + content[place:]), False


def shuffled(node, draw):
    """The same records in another order; numbers within lists stay where they are."""
    if isinstance(node, dict):
        keys = draw.sample(list(node), len(node))
        return {key: shuffled(node[key], draw) for key in keys}
    if isinstance(node, list) and node and isinstance(node[0], dict):
        return [shuffled(child, draw) for child in draw.sample(node, len(node))]
    return node


def answer_of(root: Path, folder: Path) -> dict[str, np.ndarray]:
    """What a data set comes to: one batch, its losses and its metrics, by file name; all of it finite."""
    data = {"source": "interhand", "root": str(root), "shards": 1}
    config = resolve({"run": {"folder": str(folder)}, "data": data, "experiments": {"tiny": {"preset": "tiny"}}})
    check(config, "val")
    index(config, "val")
    images(config, "val", 0)
    model = config.experiments["tiny"].model
    tables = open_index(Layout.of(config).index("val"))
    dataset = HandDataset(tables, open_images(config, tables), model, tables.protocol_order(), root_depth="rootnet")
    order = np.argsort(tables.keys(dataset.rows))
    batch = dataset.__getitems__(order.tolist())
    count, size = len(dataset), model.input_size // 2
    generator = torch.Generator().manual_seed(0)
    xyz = (torch.rand(count, 42, 3, generator=generator) * model.heatmap_size).requires_grad_()
    segm_logits = torch.zeros(count, LABEL_COUNT, size, size)
    prediction = Prediction(
        xyz, torch.full((count, 1), 30.0), torch.zeros(count, 2), segm_logits, torch.zeros(count, 42)
    )
    losses = digit_losses(prediction, batch, LossSettings())
    sum(losses.values()).backward()
    zeros = np.zeros((count, LABEL_COUNT - 1))
    outputs = Outputs(
        row=batch["row"].numpy(),
        joint_coord=xyz.detach().numpy(),
        rel_root_depth=np.full((count, 1), 30.0),
        hand_type=np.full((count, 2), 0.7),
        inv_trans=batch["inv_trans"].numpy(),
        segm_confusion=np.zeros((LABEL_COUNT, LABEL_COUNT)),
        overlap_px=zeros,
        union_px=zeros,
    )
    scores = scoring.score(outputs, tables, "rootnet", Space.of(model), scoring.constant_of(tables), 5, 1)
    json.dumps(scores, allow_nan=False)
    answer = {name: value.numpy() for name, value in batch.items() if name != "row"}
    answer |= {name: loss.detach().numpy() for name, loss in losses.items()} | {"gradient": xyz.grad.numpy()}
    assert all(np.isfinite(value).all() for value in answer.values())
    frames = tables.frame_row[dataset.rows[order]]
    fits = {name: getattr(tables, name)[frames] for name in ("mano_pose", "mano_shape", "mano_trans_m", "mano_valid")}
    return answer | fits | {"mpjpe": np.array(scores["metrics"]["mpjpe_all"] or 0.0)}


@pytest.fixture(scope="module")
def sound_answer(synthetic_root, tmp_path_factory):
    return answer_of(synthetic_root, tmp_path_factory.mktemp("sound"))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 100,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    kind=st.sampled_from(KINDS),
    mutation=st.sampled_from(
        ["value", "value", "value", "missing", "twice", "order", "unit", "encoding", "cut", "byte"]
    ),
    seed=st.integers(0, 1 << 30),
)
def test_a_changed_file_gives_the_same_answer_or_a_message(synthetic_root, sound_answer, caplog, kind, mutation, seed):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        shutil.copytree(synthetic_root, root)
        release = Release(root)
        path = release.rootnet("val") if kind == "rootnet" else release.annotation("val", kind)
        content, quiet = changed_text(kind, json.loads(path.read_text()), mutation, random.Random(seed))
        path.write_bytes(content)
        caplog.clear()
        try:
            with caplog.at_level(logging.WARNING, "digit"):
                answer = answer_of(root, Path(folder))
        except UserError as error:
            said = str(error)
            assert str(root) in said and ("; " in said or "set " in said), said
            assert "raceback" not in said
            if mutation in ("value", "cut", "byte", "encoding", "unit"):
                assert any(words in said for words in (path.name, "images are", "lacks results of samples")), said
            return
        different = [name for name, value in answer.items() if not same(value, sound_answer[name])]
        if different == ["joint_coord"]:  # the losses are the same: a joint moved that is not valid
            different = []
        assert quiet or not different or caplog.records, (different, content[:2000])


def same(one, other):
    """Equal, where the mistake of one number in its last place is none."""
    return np.shape(one) == np.shape(other) and np.allclose(one, other, atol=1e-3)
