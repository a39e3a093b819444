"""Asking a host on the web: an answer or one reason why there is none, and no long wait for a silent host."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from email.message import Message
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from typing import IO, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

TIMEOUT_S = float(os.environ.get("SEGDEMO_TIMEOUT_S", "10"))  # without a sign of life
PAUSES_S = (0.5, 2.0)  # before the second and the third try

Answer = HTTPResponse | HTTPError  # urllib gives the status codes outside 2xx as errors, which read like answers
_T = TypeVar("_T")


class Unavailable(Exception):
    """Why something cannot be had, as half a sentence for a person."""


class NotFound(Unavailable):
    """The host does not have it."""


class Refused(Unavailable):
    """The host wants to know who asks."""


class Interrupted(Unavailable):
    """The host stumbled or the connection broke: another try may go well."""


def head(url: str, token: str | None) -> Message:
    """The headers that a HEAD request is answered with. Raises `Unavailable`."""

    def attempt() -> Message:
        with ask(url, token, method="HEAD") as answer:
            return answer.headers

    return retried(attempt)


def ask(url: str, token: str | None, first_byte: int = 0, method: str = "GET") -> Answer:
    """The host's answer: success, 416 (no such range), or a redirect that `_Redirects` does not follow.

    token: sent to the host asked, not to those it redirects to.
    Raises `Unavailable` for everything else.
    """
    host = urlsplit(url).netloc
    try:
        return _open(_request(url, token, first_byte, method))
    except HTTPError as error:
        if error.code < 400 or error.code == 416:
            return error
        error.close()
        raise _refusal(error.code, host) from error
    except (OSError, HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise Unavailable(f"{host} does not answer") from error
        if isinstance(cause, socket.gaierror):
            raise Unavailable(f"{host} cannot be found (no network?)") from error
        raise Unavailable(f"{host} cannot be reached ({cause})") from error


def retried(attempt: Callable[[], _T]) -> _T:
    """What `attempt` returns, tried again where it was `Interrupted`: three times in all."""
    for pause_s in PAUSES_S:
        with suppress(Interrupted):
            return attempt()
        time.sleep(pause_s)
    return attempt()


def _request(url: str, token: str | None, first_byte: int, method: str) -> Request:
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unavailable(f"{url} is no web address")
    request = Request(url, headers={"User-Agent": "segdemo"}, method=method)  # noqa: S310 - checked above
    if first_byte:
        request.add_header("Range", f"bytes={first_byte}-")
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _open(request: Request) -> HTTPResponse:
    """Open with a limit on the whole.

    urllib's own limit holds for each address of a host, and not for looking up its name: behind a silent
    firewall that adds up to minutes.
    """
    answer: Future[HTTPResponse] = Future()

    def work() -> None:
        try:
            answer.set_result(_opener().open(request, timeout=TIMEOUT_S))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return answer.result(timeout=2 * TIMEOUT_S)


@lru_cache(maxsize=1)
def _opener() -> OpenerDirector:
    trusted = ssl.create_default_context()
    with suppress(ImportError):  # some builds of Python (python.org's on a Mac) miss the system's certificates
        import certifi

        trusted.load_verify_locations(certifi.where())
    return build_opener(_Redirects, HTTPSHandler(context=trusted))


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, but a HEAD request not away from the answer that describes the file.

    The hub sends large files to a storage host; their hash and commit stand on the redirect alone.
    """

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if req.get_method() == "HEAD" and "X-Linked-Etag" in headers and "X-Repo-Commit" in headers:
            return None
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if followed is not None:
            followed.method = req.get_method()  # Python 3.12 and older would make GET of HEAD
        return followed


def _refusal(status: int, host: str) -> Unavailable:
    if status in (404, 410):
        return NotFound(f"{host} does not have it ({status})")
    if status in (401, 403):
        return Refused(f"{host} refuses it ({status})")
    if status >= 500 or status in (408, 429):
        return Interrupted(f"{host} is out of order or busy ({status}), try again later")
    return Unavailable(f"{host} answers {status}")
