"""The set-up explains what is missing in one sentence."""

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "workflow" / "scripts" / "setup.sh"


def _set_up(folder, python):
    """Run the set-up with a script instead of Python, given as the body of a shell script."""
    stub = folder / "python-stub"
    stub.write_text(f"#!/bin/bash\n{python}\n")
    stub.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(stub)}
    return subprocess.run(["bash", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("exit 1", "is older than Python 3.11; name a newer one: make PYTHON=python3.12"),
        ('[[ "$2" != *ensurepip* ]]', "install the package python3-venv"),
    ],
)
def test_what_is_missing_is_named(tmp_path, python, sentence):
    result = _set_up(tmp_path, python)
    assert result.returncode == 1
    assert sentence in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_a_failed_installation_shows_its_last_lines(tmp_path):
    (tmp_path / "requirements.lock").write_text("absent==1.0 \\\n    --hash=sha256:00\n")
    venv = (
        '[[ "$1 $2" == "-m venv" ]] && { mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/pip; exit 0; }'
    )
    pip = '[[ "$1 $2" == "-m pip" ]] && { echo "ERROR: no such package"; exit 1; }'
    result = _set_up(tmp_path, f"{venv}\n{pip}\nexit 0")
    assert result.returncode == 1
    assert "ERROR: no such package" in result.stderr and ".venv/install.log" in result.stderr


LOCK = """\
harmless==1.0 \\
    --hash=sha256:{harmless}
nvidia-cublas==13.4.1.3 ; sys_platform == 'linux' \\
    --hash=sha256:00
cuda-toolkit==13.2.2 \\
    --hash=sha256:00
torch==2.15.0 \\
    --hash=sha256:00
torchmetrics==1.9.0 \\
    --hash=sha256:{torchmetrics}
torchvision==0.29.2 \\
    --hash=sha256:00
triton==3.9.0 \\
    --hash=sha256:00
"""


BACKEND = """\
import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    info = "mine-1.dist-info"
    with zipfile.ZipFile(pathlib.Path(folder) / "mine-1-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1\\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return "mine-1-py3-none-any.whl"
"""


def _wheel(folder, name, version):
    """A package without content; returns its SHA-256."""
    folder.mkdir(exist_ok=True)
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _make(folder, *words):
    """The repository's own make, real Python and pip, and nothing of this machine's settings of pip."""
    private = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "MAKE"))}
    private |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels")}
    command = ["make", "--file", str(ROOT / "Makefile"), *words, "ready"]
    return subprocess.run(command, cwd=folder, env=private, capture_output=True, text=True, check=False)


def _installed(folder):
    names = {path.name.removesuffix(".dist-info") for path in (folder / ".venv").rglob("*.dist-info")}
    return {name for name in names if not name.startswith(("pip-", "setuptools-", "mine-"))}


@pytest.fixture
def clone(tmp_path):
    """A clone of very few packages, and an index of builds of torch for the CPU."""
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    wheels = {"harmless": "1.0", "torchmetrics": "1.9.0"}
    sums = {name: _wheel(tmp_path / "wheels", name, version) for name, version in wheels.items()}
    (tmp_path / "requirements.lock").write_text(LOCK.format(**sums))
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (tmp_path / "pyproject.toml").write_text(build)
    (tmp_path / "backend.py").write_text(BACKEND)
    _wheel(tmp_path / "cpu builds", "torch", "2.15.0+cpu")
    return tmp_path


def test_torch_for_the_cpu_comes_from_the_named_index_without_cuda(clone):
    words = ("TORCH=cpu", f"INDEX={clone / 'cpu builds'}")
    lacking = _make(clone, *words)
    assert lacking.returncode, "the index has no torchvision"
    assert "does not give torch==2.15.0 torchvision==0.29.2 for this Python" in lacking.stderr
    _wheel(clone / "cpu builds", "torchvision", "0.29.2+cpu")
    made = _make(clone, *words)
    assert made.returncode == 0, made.stdout + made.stderr
    expected = {"harmless-1.0", "torch-2.15.0+cpu", "torchmetrics-1.9.0", "torchvision-0.29.2+cpu"}
    assert _installed(clone) == expected and "about 2.5 GB" in made.stdout
    again = _make(clone)
    assert again.returncode == 0 and "Installing" not in again.stdout, "the choice holds for later commands"
    back = _make(clone, "TORCH=")
    assert back.returncode and "the installation failed" in back.stderr, "it asks for CUDA's packages again"
    assert _installed(clone) == {"harmless-1.0", "torchmetrics-1.9.0"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["TORCH=cpu"], "name it: make demo TORCH=cpu INDEX=https://"),
        (["TORCH=gpu"], "TORCH=gpu is unknown; say TORCH=cpu"),
    ],
)
def test_what_is_wrong_with_a_choice_of_torch_is_said(clone, words, sentence):
    made = _make(clone, *words)
    assert made.returncode and sentence in made.stderr and not (clone / ".venv").exists()
