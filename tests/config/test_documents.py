"""Configuration files as editors and people leave them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.config import load_config
from digit.config.documents import read_document
from digit.run.errors import UserError

TEXT = "# Köln\nrun: {name: x}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_utf8_is_read_with_and_without_a_mark(tmp_path, encoding, newline):
    path = tmp_path / "a.yaml"
    path.write_bytes(TEXT.replace("\n", newline).encode(encoding))
    assert load_config(path).run.name == "x"


@pytest.mark.parametrize("content", ["", "# only a comment\n", "---\n", "null\n", "\ufeff"])
def test_an_empty_file_has_no_sections(tmp_path, content):
    (tmp_path / "a.yaml").write_text(content)
    assert read_document(tmp_path / "a.yaml") == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("latin-1"), r"is not UTF-8 \(byte 0xf6 in line 1; perhaps Latin-1.*; save it as UTF-8"),
        (("a: 1\n" + TEXT).encode("cp1252"), r"is not UTF-8 \(byte 0xf6 in line 2"),
        (TEXT.encode("utf-16"), r"is not UTF-8 \(byte 0xff in line 1; UTF-16\); save it as UTF-8"),
        (TEXT.encode("utf-16-be"), r"(line 1 holds the character 0x00|is not UTF-8).*save it as UTF-8"),
        (b"r\0u\0n\0:\0", r"line 1 holds the character 0x00; save it as UTF-8"),
        (TEXT.encode() + b"data: {}\0\n", r"line 3 holds the character 0x00"),
        (b"run:\n  name: a\x07b\n", r"line 2 holds the character 0x07"),
        (
            b"run: {name: a}\ndata: {}\nrun: {seed: 1}\n",
            r"line 3, column 1: the key 'run' comes twice, first in line 1",
        ),
        (b"data: {shards: 1, root: x, shards: 2}\n", r"line 1, column 28: the key 'shards' comes twice"),
        (b"run:\n\tname: x\n", r"line 2, column 1: a tab before the key; indent with spaces"),
        (b"run:\n  name: x\n \tseed: 1\n", r"line 3.* a tab before the key; indent with spaces"),
        (b"run: [", r"is not valid YAML, line 1, column \d"),
        (b"run: {name: x\ndata: {}", r"is not valid YAML, line 2"),
        (b"run:\n  name: x\n seed: 1\n", r"is not valid YAML, line 3"),
        (b"run: &a {data: *a}\n", r"is not valid YAML"),
        (b"[" * 5000, r"is not valid YAML"),
        (b"run: 2001-99-99\n", r"is not valid YAML: month must be in 1..12"),
        (b"run: !!python/object:os.system {}\n", r"is not valid YAML, line 1"),
        (b"? [a]\n: 1\n", r"is not valid YAML, line 1"),
        (b"run: {}\n---\nrun: {}\n", r"is not valid YAML, line 2.*expected a single document"),
        (b"- run\n", r"must hold sections such as 'run:' and 'data:', not a list"),
        (b"just words\n", r"not a str"),
        (b"42", r"not a int"),
    ],
)
def test_what_is_not_a_configuration_is_said_with_its_line(tmp_path, content, message):
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^\S*my\.yaml: .*{message}") as caught:
        load_config(path)
    assert len(str(caught.value).splitlines()) == 1


def test_merge_keys_and_anchors_stay_allowed(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {seed: 1, name: a}\nb: &b {<<: *a, seed: 2}\nc: {<<: *b, seed: 3}\n")
    assert [document["seed"] for document in read_document(tmp_path / "a.yaml").values()] == [1, 2, 3]


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_configuration_or_one_message(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "a.yaml"
    path.write_bytes(content)
    try:
        load_config(path)
    except UserError as error:
        assert str(path) in str(error)
