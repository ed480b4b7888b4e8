"""The conda environments pin what requirements.lock pins."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)(?: ; ([^\\\n]+?))? *\\$", re.MULTILINE)


def _locked(python: str) -> dict[str, str]:
    """Versions that the lock file gives on Linux for one version of Python."""
    machine = {"python_full_version": f"{python}.9", "python_version": python, "sys_platform": "linux"}
    machine |= {"platform_machine": "x86_64"}
    lines = LINE.findall((ROOT / "requirements.lock").read_text())
    return {name: version for name, version, marker in lines if not marker or Marker(marker).evaluate(machine)}


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda file: file.stem)
def test_pins_are_those_of_the_lock_file(file):
    *packages, pip = yaml.safe_load(file.read_text())["dependencies"]
    python = next(package for package in packages if package.startswith("python=")).partition("=")[2]
    locked = _locked(python)
    pins = dict(pin.split("==") for pin in pip["pip"])
    assert pins == {name: locked[name] for name in pins}
    assert list(pins) == sorted(pins)


def test_the_lock_file_names_no_host():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text and "--index-url" not in text and "--find-links" not in text


def test_every_package_of_the_lock_file_has_a_hash():
    text = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)
