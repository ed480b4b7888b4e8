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
    ["run", "skeleton"],
    ["geometry", "config"],
    ["run.layout", "run.provenance"],
    # folders that do not import one another
    ["model", "metrics", "figures", "store", "hand", "render"],
    # data, from files to samples; what HTML pages share
    ["samples", "pages"],
    ["original"],
    ["release", "parts", "mesh"],
    # what joins several of them for the stages
    ["synthetic", "scoring", "archive", "detector"],
    ["predictor", "download"],
    ["training", "report", "planning", "gallery", "doctor"],
    ["web"],
    ["stages"],
    ["cli_pictures"],
    ["cli"],
    ["__main__"],
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def _module(path: Path) -> str:
    """Dotted name within the package: ``store.shards`` for digit/store/shards.py."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def _floor(module: str) -> int:
    """Floor of the longest leading part of a dotted name that has one."""
    parts = module.split(".")
    known = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((FLOOR[name] for name in known if name in FLOOR), -1)


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
            below = (PACKAGE.parent / (node.module or "").replace(".", "/")).is_dir()
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if below else {node.module or ""}
    return {name.removeprefix("digit.") for name in found if name.startswith("digit.")} - {"__version__"}


def test_every_module_has_its_floor_its_purpose_and_a_readable_length():
    assert not [path for path in MODULES if _floor(_module(path)) < 0], "say on which floor it stands"
    assert not [path for path in MODULES if len(path.read_text().splitlines()) > 400], "split it"
    assert not [path for path in MODULES if not ast.get_docstring(_tree(path))], "say in one line what it is for"


def test_imports_go_down():
    wrong = []
    for path in MODULES:
        own = _module(path)
        package = own.split(".")[0]
        for other in _imports(path):
            beside = other.split(".")[0] == package and _floor(other) == _floor(own)
            if not beside and _floor(other) >= _floor(own):
                wrong.append(f"{own} (floor {_floor(own)}) imports {other} (floor {_floor(other)})")
    assert not wrong


def test_stages_meet_in_files_only():
    for path in (PACKAGE / "stages").glob("*.py"):
        siblings = {name for name in _imports(path) if name.startswith("stages")}
        assert not siblings, f"{path.name} imports {siblings}"


def test_packages_name_their_modules():
    unnamed = []
    for path in MODULES:
        home = path.parent if path.name != "__init__.py" else path.parents[1]
        name = path.stem if path.name != "__init__.py" else path.parent.name
        if home != PACKAGE and not name.startswith("__"):
            text = ast.get_docstring(_tree(home / "__init__.py")) or ""
            unnamed += [] if f"`{name}`" in text else [_module(path)]
    assert not unnamed, "say in the docstring of the package what they are for"


def test_every_module_has_its_tests():
    """In the file of the same name, or in those that tests/README.md says."""
    rows = re.findall(r"^\| (`.+) \| (`.+) \|$", (ROOT / "tests" / "README.md").read_text(), re.MULTILINE)
    told = {name: re.findall("`([^`]+)`", tests) for names, tests in rows for name in re.findall("`([^`]+)`", names)}
    modules = {str(path.relative_to(PACKAGE)) for path in MODULES if path.name != "__init__.py"}
    own = {name for name in modules if (ROOT / "tests" / name).with_name(f"test_{Path(name).name}").is_file()}
    assert sorted(told) == sorted(modules - own), "tests/README.md names the modules without a test file of their own"
    assert not [test for tests in told.values() for test in tests if not (ROOT / "tests" / test).is_file()]


def test_public_functions_are_documented():
    """Everything public at the top of a module has a docstring; so have public methods, properties aside."""
    bare = []
    for path in MODULES:
        for node in _tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                members = node.body if isinstance(node, ast.ClassDef) else []
                public = [m for m in members if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
                # Lightning and torch document their hooks themselves.
                public = [m for m in public if m.name != "forward" and "_step" not in m.name]
                bare += [f"{_module(path)}.{item.name}" for item in (node, *public) if not ast.get_docstring(item)]
    assert not bare


def test_functions_are_short():
    long = []
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                lines = node.end_lineno - first.lineno + 1
                if lines > 60:
                    long.append(f"{_module(path)}.{node.name} ({lines} lines)")
    assert not long


def test_no_error_is_swallowed():
    """Who catches everything, say around a library that raises anything, must raise again or say so."""
    silent = []
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ExceptHandler) and (not node.type or ast.unparse(node.type).endswith("Exception")):
                inside = list(ast.walk(node))
                raises = any(isinstance(item, ast.Raise) for item in inside)
                says = any(ast.unparse(item) in ("log.warning", "log.error") for item in inside)
                silent += [] if raises or says else [f"{_module(path)}, line {node.lineno}"]
    assert not silent


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
    """Shipped weights may have 12 MB, nothing else more than 5."""
    most = {".safetensors": 12_000_000}
    assert not [path for path in _tracked() if path.stat().st_size > most.get(path.suffix, 5_000_000)]
