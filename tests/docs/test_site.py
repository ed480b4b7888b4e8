"""What the site is generated from: rules, configuration, messages; and a look for what it would load from elsewhere."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from digit.config import Config
from digit.config.schema import of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site():
    """Function that imports a script of docs/site/."""
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "docs" / "site"))


def test_every_message_is_listed(site):
    """Of the code and the set-up, in docs/errors.yaml: with advice, or null where the message says it all."""
    messages = site("messages")
    listed = {module: list(texts) for module, texts in messages.read().items()}
    assert listed == messages.find(), "run `python docs/site/messages.py`, then see whether there is more to say"


def test_every_message_is_on_the_page(site):
    messages = site("messages")
    page = messages.page()
    assert page.count("## ") == len(messages.TOPICS)
    for texts in messages.find().values():
        assert not [text for text in texts if f"`{text.replace('`', chr(39))}`" not in page]


def test_templates_of_messages(site, tmp_path):
    messages = site("messages")
    code = 'raise UserError(f"{path}: has {len(x)} of" + " them; " + REMEDY)\nraise errors.UserError("plain words")\n'
    code += "raise UserError(words)\nraise ValueError('other')\n"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "one.py").write_text(code)
    (tmp_path / "setup.sh").write_text("fail() {\nfail '$1'\nfail \"$python is old\"\n")
    found = messages.find(tmp_path, tmp_path / "setup.sh")
    assert found == {"setup": ["… is old"], "run.one": ["…: has … of them; …", "plain words"]}


def test_advice_follows_a_message_that_is_reworded_or_moves(site):
    updated = site("messages").updated
    known = {"a": {"…: has no box in the file; add one": "Why.", "…: is empty": None, "gone for good": "Old."}}
    found = {"a": ["…: is empty"], "b": ["…: has no box in the box file; add one", "…: is new"]}
    expected = {"a": {"…: is empty": None}, "b": {"…: has no box in the box file; add one": "Why.", "…: is new": None}}
    assert updated(known, found) == expected


def test_every_rule_has_its_paragraph(site):
    rules = site("rules")
    files = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    names = re.findall(r"^ *(?:rule|checkpoint) (\w+):", files, re.MULTILINE)
    found = rules.read_rules()
    assert sorted(rule.name for rule in found) == sorted(names)
    assert all(len(rule.words) > 20 and rule.message for rule in found)
    page = rules.paragraphs()
    assert "### train_experiment" in page and "16000 MB, 10080 minutes" in page and "wildcards" not in page


def test_the_graph_leaves_out_what_longer_paths_imply(site):
    rules = site("rules")
    edges = {("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d"), ("x", "d")}
    assert rules.essential(edges) == {("a", "b"), ("b", "c"), ("c", "d"), ("x", "d")}
    assert rules.rows(rules.essential(edges)) == [["a", "x"], ["b"], ["c"], ["d"]]
    drawn = rules.draw(rules.essential(edges))
    assert drawn.count("<path") == 4 and 'href="#b"' in drawn and "d needs x" in drawn


def test_snakemakes_own_graph_is_drawn(site):
    drawn = site("rules").drawing()
    assert all(f'href="#{name}"' in drawn for name in ("synthesize", "parts_shard", "train_experiment", "report"))


def test_every_key_of_the_configuration_is_told(site):
    page = site("configuration").configuration()

    def keys(section, prefix=""):
        for name, entry in section.get("properties", {}).items():
            if name == "experiments":
                yield from keys(entry["additionalProperties"], "experiments.NAME.")
            elif "properties" in entry:
                yield from keys(entry, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", entry

    for key, entry in keys(of(Config)):
        row = next((line for line in page.splitlines() if f'title="{key}"' in line), "")
        assert entry["description"].replace("|", "&#124;").replace("<", "&lt;") in row, key
    assert "| `lr`" in page and "above 0" in page


@pytest.mark.parametrize(
    ("file", "text", "loads"),
    [
        ("a.html", '<script src="https://x.org/a.js"></script>', True),
        ("a.html", '<link rel="stylesheet" href="//x.org/a.css">', True),
        ("a.html", '<link href="https://x.org/f" rel=preconnect>', True),
        ("a.html", '<img alt="" src=https://x.org/a.png>', True),
        ("a.css", "@import 'https://x.org/a.css';", True),
        ("a.css", "a { background: url(//x.org/a.png) }", True),
        ("a.html", '<a href="https://x.org">x</a><link rel="canonical" href="https://x.org/">', False),
        ("a.css", "a { background: url(data:image/png;base64,AA) }", False),
    ],
)
def test_what_the_site_would_load_from_elsewhere_is_found(site, tmp_path, monkeypatch, file, text, loads):
    build = site("build")
    monkeypatch.setattr(build, "SITE", tmp_path)
    (tmp_path / file).write_text(text)
    assert bool(build.finish()) == loads


def test_generated_parts_and_links(site, tmp_path, monkeypatch):
    build = site("build")
    monkeypatch.setattr(build, "PAGES", tmp_path / "pages")
    monkeypatch.setitem(build.PARTS, "graph", lambda: "<svg/>")
    build.fill()
    pages = {path.relative_to(tmp_path / "pages"): path.read_text() for path in (tmp_path / "pages").rglob("*.md")}
    assert not [path for path, text in pages.items() if "<!-- generated" in text]
    assert "[CONTRIBUTING](../contributing.md)" in pages[Path("decisions/README.md")]
    assert "(formats/release.md)" in pages[Path("changelog.md")]
    assert "../digit/release/tables.py" not in pages[Path("contributing.md")]
    assert not list((tmp_path / "pages").rglob("*.py")) and not (tmp_path / "pages" / "errors.yaml").exists()


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("index", 390, "dark"),
        ("tutorial", 1024, "light"),
        ("predict", 390, "light"),
        ("configuration", 1920, "dark"),
        ("api", 390, "light"),
        ("workflow", 1920, "light"),
    ],
)
def test_the_built_site_fits_the_window_and_has_no_barriers(open_page, barriers, name, width, scheme):
    path = ROOT / "build" / "docs" / f"{name}.html"
    if not path.is_file():
        pytest.skip("the documentation is not built; make docs does it")
    page = open_page(path.as_uri(), width=width, height=800, color_scheme=scheme)
    page.wait_for_function("document.querySelectorAll('.md-typeset__scrollwrap:not([tabindex])').length === 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not barriers(page)
