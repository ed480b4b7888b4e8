import cv2
import numpy as np
import pytest

from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.index import open_index
from digit.stages.parts import parts
from digit.stages.sheet import contact_sheet
from digit.store.shards import Store, write_shard
from tests.stages.fitted import make_config


@pytest.fixture
def pictured(tmp_path, spoilt):
    """A configuration with masks in two shards and grey images, one of which was left out."""
    config = make_config(tmp_path, spoilt, shards=2, max_fit_error_mm=40.0)
    layout = Layout.of(config)
    index = open_index(layout.index("train"))
    for shard in range(2):
        parts(config, "train", shard)
        rows = [row for row in index.shard_rows(2, shard) if row != 0]
        jpegs = {
            index.keys()[row]: cv2.imencode(".jpg", np.full((index.height[row], index.width[row]), 90, np.uint8))[1]
            for row in rows
        }
        items = sorted((name, jpeg.tobytes()) for name, jpeg in jpegs.items())
        left_out = dict.fromkeys(set(index.keys(index.shard_rows(2, shard))) - set(jpegs), "cut off")
        header = {"stage": "images", "split": "train", "shard": shard, "shards": 2, "excluded": left_out}
        write_shard(layout.images("train", shard), items, header)
    return config


def test_contact_sheet_shows_masks_and_explains_itself(pictured):
    contact_sheet(pictured, "train")
    path = Layout.of(pictured).contact_sheet("train")
    sheet = cv2.imread(str(path))
    assert path.stat().st_size <= 2_500_000 and sheet.shape[1] > 1200 and sheet.shape[0] > 1000
    first = path.read_bytes()
    contact_sheet(pictured, "train")
    assert path.read_bytes() == first


def test_contact_sheet_names_what_is_missing(pictured):
    layout = Layout.of(pictured)
    table, masks = layout.fit("train", 1).read_bytes(), Store(layout.parts("train", 1))
    layout.fit("train", 1).write_bytes(b"PAR1 cut off")
    with pytest.raises(UserError, match=r"1\.fit\.parquet: missing or damaged"):
        contact_sheet(pictured, "train")
    layout.fit("train", 1).write_bytes(layout.fit("train", 0).read_bytes())
    with pytest.raises(UserError, match="the index has 24"):
        contact_sheet(pictured, "train")
    layout.fit("train", 1).write_bytes(table)
    items = [(name, masks.get(name)) for name in masks.keys()]  # noqa: SIM118
    write_shard(layout.parts("train", 1), items, masks.header | {"pair": "another"})
    with pytest.raises(UserError, match="not made together"):
        contact_sheet(pictured, "train")
    layout.parts("train", 1).unlink()
    with pytest.raises(UserError, match="does not exist"):
        contact_sheet(pictured, "train")
    assert not layout.contact_sheet("train").exists()
