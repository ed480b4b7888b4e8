import shutil

import pytest

from bench.released import write_release
from digit.run.layout import Layout
from digit.stages.check import check
from digit.stages.images import images
from digit.stages.index import index


@pytest.mark.parametrize("piece_bytes", [10_007, 512, 1 << 30])
def test_stores_from_the_archive_and_from_the_folder_are_the_same(tiny_release, run_config, tmp_path, piece_bytes):
    write_release(tiny_release, tmp_path / "pieces", max(piece_bytes, 700))
    unpacked = run_config(tiny_release, run="unpacked")
    packed = run_config(tiny_release, {"image_archive": str(tmp_path / "pieces")}, run="packed")
    stores = []
    for config in (unpacked, packed):
        for split in ("train", "val"):
            check(config, split)
            index(config, split)
            for shard in range(2):
                images(config, split, shard)
                stores.append(Layout.of(config).images(split, shard).read_bytes())
        shutil.rmtree(tiny_release / "images", ignore_errors=True)
    assert stores[:4] == stores[4:]
