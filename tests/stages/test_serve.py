"""The command itself, in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests

from digit.run.errors import UserError


@pytest.fixture
def command(checkpoint, tmp_path):
    pytest.importorskip("fastapi")
    folders = {name: tmp_path / name for name in ("work", "temporary")}
    for folder in folders.values():
        folder.mkdir()
    arguments = [sys.executable, "-m", "digit", "serve", "--checkpoint", str(checkpoint), "--port", "0"]
    environment = os.environ | {"TMPDIR": str(folders["temporary"]), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        arguments, cwd=folders["work"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process, folders
    process.kill()
    process.wait()


def test_the_command_serves_this_computer_alone_and_leaves_nothing(command):
    process, folders = command
    line = process.stdout.readline()
    assert line.startswith("digit serve: http://127.0.0.1:") and line.endswith("(Ctrl-C ends it)\n"), (
        process.stdout.read()
    )
    address = line.split()[2]
    picture = cv2.imencode(".bmp", np.full((900, 1200, 3), 90, np.uint8))[1].tobytes()  # more than a spooled file's MB
    answer = requests.post(f"{address}predict", data=picture, timeout=60)
    assert answer.status_code == 200 and answer.json()["record"]["width"] == 1200
    port = int(address.rstrip("/").rpartition(":")[2])
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    open_ports = [fields[1] for fields in sockets if fields[3] == "0A"]
    assert [place for place in open_ports if place.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    assert not list(folders["work"].iterdir()) and not list(folders["temporary"].iterdir())
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[0]
    assert process.returncode in (0, 130, -signal.SIGINT) and "Traceback" not in rest


def test_a_port_that_is_taken_is_said_before_the_network_is_read(tmp_path):
    pytest.importorskip("fastapi")
    from digit.stages.serve import serve

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port}: cannot be used .*choose another with --port"):
            serve(tmp_path / "none.ckpt", port)


def test_without_the_extra_the_remedy_is_said(tmp_path, monkeypatch):
    from digit.stages.serve import serve

    for name in [name for name in sys.modules if name.startswith("digit.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UserError, match=r"pip install 'digit\[web\]'"):
        serve(tmp_path / "none.ckpt", 0)
