"""One HTTP request for a file, from some byte on, and what any other answer than the file means, in words."""

import datetime
import email.utils
import re
from collections.abc import Iterator
from http import HTTPStatus

import requests
import urllib3
from requests import exceptions

from digit import __version__

CHUNK = 1 << 18
HEADERS = {"User-Agent": f"digit/{__version__}", "Accept-Encoding": "identity"}
WAIT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that say: not now."""
SNIFFED = 512
PAGE = re.compile(rb"\s*(?:<!doctype html|<html)", re.IGNORECASE)
RANGE = re.compile(r"bytes (?:(?P<first>\d+)-\d+|\*)/(?P<size>\d+|\*)")


class AnswerError(Exception):
    """An answer that is not, or not all of, the file."""

    def __init__(self, words: str, lasting: bool = False, pause_s: float | None = None) -> None:
        """``lasting``: asking again is useless; ``pause_s``: how long the server asks to wait."""
        super().__init__(words)
        self.words, self.lasting, self.pause_s = words, lasting, pause_s


def size_of(session: requests.Session, url: str, timeout_s: float) -> int | None:
    """Size of a file as the server states it, bytes; None when it does not."""
    try:
        with session.head(url, headers=HEADERS, timeout=timeout_s, allow_redirects=True) as answer:
            length = answer.headers.get("Content-Length", "")
            return int(length) if answer.ok and length.isdecimal() and not _is_page(answer) else None
    except OSError:  # as all errors of requests are
        return None


def read_from(session: requests.Session, url: str, start: int, timeout_s: float) -> Iterator[bytes]:
    """Yield the bytes of a file from byte ``start`` on; none when the server says that it ends there, or before.

    Raises:
        AnswerError: whatever the server or the network did instead, after the bytes that came before it.
    """
    headers = HEADERS | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with session.get(url, headers=headers, timeout=timeout_s, stream=True) as answer:
            if start and answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            skip = _require_file(answer, start)
            position = 0
            # What has come is taken at once, so that a cut connection loses none of it.
            while chunk := answer.raw.read1(CHUNK, decode_content=False):
                if not position and skip == start and PAGE.match(chunk[:SNIFFED]):
                    raise AnswerError(_PAGE_WORDS, lasting=True)
                rest = chunk[max(skip - position, 0) :]
                position += len(chunk)
                if rest:
                    yield rest
    except (exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _explain(error, timeout_s) from error


_PAGE_WORDS = (
    "answered with a web page instead of the file; a login page of your network, or a page that says that the file has "
    "moved"
)


def _require_file(answer: requests.Response, start: int) -> int:
    """Make sure that an answer is the file; how many of its first bytes to skip."""
    status = answer.status_code
    if status in WAIT:
        words = "too many requests" if status == HTTPStatus.TOO_MANY_REQUESTS else "the server is overloaded or broken"
        raise AnswerError(f"answered {status}: {words}", pause_s=_asked_pause(answer))
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise AnswerError(f"answered {status}: it has no such file", lasting=True)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        raise AnswerError(f"answered {status}: it does not let you have the file", lasting=True)
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise AnswerError(f"answered {status} {answer.reason}", lasting=True)
    if _is_page(answer):
        raise AnswerError(_PAGE_WORDS, lasting=True)
    if status == HTTPStatus.OK:
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) < start:
            raise AnswerError(f"has a file of {int(length):,} bytes, but {start:,} are here already", lasting=True)
        return start
    stated = RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if stated is None or stated["first"] != str(start):
        raise AnswerError("answered with another part of the file than it was asked for", lasting=True)
    return 0


def _is_page(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type", "").lower().startswith("text/html")


def _asked_pause(answer: requests.Response) -> float | None:
    """Seconds that the server asks to wait, given as a number or as a time."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=datetime.UTC)
    return max((until - datetime.datetime.now(datetime.UTC)).total_seconds(), 0.0)


def _explain(error: Exception, timeout_s: float) -> AnswerError:
    """Say what a failure of the network, or of an address, means."""
    if isinstance(error, exceptions.TooManyRedirects):
        return AnswerError("redirects in a circle", lasting=True)
    if isinstance(error, exceptions.SSLError):
        return AnswerError("its certificate is not trusted; a proxy of your network may be in between", lasting=True)
    if isinstance(error, exceptions.InvalidSchema | exceptions.MissingSchema | exceptions.InvalidURL):
        return AnswerError("is no address (http:// or https://)", lasting=True)
    if isinstance(error, exceptions.ProxyError):
        return AnswerError("cannot be reached through the proxy that HTTP_PROXY or HTTPS_PROXY names")
    if isinstance(error, exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return AnswerError(f"sent nothing for {timeout_s:.0f} s")
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return AnswerError("cut the connection")
    if isinstance(error, exceptions.ConnectionError):
        return AnswerError("cannot be reached, or cut the connection")
    return AnswerError(f"cannot be read ({error})", lasting=True)
