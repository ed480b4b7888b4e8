import gc
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.release import json_records
from digit.release.json_records import scan
from digit.run.errors import UserError

texts = st.text(max_size=8)
records = st.dictionaries(
    texts, st.one_of(texts, st.integers(-9, 9), st.lists(st.lists(st.integers(0, 9)), max_size=3))
)


@given(lists=st.dictionaries(texts, st.lists(records, max_size=9), max_size=3), chunk=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_lists_of_records_come_back_in_chunks(lists, chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(lists, indent=chunk % 2 or None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "RECORDS_PER_CHUNK", chunk)
        document = scan(path, "remedy")
        found = {
            document.key(row): [record for part in document.chunks(row) for record in part]
            for row in document.members()
        }
    assert found == lists


@given(tree=st.dictionaries(texts, st.dictionaries(texts, records, max_size=9), max_size=3), chunk=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_objects_of_records_come_back_with_their_keys(tree, chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(tree))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "RECORDS_PER_CHUNK", chunk)
        document = scan(path, "remedy")
        found = {
            document.key(row): {k: v for part in document.chunks(row) for k, v in part.items()}
            for row in document.members()
        }
    assert found == tree


def test_many_small_containers_and_the_collector_survive(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([[] for _ in range(3000)]))
    document = scan(path, "remedy")
    assert len(document.members()) == 3000
    assert sum(len(part) for part in document.chunks()) == 3000
    assert gc.isenabled()


@given(records=st.lists(st.one_of(records, st.none(), st.integers(0, 9), texts), max_size=9), chunk=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_what_is_no_record_is_not_passed_over(records, chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "a.json"
    keyed = {str(place): record for place, record in enumerate(records)}
    path.write_text(json.dumps({"list": records, "object": keyed}, indent=chunk % 2 or None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "RECORDS_PER_CHUNK", chunk)
        document = scan(path, "remedy")
        in_list, in_object = document.members()
        found = [record for part in document.chunks(in_list) for record in part]
        found_keyed = {k: v for part in document.chunks(in_object) for k, v in part.items()}
    holds_record = any(isinstance(record, dict) for record in records)
    assert found == (records if holds_record else [])
    assert found_keyed == (keyed if holds_record else {})


@pytest.mark.parametrize("text", ["[{}, {},]", "[,{}, {}]", "[{},, {}]", "[{} {}]", "[{}, {} 1]"])
@pytest.mark.parametrize("chunk", [1, 2, 9])
def test_damage_between_records_is_noticed(tmp_path, monkeypatch, text, chunk):
    monkeypatch.setattr(json_records, "RECORDS_PER_CHUNK", chunk)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json: is not valid JSON .*the remedy"):
        list(scan(tmp_path / "a.json", "the remedy").chunks())


def test_every_cut_is_noticed(tmp_path):
    path = tmp_path / "a.json"
    whole = b' {"images": [{"a": "x\\"]y"}, {"b": [1, 2]}], "annotations": []}'
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"a\.json: is not valid JSON .*; the remedy") as caught:
            scan(path, "the remedy")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["]", "[1]]", "plain", '"text"'])
def test_other_text_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match="is not valid JSON"):
        scan(path, "remedy")


def test_damage_inside_a_record_is_noticed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1}, {"a": 1 2}]')
    document = scan(path, "the remedy")
    with pytest.raises(UserError, match=r"a\.json: is not valid JSON .*the remedy"):
        list(document.chunks())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json: cannot be read \(No such file or directory\); the remedy"):
        scan(tmp_path / "none.json", "the remedy")
