"""Drawing part masks on one core, hand model and encoding included, and what a second core brings."""

import multiprocessing
import shutil
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from bench import fabricate
from bench.measure import Result, Target, alternate, command, in_fresh_process, use_one_core
from bench.plain.parts import Painter
from digit.config import Config
from digit.hand.mano import load_hands
from digit.run.layout import Layout
from digit.samples.index import SplitIndex, open_index
from digit.stages.index import index
from digit.stages.parts import parts
from digit.store.shards import Store

FASTER, SCALING = 6, 1.8
START_METHOD = "spawn"
"""Of the processes that draw side by side."""
ACCURACY = 0.999
"""Share of pixels, away from borders between labels, that both sides must agree about."""
BORDER_PX = 2


def run(
    folder: Path,
    samples: Annotated[int, typer.Option(help="Masks to draw.")] = 8000,
    samples_plain: Annotated[int, typer.Option(help="Masks to draw the plain way.")] = 64,
    repetitions: Annotated[int, typer.Option(help="Of each side.")] = 3,
) -> Result:
    """Draw ``samples`` masks, the plain way ``samples_plain`` of them."""
    root = folder / f"parts-release-{samples}"
    fabricate.write_annotations(root, samples)
    data = {"source": "interhand", "root": str(root)}
    whole = fabricate.configuration(folder, f"parts-{samples}", data=data)
    halves = fabricate.configuration(folder, f"parts-halves-{samples}", data=data | {"shards": 2})
    for config in (whole, halves):
        index(config, fabricate.SPLIT)
    cost, plain = in_fresh_process(_measure, whole, folder / "plain-parts", samples_plain, repetitions)
    together = _seconds_on_two_cores(whole, halves, repetitions)
    targets = (
        Target("times faster than plain", plain / cost, FASTER),
        Target("times faster on two cores", together["one"] / together["two"], SCALING),
    )
    extra = {"masks_per_second": 1 / cost, "plain_masks_per_second": 1 / plain}
    return Result("parts", "ms per mask", cost * 1e3, plain * 1e3, None, samples, samples_plain, targets, extra)


def _measure(config: Config, folder: Path, samples_plain: int, repetitions: int) -> tuple[float, float]:
    """Seconds per mask of our side and of the plain one, on one core."""
    use_one_core()
    table = open_index(Layout.of(config).index(fabricate.SPLIT))
    painter = Painter(table, load_hands(), folder)
    rows = np.linspace(0, len(table) - 1, samples_plain).astype(int).tolist()
    sides = {
        "ours": lambda: _draw_anew(config),
        "plain": lambda: [painter.draw(row) for row in rows],
    }
    alternate(sides, 1)  # compiles, and opens the renderers
    best = {side: min(times) for side, times in alternate(sides, repetitions).items()}
    require_equal(Store(Layout.of(config).parts(fabricate.SPLIT, 0)), table, {row: painter.draw(row) for row in rows})
    return best["ours"] / len(table), best["plain"] / len(rows)


def require_equal(store: Store, table: SplitIndex, drawn: dict[int, Path]) -> None:
    """Stop unless both sides agree about pixels that lie inside a part or outside the hands."""
    assert len(store) == int(table.mano_valid.any(axis=1)[table.frame_row].sum()), "masks are missing"
    agreeing, inside = 0, 0
    for row, path in drawn.items():
        ours = cv2.imdecode(np.frombuffer(store.get(table.keys(slice(row, row + 1))[0]), np.uint8), -1)
        kernel = np.ones((2 * BORDER_PX + 1,) * 2, np.uint8)
        uniform = cv2.erode(ours, kernel) == cv2.dilate(ours, kernel)
        agreeing += np.count_nonzero((ours == cv2.imread(str(path), -1))[uniform & (ours > 0)])
        inside += np.count_nonzero(uniform & (ours > 0))
    assert inside > 1000 * len(drawn), "the hands are hardly in the pictures"
    assert agreeing / inside > ACCURACY, f"only {agreeing / inside:.3%} of the pixels agree"


def _seconds_on_two_cores(whole: Config, halves: Config, repetitions: int) -> dict[str, float]:
    """Seconds for all masks: one process and shard on one core, and two of them on two."""
    jobs = {"one": [(whole, 0)], "two": [(halves, 0), (halves, 1)]}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    context = multiprocessing.get_context(START_METHOD)
    for _ in range(repetitions):
        for name, shards in jobs.items():
            _forget(shards[0][0])
            ready, done = context.Barrier(len(shards) + 1), context.Barrier(len(shards) + 1)
            workers = [
                context.Process(target=_draw_shard, args=(config, shard, ready, done)) for config, shard in shards
            ]
            for worker in workers:
                worker.start()
            ready.wait(timeout=300)
            start = time.perf_counter()
            done.wait(timeout=300)
            seconds[name].append(time.perf_counter() - start)
            for worker in workers:
                worker.join()
    return {name: min(times) for name, times in seconds.items()}


def _forget(config: Config) -> None:
    """Remove what was drawn, so that the stage cannot take masks over from an earlier time."""
    shutil.rmtree(Layout.of(config).parts(fabricate.SPLIT, 0).parent, ignore_errors=True)


def _draw_anew(config: Config) -> None:
    _forget(config)
    parts(config, fabricate.SPLIT, 0)


def _draw_shard(config: Config, shard: int, ready: Barrier, done: Barrier) -> None:
    use_one_core(shard)
    load_hands()
    ready.wait()
    parts(config, fabricate.SPLIT, shard)
    done.wait()


if __name__ == "__main__":
    command(run)
