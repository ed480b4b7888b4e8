import json
import multiprocessing
import os
import pickle
import re
import struct
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.run.errors import UserError
from digit.store import lmdb_file
from digit.store.shards import Store, write_shard

ROOT = Path(__file__).parents[2]
names = st.text(st.characters(codec="utf-8", min_codepoint=1), min_size=1, max_size=60)


@given(items=st.dictionaries(names, st.binary(max_size=9000), max_size=30))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read(items, tmp_path_factory):
    """Of every length, the empty one too."""
    items = {name: value for name, value in items.items() if not name.startswith("__")}
    path = tmp_path_factory.mktemp("store") / "0.lmdb"
    assert write_shard(path, items.items(), {"stage": "test"}, expected=len(items)) == len(items)
    store = Store(path)
    assert len(store) == len(items)
    keys = store.keys()
    assert {name: store.get(name) for name in keys} == items
    assert store.header["stage"] == "test"


def test_equal_input_gives_equal_bytes_and_the_map_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_file, "TRANSACTION_BYTES", 1 << 18)
    monkeypatch.setattr(lmdb_file, "FIRST_MAP_BYTES", 1 << 16)
    items = [(f"k{k:05d}", bytes([k % 251]) * (k * 7 % 30000)) for k in range(400)]
    write_shard(tmp_path / "a.lmdb", items, {"b": 1, "a": 2})
    write_shard(tmp_path / "b.lmdb", iter(items), lambda: {"a": 2, "b": 1})
    assert (tmp_path / "a.lmdb").stat().st_size > 8 << 16
    assert (tmp_path / "a.lmdb").read_bytes() == (tmp_path / "b.lmdb").read_bytes()
    write_shard(tmp_path / "c.lmdb", reversed(items), {})
    assert Store(tmp_path / "c.lmdb").keys() == Store(tmp_path / "a.lmdb").keys() == [name for name, _ in items]


def three_lines_of_the_docs():
    """The Python of docs/formats/prepared.md that reads a file from a shard."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "formats" / "prepared.md").read_text(), re.DOTALL)
    return code


def test_three_lines_of_anybodys_python_read_a_shard(tmp_path, monkeypatch):
    """As docs/formats/prepared.md says."""
    monkeypatch.chdir(tmp_path)
    name = "Capture0/0390_dh_touchROM/cam400026/image4000.jpg"
    write_shard(Path("results/demo/images/val/0.lmdb"), [("a/a.jpg", b"other"), (name, b"bytes")], {})
    code, found = three_lines_of_the_docs(), {}
    assert len([line for line in code.splitlines() if line and not line.startswith("import")]) == 3
    exec(code, found)
    assert found["jpeg"] == b"bytes"


def test_reserved_keys_say_what_the_shard_is_and_how_its_files_sum_up(tmp_path):
    """As docs/formats/prepared.md says."""
    items = {"a/a.jpg": b"other", "a/b.jpg": b"bytes"}
    write_shard(tmp_path / "0.lmdb", items.items(), {"stage": "test"})
    with lmdb.open(str(tmp_path / "0.lmdb"), subdir=False, readonly=True, lock=False) as env:
        stored = dict(env.begin().cursor())
    reserved = {key: stored.pop(key) for key in (b"__header__", b"__checksums__")}
    assert stored == {name.encode(): content for name, content in items.items()}
    assert json.loads(reserved[b"__header__"]) == {"count": 2, "format": "digit-store", "stage": "test", "version": 4}
    sums = sorted(zlib.crc32(name) << 32 | zlib.crc32(content) for name, content in stored.items())
    assert struct.unpack("<2Q", reserved[b"__checksums__"]) == tuple(sums)


@pytest.mark.parametrize("order", [1, -1])
def test_a_store_is_hardly_larger_than_what_is_in_it(tmp_path, order):
    """Of images as large as the release's; whatever the order in which they come."""
    items = [(f"Capture0/0390_dh_touchROM/cam400026/image{k:04d}.jpg", bytes(12_000 + k * 64)) for k in range(600)]
    write_shard(tmp_path / "0.lmdb", items[::order], {})
    assert (tmp_path / "0.lmdb").stat().st_size < 1.1 * sum(len(content) for _, content in items)


@pytest.mark.parametrize("name", ["", "a" * 512, "ä" * 256])
def test_a_name_that_lmdb_cannot_hold_is_named(tmp_path, name):
    """Case 13 of the reports: it was said to be the disk."""
    with pytest.raises(UserError, match=rf"'{name}': a name in a store has 1 to 511 bytes, not {len(name.encode())}"):
        write_shard(tmp_path / "0.lmdb", [("b", b"1"), (name, b"2")], {})
    assert list(tmp_path.iterdir()) == []
    write_shard(tmp_path / "0.lmdb", [("b" * 511, b"1")], {})
    assert Store(tmp_path / "0.lmdb").get("b" * 511) == b"1"


def test_a_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "0.lmdb"
    write_shard(path, [("a", b"first" * 500), ("b", b"second" * 500)], {})
    content = bytearray(path.read_bytes())
    content[content.index(b"second") + 2] ^= 1
    path.write_bytes(content)
    assert Store(path).get("a") == b"first" * 500 and Store(path).find("c") is None
    with pytest.raises(UserError, match=r"0\.lmdb: 'b' is not what was stored"):
        Store(path).get("b")


def test_the_header_is_asked_for_after_the_items(tmp_path):
    seen = []

    def items():
        yield "a", b"1"
        seen.append("a")

    write_shard(tmp_path / "0.lmdb", items(), lambda: {"seen": list(seen)})
    assert Store(tmp_path / "0.lmdb").header["seen"] == ["a"]


@pytest.mark.parametrize(
    ("items", "expected", "message"),
    [([("a", b"1"), ("a", b"2")], None, "twice"), ([("a", b"1")], 2, "1 items arrived, 2 expected")],
)
def test_a_wrong_set_of_items_leaves_nothing(tmp_path, items, expected, message):
    with pytest.raises(ValueError, match=message):
        write_shard(tmp_path / "0.lmdb", items, {}, expected=expected)
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_earlier_shard(tmp_path):
    write_shard(tmp_path / "0.lmdb", [("a", b"old")], {})

    def failing():
        yield "a", b"new"
        raise UserError("stop")

    with pytest.raises(UserError, match="stop"):
        write_shard(tmp_path / "0.lmdb", failing(), {})
    assert [path.name for path in tmp_path.iterdir()] == ["0.lmdb"]
    assert Store(tmp_path / "0.lmdb").get("a") == b"old"


def test_several_shards_are_one_store_and_share_handles(two_shards):
    store, other = Store(two_shards), Store(two_shards[1])
    assert store.keys() == ["a", "b", "c", "d"]
    assert [store.get(name) for name in "dacb"] == [b"4", b"1", b"3", b"2"]
    assert store.get("c", shard=1) == other.get("c") == b"3"
    assert "d" in store and "z" not in store and "x" * 600 not in store
    assert store.excluded() == {"e": "cut off"}
    with pytest.raises(UserError, match=r"'z' is not in .*0\.lmdb, .*1\.lmdb"):
        store.get("z")


def test_a_rewritten_shard_is_seen_after_close(two_shards):
    store = Store(two_shards[0])
    assert store.get("a") == b"1"
    write_shard(two_shards[0], [("a", b"rewritten")], {})
    store.close()
    assert store.get("a") == Store(two_shards[0]).get("a") == b"rewritten"


def _read_in_worker(stores: list[Store]) -> list[bytes]:
    with mock.patch.object(lmdb, "open", wraps=lmdb.open) as opening:
        content = [store.get("d") + store.get("a") for store in stores]
    opened = sorted(call.args[0] for call in opening.call_args_list)
    assert opened == sorted(map(str, stores[0].paths)), "LMDB forbids handles from before a fork, and a second handle"
    return content


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_whether_or_not_the_parent_has_read(two_shards, method):
    untouched, opened = Store(two_shards), Store(two_shards)
    assert opened.get("d") + opened.get("a") == b"41"
    assert pickle.loads(pickle.dumps(opened)).get("b") == b"2"
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_read_in_worker, [[untouched, opened]]) == [b"41", b"41"]


@pytest.fixture
def hasty_threads():
    """Threads take turns far more often than usual, so that what they get wrong shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_share_a_store(tmp_path, hasty_threads):
    """Eight threads read what one reads: every key is found, whichever shard another thread looked into last."""
    content = {f"{shard}/{k:03d}": bytes([shard, k]) * 40 for shard in range(4) for k in range(100)}
    paths = [tmp_path / f"{shard}.lmdb" for shard in range(4)]
    for shard, path in enumerate(paths):
        write_shard(path, [(name, value) for name, value in content.items() if name[0] == str(shard)], {})
    store, keys = Store(paths), sorted(content)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda turn: {(name := keys[turn * 37 % 400]): store.get(name)}, range(20_000))
        assert all(content[name] == value for item in found for name, value in item.items())


def test_threads_open_and_let_go_of_the_same_file(two_shards, hasty_threads):
    """LMDB refuses a second handle while another thread closes the first; a file is never called damaged for that."""
    shared = Store(two_shards)

    def read(turn):
        if turn % 7 == 0:
            shared.close()
        return Store(two_shards).get("d") + shared.get("a")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(4000))) == {b"41"}


def test_a_fork_while_another_thread_opens_files_does_not_hang(two_shards, monkeypatch):
    opening, forked, lmdb_open = threading.Event(), threading.Event(), lmdb.open

    def slow(*arguments, **options):
        if threading.current_thread() is thread:
            opening.set()
            forked.wait(20)
        return lmdb_open(*arguments, **options)

    monkeypatch.setattr(lmdb, "open", slow)
    thread = threading.Thread(target=Store(two_shards).get, args=["a"])
    thread.start()
    assert opening.wait(20)
    worker = multiprocessing.get_context("fork").Process(target=_read_in_worker, args=([Store(two_shards)],))
    worker.start()
    forked.set()
    worker.join(20)
    assert worker.exitcode == 0, worker.kill()
    thread.join()


def test_a_handle_outlives_a_change_of_the_files_times(two_shards):
    store = Store(two_shards[0])
    assert store.get("a") == b"1"
    os.utime(two_shards[0])
    assert Store(two_shards[0]).get("b") == b"2"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8192])


def _foreign(path: Path) -> None:
    path.unlink()
    with lmdb.open(str(path), subdir=False, lock=False) as env, env.begin(write=True) as transaction:
        transaction.put(b"a", b"1")


def _list(path: Path) -> None:
    path.unlink()
    with lmdb.open(str(path), subdir=False, lock=False) as env, env.begin(write=True) as transaction:
        transaction.put(b"__header__", b"[]")


def test_stores_of_an_earlier_format_are_refused_with_what_to_do(tmp_path):
    """Format 2 packed files into blocks."""
    entry, block = struct.pack("<4I", 0, 0, 5, zlib.crc32(b"bytes")), b"bytes"
    header = b'{"count":1,"format":"digit-store","stage":"images","version":2}'
    pairs = [(b"\0" + bytes(4), block), (b"__header__", header), (b"a.jpg", entry)]
    lmdb_file.write_lmdb(tmp_path / "0.lmdb", pairs)
    with pytest.raises(UserError, match=r"0\.lmdb: is not a store of format digit-store 4; delete .* run the stage"):
        Store(tmp_path / "0.lmdb").get("a.jpg")


def _without_checksums(path: Path) -> None:
    pairs = [pair for pair in lmdb_file.LmdbFile(path).items() if pair[0] != b"__checksums__"]
    path.unlink()
    lmdb_file.write_lmdb(path, pairs)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "cut off"),
        (_foreign, "not made by digit"),
        (_list, "not made by digit"),
        (_without_checksums, "lacks checksums of its files"),
        (lambda path: path.write_bytes(b""), "not a readable store"),
        (lambda path: path.write_bytes(b"no database" * 1000), "not a readable store"),
        (lambda path: path.unlink(), "does not exist"),
    ],
)
def test_a_damaged_or_foreign_file_is_named(two_shards, damage, message):
    damage(two_shards[1])
    with pytest.raises(UserError, match=message) as caught:
        Store(two_shards).get("d")
    assert str(two_shards[1]) in str(caught.value)
    assert "run the stage that makes it" in str(caught.value)


@pytest.fixture
def two_shards(tmp_path):
    paths = [tmp_path / "0.lmdb", tmp_path / "1.lmdb"]
    write_shard(paths[0], [("a", b"1"), ("b", b"2")], {"shard": 0})
    write_shard(paths[1], [("c", b"3"), ("d", b"4")], {"shard": 1, "excluded": {"e": "cut off"}})
    return paths
