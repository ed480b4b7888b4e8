"""Each benchmark at a very small size: both sides agree, and the last line is the promised JSON."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bench.archive
import bench.evaluate
import bench.fabricate
import bench.images
import bench.index
import bench.loader
import bench.meshes
import bench.parts
from bench.__main__ import BEGIN, END, PAGE, rewrite, table
from bench.measure import Result, Target, alternate, in_fresh_process, private_mb, show, watching_memory
from digit.config import Config
from digit.run.layout import Layout
from tests.forked import CONTEXT

KEYS = {"name", "ours", "plain", "ratio", "limit", "unit", "n", "n_plain", "targets"}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves the seconds that a fresh process needs for its imports, and leaves this one its cores."""
    monkeypatch.setattr(bench.parts, "START_METHOD", CONTEXT.get_start_method())
    for module in (bench.index, bench.images, bench.archive, bench.parts, bench.loader, bench.evaluate, bench.meshes):
        monkeypatch.setattr(module, "in_fresh_process", lambda function, *arguments: function(*arguments))
        monkeypatch.setattr(module, "use_one_core", lambda: None, raising=False)


@pytest.fixture
def with_pictures(monkeypatch: pytest.MonkeyPatch, synthetic_root: Path) -> None:
    """The embedded data set need not be made: it is a copy of the other tests'."""

    def pictures(folder: Path, images: int) -> Config:
        config = bench.fabricate.configuration(folder, "pictures")
        shutil.copytree(synthetic_root, Layout.of(config).dataset, dirs_exist_ok=True)
        return config

    monkeypatch.setattr(bench.fabricate, "pictures", pictures)


def printed(result: Result, capsys: pytest.CaptureFixture) -> dict:
    """The JSON object on the last line of what is shown, after checks that hold for every benchmark."""
    show(result)
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(document) >= KEYS
    assert document["ours"] > 0 and document["n"] > 0
    assert document["targets"] and all(isinstance(target["met"], bool) for target in document["targets"])
    if document["plain"] is not None:
        assert document["ratio"] == pytest.approx(document["plain"] / document["ours"])
    return document


def test_index(work, capsys, in_this_process):
    document = printed(bench.index.run(work, samples=600, repetitions=1), capsys)
    assert document["parse_peak_mb"] > 0


def test_images(work, capsys, in_this_process, with_pictures):
    document = printed(bench.images.run(work, samples=40, samples_plain=4, repetitions=1), capsys)
    assert document["limit"] > 0


def test_archive(work, capsys, monkeypatch, in_this_process, with_pictures):
    monkeypatch.setattr(bench.archive, "PIECE_BYTES", 100_003)
    document = printed(bench.archive.run(work, samples=40, repetitions=1), capsys)
    assert document["files_created"] < document["files_created_plain"]
    assert document["header_pass_warm_s_per_million"] > 0 and document["header_pass_cold_s_per_million"] > 0


def test_parts(work, capsys, in_this_process):
    printed(bench.parts.run(work, samples=160, samples_plain=4, repetitions=1), capsys)


def test_loader(work, capsys, monkeypatch, in_this_process, with_pictures):
    monkeypatch.setattr(bench.loader, "BATCH", 8)
    assert printed(bench.loader.run(work, samples=16, samples_plain=16, repetitions=1), capsys)["limit"] > 0


def test_evaluate(work, capsys, in_this_process):
    printed(bench.evaluate.run(work, samples=400, samples_plain=100, repetitions=1), capsys)


def test_meshes(work, capsys, in_this_process):
    document = printed(bench.meshes.run(work, samples=8, samples_plain=1, repetitions=1), capsys)
    assert document["natural 10 mm: fitted joints to true"] < document["natural 10 mm: given joints to true"]
    assert document["any 0 mm: fitted joints to true"] < 1


def test_a_result_without_the_plain_side(capsys):
    document = printed(Result("index", "s", 0.1, None, None, 5, 0, (Target("seconds", 0.1, 1, False),)), capsys)
    assert document["plain"] is None and document["ratio"] is None


def test_disagreement_stops_a_benchmark():
    with pytest.raises(AssertionError, match="mrrpe"):
        bench.evaluate.require_equal({"mrrpe": 10.0}, {"mrrpe": 10.1})
    sides = {name: np.zeros((2, 3)) for name in bench.index.COMPARED[1:]} | {"path": np.array(["a", "b"])}
    bench.index.require_equal(sides, sides)
    with pytest.raises(AssertionError, match="cam_coord"):
        bench.index.require_equal(sides, sides | {"cam_coord": np.ones((2, 3))})
    with pytest.raises(AssertionError, match="order"):
        bench.index.require_equal(sides, sides | {"path": np.array(["b", "a"])})


def test_goal_says_whether_it_is_met():
    assert "target missed" in str(Target("times faster", 5.9, 6))
    assert str(Target("times faster", 6, 6)).endswith(", met")
    assert "target missed" in str(Target("times as long", 1.31, 1.3, at_least=False))


def test_sides_take_turns():
    calls: list[str] = []
    seconds = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, lambda: calls.append("-"))
    assert "".join(calls) == "-a-b" * 3
    assert all(len(values) == 3 and min(values) >= 0 for values in seconds.values())


def memory_of_a_block() -> tuple[float, float, float]:
    """MB before 32 MB of numbers are written, and that they add, when written and at the peak seen meanwhile."""
    before = private_mb()
    with watching_memory(0.001) as seen:
        block = np.ones(4_000_000)
        added = private_mb() - before
        time.sleep(0.1)
        del block
    return before, added, seen["peak_mb"] - before


def test_memory_counts_what_is_written():
    # In a process of its own: this one may have memory to spare from earlier tests.
    before, added, peak = in_fresh_process(memory_of_a_block)
    assert 25 < added < 60
    assert 25 < peak < 60
    assert before > 5


def test_table_is_rewritten_between_the_markers(tmp_path):
    result = Result(
        "images", "ms", 0.5, 20.0, None, 100, 10, (Target("times faster", 40, 30), Target("size", 2, 1, False))
    )
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for ours in (0.5, 0.25):
        rewrite(page, table([replace(result, ours=ours).document()]))
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert text.count("| images | ms | 0.25 | 20 |  | 80 x | 100 (10) |") == 1
    assert "| images | size <= 1 | 2 | **missed** |" in text
    assert BEGIN in PAGE.read_text() and END in PAGE.read_text()
