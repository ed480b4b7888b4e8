"""The house rules that a machine can check: floors, size, documentation, no traces of one machine."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "digit"
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")

FLOORS = [
    # pure facts, and what everybody needs to talk and to write
    ["errors", "skeleton", "console"],
    ["geometry", "files", "pickles", "presets", "processes", "schema"],
    ["config"],
    ["layout", "switches"],
    # folders that do not import one another
    ["model", "metrics", "provenance", "figures", "data", "hand", "render"],
    # what joins several of them for the stages
    ["synthetic", "scoring", "archive"],
    ["training", "report", "planning", "download"],
    ["stages"],
    ["cli"],
    ["__main__"],
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def _name(path: Path) -> str:
    """Top-level name within the package: ``data`` for digit/data/store.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(path: Path) -> set[str]:
    """Names of the package's modules that a module imports, without the leading ``digit.``."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "digit":
                found |= {f"digit.{alias.name}" for alias in node.names}
            else:
                found.add(node.module or "")
    return {name.removeprefix("digit.") for name in found if name.startswith("digit.")} - {"__version__"}


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_module(path):
    assert _name(path) in FLOOR, f"{_name(path)}: say on which floor it stands"
    lines = path.read_text().splitlines()
    assert len(lines) <= 400, "split modules that grow beyond 400 lines"
    assert ast.get_docstring(_tree(path)), "say in the first line what the module is for"


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_imports_go_down(path):
    own = _name(path)
    for name in _imports(path):
        other = name.split(".")[0]
        if other == own:
            continue
        assert FLOOR[other] < FLOOR[own], f"{own} (floor {FLOOR[own]}) imports {name}"


def test_stages_meet_in_files_only():
    for path in (PACKAGE / "stages").glob("*.py"):
        siblings = {name for name in _imports(path) if name.startswith("stages")}
        assert not siblings, f"{path.name} imports {siblings}"


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_public_functions_are_documented(path):
    """Everything public at the top of a module has a docstring; so have public methods, properties aside."""
    bare = []
    for node in _tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            members = node.body if isinstance(node, ast.ClassDef) else []
            public = [m for m in members if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
            # Lightning and torch document their hooks themselves.
            public = [m for m in public if m.name != "forward" and "_step" not in m.name]
            bare += [item.name for item in (node, *public) if not ast.get_docstring(item)]
    assert not bare


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_functions_are_short(path):
    long = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            lines = node.end_lineno - first.lineno + 1
            if lines > 60:
                long.append(f"{node.name} ({lines} lines)")
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_no_error_is_swallowed(path):
    """Who catches everything, say around a library that raises anything, must raise again or say so."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ExceptHandler) and (not node.type or ast.unparse(node.type).endswith("Exception")):
            inside = list(ast.walk(node))
            raises = any(isinstance(item, ast.Raise) for item in inside)
            says = any(ast.unparse(item) in ("log.warning", "log.error") for item in inside)
            assert raises or says, f"line {node.lineno}"


def _tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode()
    files = [ROOT / name for name in names.split("\0") if name]
    if not files:
        pytest.skip("not a git checkout")
    return [path for path in files if path.is_file()]


def test_no_machine_paths():
    """Nothing in the repository names a folder or a host of the machine it was written on."""
    private = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/|localhost:\d|\b(?:10|192\.168)(?:\.\d+){2,3}\b")
    found = []
    for path in _tracked():
        if path.suffix in {".py", ".smk", ".yaml", ".md", ".rst", ".toml", ".sh", ".lock", ".html", ".js", ""}:
            text = path.read_text(errors="ignore")
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in private.finditer(text)]
    assert not [line for line in found if "test_architecture" not in line]


def test_no_large_files():
    assert not [path for path in _tracked() if path.stat().st_size > 5_000_000]
