"""From the release's archive to a store: read where it lies, against unpacking it first; and the header pass alone."""

import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import fabricate
from bench.images import by_size
from bench.measure import Result, Target, alternate, command, in_fresh_process
from bench.released import BATCH, member, write_pieces
from digit.archive.members import KEPT, open_members
from digit.config import Config
from digit.run.layout import Layout
from digit.samples.index import open_index
from digit.stages.images import images
from digit.stages.index import index
from digit.store.shard_cache import ShardCache

FASTER, FEWER_BYTES = 3.0, 2.0
PICTURES, PIECE_BYTES = 256, 200_000_003
CHUNK = 16 << 20


def run(
    folder: Path,
    samples: Annotated[int, typer.Option(help="Images in the archive.")] = 50_000,
    repetitions: Annotated[int, typer.Option(help="Of each side.")] = 2,
) -> Result:
    """Bring ``samples`` images from pieces into a store."""
    config = _prepare(folder, samples)
    return in_fresh_process(_measure, config, folder, repetitions)


def _prepare(folder: Path, samples: int) -> Config:
    """Write annotations and pieces whose images are copies of the embedded data set's, and index them."""
    originals = by_size(fabricate.pictures(folder, PICTURES))
    root, pieces = folder / f"archive-release-{samples}", folder / f"archive-pieces-{samples}"
    data = {"source": "interhand", "root": str(root), "image_archive": str(pieces)}
    config = fabricate.configuration(folder, f"archive-{samples}", data=data)
    fabricate.write_annotations(root, samples)
    index(config, fabricate.SPLIT)
    table = open_index(Layout.of(config).index(fabricate.SPLIT))
    sizes = zip(table.width.tolist(), table.height.tolist(), strict=True)
    contents = ((originals[size][row % len(originals[size])]) for row, size in enumerate(sizes))
    names = (f"{BATCH}/images/{fabricate.SPLIT}/{name}" for name in table.keys())  # noqa: SIM118
    members = ((member(name, len(content)), content) for name, content in zip(names, contents, strict=True))
    write_pieces(pieces, PIECE_BYTES, members)
    return config


def _measure(config: Config, folder: Path, repetitions: int) -> Result:
    layout, unpacked = Layout.of(config), folder / "archive-unpacked"
    pieces = sorted(Path(str(config.data.image_archive)).glob("*.part??"))
    kept = pieces[0].parent / KEPT
    plain_data = {"source": "interhand", "root": str(unpacked / BATCH)}
    plain = fabricate.configuration(folder, f"{config.run.name}-plain", data=plain_data)
    store, plain_store = (Layout.of(each).images(fabricate.SPLIT, 0) for each in (config, plain))
    shutil.copytree(layout.index(fabricate.SPLIT), Layout.of(plain).index(fabricate.SPLIT), dirs_exist_ok=True)
    copy = folder / "archive-copy.tar"

    def clear() -> None:
        for path in (store, plain_store, copy):
            path.unlink(missing_ok=True)
        for path in (unpacked, kept, ShardCache.kept(store).parent, ShardCache.kept(plain_store).parent):
            shutil.rmtree(path, ignore_errors=True)
        os.sync()

    def ours() -> None:
        images(config, fabricate.SPLIT, 0)
        os.sync()

    def unpack_and_pack() -> None:
        unpack(pieces, unpacked)
        images(plain, fabricate.SPLIT, 0)
        os.sync()

    def join() -> None:
        with copy.open("wb") as target:
            for piece in pieces:
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, target, CHUNK)
        os.sync()

    seconds: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    left: dict[str, tuple[int, int]] = {}
    for _ in range(repetitions):
        for side, function in {"ours": ours, "plain": unpack_and_pack, "limit": join}.items():
            clear()
            before = _cpu_seconds()
            seconds.setdefault(side, []).append(alternate({side: function}, 1)[side][0])
            cpu.setdefault(side, []).append(_cpu_seconds() - before)
            if side == "ours":
                left[side], expected = left_behind(store, kept), store.read_bytes()
            elif side == "plain":
                left[side] = left_behind(plain_store, unpacked)
                assert plain_store.read_bytes() == expected, "the two stores differ"
    best = {side: min(times) for side, times in seconds.items()}
    count = len(open_index(layout.index(fabricate.SPLIT)).keys())
    clear()
    extra = _header_passes(pieces, kept, folder, count)
    clear()
    (our_files, our_bytes), (plain_files, plain_bytes) = left["ours"], left["plain"]
    targets = (
        Target("times faster than unpacking and packing", best["plain"] / best["ours"], FASTER),
        Target("times fewer bytes written", plain_bytes / our_bytes, FEWER_BYTES),
    )
    extra |= {"cpu_ms_an_image": min(cpu["ours"]) / count * 1e3, "cpu_ratio": min(cpu["plain"]) / min(cpu["ours"])}
    extra |= {"files_created": our_files, "files_created_plain": plain_files}
    extra |= {"bytes_written": our_bytes, "bytes_written_plain": plain_bytes}
    per_image = {side: value / count * 1e3 for side, value in best.items()}
    sides = per_image["ours"], per_image["plain"], per_image["limit"]
    return Result("archive", "ms per image", *sides, count, count, targets, extra)


def unpack(pieces: list[Path], folder: Path) -> None:
    """Do what people do: ``cat pieces | tar x``."""
    folder.mkdir()
    with subprocess.Popen(["cat", *map(str, pieces)], stdout=subprocess.PIPE) as cat:
        subprocess.run(["tar", "x", "-C", str(folder)], stdin=cat.stdout, check=True)


def _cpu_seconds() -> float:
    """Seconds of a core that this process and those it started took, which a busy machine lengthens less than time."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def left_behind(*places: Path) -> tuple[int, int]:
    """Files and folders that were made, and the bytes of disk that they take up."""
    made = [path for place in places for path in (place, *place.rglob("*"))]
    return len(made), sum(path.lstat().st_blocks * 512 for path in made)


def _header_passes(pieces: list[Path], kept: Path, folder: Path, count: int) -> dict[str, Any]:
    """Seconds for a million members, with the pieces in the system's cache and without."""
    seconds = {}
    for state in ("warm", "cold"):
        for piece in pieces:
            with piece.open("rb") as file:
                if state == "cold":
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                else:
                    while file.read(CHUNK):
                        pass
        shutil.rmtree(kept, ignore_errors=True)
        start = time.perf_counter()
        members = open_members(pieces[0].parent, folder / "elsewhere")
        seconds[f"header_pass_{state}_s_per_million"] = (time.perf_counter() - start) / count * 1e6
        assert len(members.name) == count, "the header pass did not find every image"
    return seconds


if __name__ == "__main__":
    command(run)
