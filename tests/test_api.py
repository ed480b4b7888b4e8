"""What programs of others rely on: names, types, documentation, and the examples, run as they stand."""

import ast
import inspect
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import digit
from digit.config import to_dict

ROOT = Path(__file__).parents[1]
PROMISED = {"load_model", "Predictor", "Pose", "open_dataset", "evaluate", "load_hands", "render_parts"}


def test_the_names_are_listed_and_there():
    assert set(digit.__all__) >= PROMISED and digit.__all__ == sorted(digit.__all__)
    assert set(dir(digit)) >= {*digit.__all__, "__version__"}
    for name in digit.__all__:
        assert getattr(digit, name).__name__ == name
    with pytest.raises(AttributeError, match="load_modle"):
        _ = digit.load_modle


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(digit.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name: node.module for node in guarded.body for alias in node.names}
    assert imported == {name: f"digit.{home}" for name, home in digit._HOMES.items()}
    assert set(imported) == set(digit.__all__)
    assert files("digit").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", sorted(PROMISED - {"Pose"}))
def test_documentation_has_an_example(name):
    item = getattr(digit, name)
    assert ">>> " in inspect.getdoc(item)
    function = item.__init__ if inspect.isclass(item) else item
    hints = inspect.signature(function).parameters.values()
    assert all(hint.annotation is not inspect.Parameter.empty for hint in hints if hint.name != "self")


def test_importing_the_package_loads_nothing():
    code = "import sys, digit; dir(digit); sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'numpy', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def example(name, *arguments, cwd):
    path = ROOT / "examples" / f"{name}.py"
    assert len(path.read_text().splitlines()) <= 30, "short enough to be read in a minute"
    code = f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); runpy.run_path({str(path)!r}, run_name='__main__')"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_example_predict(checkpoint, tmp_path):
    cv2.imwrite(str(tmp_path / "hand.jpg"), np.full((60, 80, 3), 128, np.uint8))
    out = example("predict", checkpoint, "hand.jpg", "overlay.png", cwd=tmp_path)
    assert out.startswith("right hand: ") and "right wrist at (" in out
    assert cv2.imread(str(tmp_path / "overlay.png")).shape[1] == 880


def test_examples_dataset_and_score(evaluated_run, tmp_path):
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(to_dict(evaluated_run.config)))
    out = example("dataset", "my.yaml", "test", cwd=tmp_path)
    assert out.startswith("12 samples of test, the first is Capture") and "(4, 42, 3)" in out
    out = example("score", "my.yaml", "test", evaluated_run.checkpoint, cwd=tmp_path)
    assert [line.split()[0] for line in out.splitlines()][:3] == ["mpjpe_sh", "mpjpe_ih", "mpjpe_all"]


def test_example_render(tmp_path):
    out = example("render", "open", "mask.png", cwd=tmp_path)
    assert "of the picture show a hand, in 32 parts" in out, "nothing hides anything"
    assert cv2.imread(str(tmp_path / "mask.png")).shape == (240, 320, 3)
