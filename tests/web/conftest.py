"""A server in a thread, with a small network that has not learnt anything."""

import contextlib
import io
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

import digit
from digit.predictor.engine import Engine


@pytest.fixture(scope="session")
def engine(checkpoint):
    """Takes every hand for present, so that there is something to draw."""
    return Engine(digit.load_model(checkpoint, device="cpu"), None, 0.0, "best.ckpt")


@contextlib.contextmanager
def serving(engine):
    """The address of a server."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    from digit.web.server import address, bind, make_server

    listener, server = bind(0), make_server(engine)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield address(listener)
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def serve():
    """Function that serves an engine: ``with serve(engine) as address``."""
    return serving


@pytest.fixture(scope="module")
def server(engine):
    """The address of a server that runs as long as the tests of a file."""
    with serving(engine) as address:
        yield address


@pytest.fixture(scope="session")
def picture():
    """A PNG file of 80 x 60 px in memory, and its pixels."""
    pixels = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue(), pixels


@pytest.fixture(scope="session")
def with_size(picture):
    """Function that lets the header of the small picture tell of another size; its pixels stay as few."""

    def change(side: int) -> bytes:
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        return picture[0][:12] + header + struct.pack(">I", zlib.crc32(header)) + picture[0][33:]

    return change
