"""Compiled code where neither the package nor a home folder can be written, as in an installation that users share."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import digit

CODE = "import digit.release.json_records; print('imported')"


@pytest.fixture
def as_reader(tmp_path):
    """Function that runs Python on a copy of the package that nobody can write, without a home folder."""
    shutil.copytree(
        Path(digit.__file__).parent, tmp_path / "shared/digit", ignore=shutil.ignore_patterns("__pycache__")
    )
    powerless = []
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root can write everywhere, and there is no setpriv to change that")
        powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    for path in (tmp_path / "shared").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "tmp").mkdir()

    def run(*arguments, **environment):
        variables = {"PATH": "/usr/bin:/bin", "HOME": "/proc/none", "TMPDIR": f"{tmp_path}/tmp"}
        variables |= {"PYTHONPATH": f"{tmp_path}/shared"} | environment
        words = [*powerless, "env", "-i", *(f"{key}={value}" for key, value in variables.items()), sys.executable]
        return subprocess.run([*words, *arguments], capture_output=True, text=True, check=False, timeout=120, cwd="/")

    yield run
    for path in (tmp_path / "shared").rglob("*"):
        path.chmod(0o755)


@pytest.fixture
def private(tmp_path):
    return tmp_path / "tmp" / f"digit-numba-{os.getuid()}"


def test_a_private_folder_takes_the_code_and_serves_the_next_command(as_reader, private, mini_release, tmp_path):
    """Case 14 of the reports: every stage ended in numba's traceback."""
    config = tmp_path / "config.yaml"
    config.write_text(f"run: {{folder: {tmp_path}/results}}\ndata: {{source: interhand, root: {mini_release}}}\n")
    contents = []
    for _ in range(2):
        ran = as_reader("-m", "digit", "index", "--split", "val", "--config", str(config))
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr.count(f"it is kept in {private}") == 1 and "Traceback" not in ran.stderr
        contents.append({path: path.stat().st_mtime_ns for path in private.rglob("*.nb*")})
    assert contents[0] and contents[0] == contents[1]
    assert private.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["writable by others", "a link", "a file"])
def test_what_others_could_write_is_never_run(as_reader, private, tmp_path, trap):
    if trap == "a file":
        private.touch()
    else:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        private.symlink_to(tmp_path / "elsewhere") if trap == "a link" else private.mkdir()
        private.chmod(0o700 if trap == "a link" else 0o777)
    ran = as_reader("-c", CODE)
    assert ran.returncode == 0 and ran.stdout == "imported\n", ran.stderr
    assert len(ran.stderr.splitlines()) == 1 and "every command compiles it anew" in ran.stderr
    assert trap == "a file" or not list(private.iterdir())


def test_a_cache_folder_of_the_users_own_is_kept_to(as_reader, private, tmp_path):
    (tmp_path / "mine").mkdir()
    ran = as_reader("-c", CODE, NUMBA_CACHE_DIR=f"{tmp_path}/mine")
    assert ran.returncode == 0 and ran.stderr == "" and not private.exists()
    unusable = as_reader("-c", CODE, NUMBA_CACHE_DIR="/proc/none")
    assert unusable.returncode == 0 and f"it is kept in {private}" in unusable.stderr
