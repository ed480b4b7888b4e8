"""A real HTTP server on loopback that gives files in ranges, and misbehaves on order."""

import functools
import http.server
import itertools
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class ReleaseServer(http.server.ThreadingHTTPServer):
    """Serves the files of a folder below its address.

    ``faults[name]`` are what happens to the next GET requests of a file, one each:

    - ``cut N``: the connection ends after N bytes of the body; ``status N``: this status, with Retry-After: 0
    - ``whole``: a range is ignored; ``change N``: byte N of the file is another
    - ``short N``: the file is said to have, and has, N bytes less; ``long N``: it is said to have N bytes more
    - ``page``: a web page with status 200; ``page as file``: the same, as if it were the file
    - ``redirect``: to where the file is; ``circle``: to itself
    - ``stall``: nothing, for a second

    ``always[name]`` happens to every request.
    """

    daemon_threads = True

    def __init__(self, folder: Path, bytes_per_second: float = float("inf")) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.bytes_per_second = folder, bytes_per_second
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.always: dict[str, str] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        """Method, file and range of each request."""
        self.sent: Counter[str] = Counter()
        """Bytes of each file that were sent."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mirror/"

    def __enter__(self) -> "ReleaseServer":
        threading.Thread(target=functools.partial(self.serve_forever, 0.05), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ReleaseServer

    def do_HEAD(self) -> None:
        path = self.server.folder / self._name()
        self._head(200 if path.is_file() else 404, path.stat().st_size if path.is_file() else 0)

    def do_GET(self) -> None:
        name, stated = self._name(), self.headers.get("Range")
        self.server.requests.append(("GET", name, stated))
        faults = self.server.faults[name]
        fault, _, number = (faults.pop(0) if faults else self.server.always.get(name, "")).partition(" ")
        path = self.server.folder / name
        if fault == "status":
            self._head(int(number), 0, {"Retry-After": "0"})
        elif fault == "page":
            self._head(200, len(PAGE), {"Content-Type": "application/x-tar" if number else "text/html; charset=utf-8"})
            self.wfile.write(PAGE)
        elif fault in ("redirect", "circle"):
            self._head(302, 0, {"Location": f"/elsewhere/{name}" if fault == "redirect" else self.path})
        elif fault == "stall":
            time.sleep(1)
            self.close_connection = True
        elif not path.is_file():
            self._head(404, 0)
        else:
            self._file(name, bytearray(path.read_bytes()), stated, fault, int(number or 0))

    def _file(self, name: str, content: bytearray, stated: str | None, fault: str, number: int) -> None:
        if fault == "change":
            content[number] ^= 1
        if fault == "short":
            del content[len(content) - number :]
        match = re.fullmatch(r"bytes=(\d+)-", stated or "")
        start = int(match[1]) if match and fault != "whole" else 0
        claimed = len(content) + (number if fault == "long" else 0)
        if start and start >= claimed:
            self._head(416, 0, {"Content-Range": f"bytes */{claimed}"})
            return
        ranged = {"Content-Range": f"bytes {start}-{claimed - 1}/{claimed}"} if start else {}
        self._head(206 if start else 200, claimed - start, ranged)
        body = content[start:]
        for chunk in self._chunks(body[: number if fault == "cut" else None]):
            self.wfile.write(chunk)
            self.server.sent[name] += len(chunk)
        self.close_connection = fault in ("cut", "long")

    def _chunks(self, body: bytearray) -> Iterator[bytearray]:
        size = int(min(max(self.server.bytes_per_second / 50, 1), 1 << 16))
        for place in itertools.count(0, size):
            if place >= len(body):
                return
            yield body[place : place + size]
            if size < 1 << 16:
                time.sleep(0.02)

    def _name(self) -> str:
        return self.path.rpartition("/")[2]

    def _head(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in ({"Content-Type": "application/octet-stream"} | (headers or {})).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
