"""The address on this computer, and nowhere else."""

import socket

import uvicorn

from digit.predictor.engine import Engine
from digit.run.errors import UserError
from digit.web.app import create_app

ADDRESS = "127.0.0.1"
MOST_CONNECTIONS = 64


def bind(port: int) -> socket.socket:
    """Take a port of this computer that others cannot reach; 0 takes a free one. Who comes early waits.

    Raises:
        UserError: when the port is taken or not allowed.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UserError(f"port {port}: cannot be used ({error.strerror}); choose another with --port") from error
    return listener


def address(listener: socket.socket) -> str:
    """Where the page is."""
    return f"http://{ADDRESS}:{listener.getsockname()[1]}/"


def make_server(engine: Engine) -> uvicorn.Server:
    """A server that answers where its ``run`` is told to."""
    config = uvicorn.Config(
        create_app(engine), log_level="warning", access_log=False, server_header=False,
        limit_concurrency=MOST_CONNECTIONS, timeout_graceful_shutdown=2,
    )  # fmt: skip
    return uvicorn.Server(config)
