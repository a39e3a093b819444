"""One file from the web to the disk: continued where an earlier try broke off, and checked by its hash."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from segdemo.models.web import Answer, Interrupted, Unavailable, ask, retried

Progress = Callable[[int, int | None], None]  # bytes done, bytes in all (None: unknown)

_CHUNK_BYTES = 1 << 18


def download(
    url: str,
    target: Path,
    lock: Path,
    progress: Progress,
    sha256: str = "",
    size: int | None = None,
    token: str | None = None,
) -> None:
    """Fetch a file, unless it is there and intact; what comes before a break stays in `<target>.incomplete`.

    lock: file that keeps other threads and programs from fetching the same at once; they wait and share.
    sha256: the hash in hex or its beginning; "" where the source gives none.
    Raises `Unavailable`, and `OSError` where the disk refuses.
    """
    if intact(target, sha256):
        return
    part = target.with_name(f"{target.name}.incomplete")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(lock, lambda: progress(_size(part), size)):
        if intact(target, sha256):
            return
        retried(lambda: _continue(url, part, token, size, progress))
        if not intact(part, sha256):
            part.unlink()
            host = urlsplit(url).netloc
            raise Unavailable(f"what {host} sent is damaged (its SHA-256 is not {sha256[:8]}…) and was removed")
        os.replace(part, target)


def intact(path: Path, expected: str) -> bool:
    """Whether the file is there and its hash begins so; it is read once as long as it does not change."""
    if not path.is_file():
        return False
    return not expected or file_sha256(path).startswith(expected)


def file_sha256(path: Path) -> str:
    """The file's hash; it is read once as long as it does not change."""
    found = path.stat()
    return _sha256(path, found.st_size, found.st_mtime_ns)


def readable(size_bytes: int) -> str:
    """A size for a person: 170 MB, 4.2 MB, 12 kB."""
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1e3:.0f} kB"
    return f"{size_bytes / 1e6:.{0 if size_bytes >= 10_000_000 else 1}f} MB"


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _exclusive(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    while not held.is_locked:
        try:
            held.acquire(timeout=1)
        except Timeout:
            waiting()
    try:
        yield
    finally:
        held.release()


def _continue(url: str, part: Path, token: str | None, size: int | None, progress: Progress) -> None:
    """Fetch what `part` still lacks.

    Without If-Range: our files are named by their hash, and the storage host's ETag is not the hub's.
    """
    have = _size(part)
    if have and have == size:
        return
    host = urlsplit(url).netloc
    with ask(url, token, first_byte=have) as answer:
        if answer.status == 416:
            part.unlink()
            raise Interrupted(f"the {readable(have)} kept from an earlier try did not fit and were removed")
        if answer.status not in (200, 206):
            raise Unavailable(f"{host} answers {answer.status}")
        if answer.status == 200:  # the host ignores ranges: from the beginning
            have = 0
        rest = answer.headers.get("Content-Length", "")
        total = have + int(rest) if rest.isdecimal() else size
        _check_room(part.parent, (total or 0) - have)
        with open(part, "ab" if have else "wb") as file:
            _copy(answer, file, host, have, total, progress)


def _check_room(folder: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(folder).free < needed_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _copy(answer: Answer, file: IO[bytes], host: str, have: int, total: int | None, progress: Progress) -> None:
    def broken_off() -> str:
        of = f" of {readable(total)}" if total else ""
        return f"the connection to {host} broke off after {readable(have)}{of}, which the next try continues"

    progress(have, total)
    while True:
        try:
            chunk = answer.read(_CHUNK_BYTES)
        except TimeoutError as error:
            raise Unavailable(broken_off()) from error
        except (OSError, HTTPException) as error:
            raise Interrupted(broken_off()) from error
        if not chunk:
            break
        file.write(chunk)
        have += len(chunk)
        progress(have, total)
    if total is not None and have < total:
        raise Interrupted(broken_off())
