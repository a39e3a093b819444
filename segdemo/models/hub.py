"""Checkpoints of the Hugging Face hub: its cache on this disk, and what is fetched into it.

The cache's layout (blobs named by hash, snapshots that point to them, refs) is documented by the hub's
library and shared by its users. The files come through `download`, not through the library: versions 1.33
to 2.4 throw away what came before a break, and ask a hub that does not answer for minutes.
"""

import json
import os
import re
import threading
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

from huggingface_hub import constants, get_token

from segdemo.errors import WeightsError
from segdemo.models.download import Progress, download, intact
from segdemo.models.web import NotFound, Refused, Unavailable, ask, head

_CONFIGS = ("config.json", "preprocessor_config.json")
_INDEX = "model.safetensors.index.json"
_WEIGHTS = ("model.safetensors", _INDEX, "pytorch_model.bin")  # the first that there is; never any code

_MOST_CONFIG_BYTES = 4_000_000
_LONGEST_LICENCE = 80

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.safetensors")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ETAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _RemoteFile:
    """A file of one commit, as the hub describes it."""

    repo: str
    name: str
    commit: str
    etag: str  # the SHA-256 of large files, git's hash of small ones
    size: int | None

    @property
    def blob(self) -> Path:
        return _folder(self.repo) / "blobs" / self.etag

    @property
    def pointer(self) -> Path:
        return _folder(self.repo) / "snapshots" / self.commit / self.name

    @property
    def lock(self) -> Path:  # the one that the library takes
        return Path(constants.HF_HUB_CACHE) / ".locks" / _folder(self.repo).name / f"{self.etag}.lock"


def check_id(repo: str) -> None:
    """Raise `WeightsError` for what cannot be an id of the hub: ids become part of paths and addresses."""
    if not _ID.fullmatch(repo) or ".." in repo:
        raise WeightsError(f"{repo!r} is no id of the Hugging Face hub.")


def lacks(folder: Path) -> str | None:
    """The first file that a checkpoint's folder is without; None where it is complete."""
    try:
        return next((name for name in _required(folder) if not (folder / name).is_file()), None)
    except Unavailable:
        return f"a readable {_INDEX}"


def cached(repo: str, revision: str) -> Path | None:
    """The snapshot in the hub's cache, if it is complete."""
    ref = _ref(repo, revision)
    commit = ref.read_text().strip() if ref.is_file() else revision
    snapshot = _folder(repo) / "snapshots" / commit
    return snapshot if lacks(snapshot) is None else None


def fetch(repo: str, revision: str, progress: Progress) -> Path:
    """The snapshot in the hub's cache; what is missing or damaged is fetched.

    Raises `Unavailable`, and `OSError` where the disk refuses.
    """
    snapshot = cached(repo, revision)
    if snapshot is not None and all(_unchanged(snapshot / name) for name in _required(snapshot)):
        return snapshot
    if constants.is_offline_mode():
        raise Unavailable("HF_HUB_OFFLINE forbids to fetch it")
    files = _list(repo, revision)
    commit = files[0].commit
    if files[-1].name == _INDEX:
        _fetch_all(files[-1:], progress)
        files += [_describe(repo, commit, name) for name in _shards(files[-1].pointer)]
    _fetch_all(files, progress)
    if revision != commit:
        _write(_ref(repo, revision), commit)
    return files[0].pointer.parent


@dataclass(frozen=True)
class Description:
    """What is known of a checkpoint before its weights are fetched.

    folder: its snapshot in the cache, which holds its configurations. download_bytes: all that `fetch` would fetch.
    licence: as its page names it, "" where it does not.
    """

    folder: Path
    commit: str
    download_bytes: int
    licence: str


def describe(repo: str, revision: str) -> Description:
    """Look at a checkpoint: its configurations are fetched, which are small, and nothing else.

    What is in the cache whole is not asked for again, but for its licence. Raises `Unavailable`, and `OSError` where
    the disk refuses.
    """
    snapshot = cached(repo, revision)
    if snapshot is not None:
        size = sum((snapshot / name).stat().st_size for name in _required(snapshot))
        return Description(snapshot, snapshot.name, size, _licence(repo, snapshot.name))
    if constants.is_offline_mode():
        raise Unavailable("HF_HUB_OFFLINE forbids to look for it")
    files = _list(repo, revision)
    small = [file for file in files if file.name in (*_CONFIGS, _INDEX)]
    if any((file.size or 0) > _MOST_CONFIG_BYTES for file in small):
        raise Unavailable(f"the configuration of {repo} is too large to be one")
    _fetch_all(small, lambda done, total: None)
    if files[-1].name == _INDEX:
        files += [_describe(repo, files[-1].commit, name) for name in _shards(files[-1].pointer)]
    commit = files[0].commit
    if revision != commit:
        _write(_ref(repo, revision), commit)
    return Description(files[0].pointer.parent, commit, sum(file.size or 0 for file in files), _licence(repo, commit))


def _licence(repo: str, commit: str) -> str:
    """What the hub says of a commit's licence; "" where it says nothing or cannot be asked."""
    if constants.is_offline_mode():
        return ""
    try:
        with ask(f"{constants.ENDPOINT}/api/models/{repo}/revision/{commit}", _token()) as answer:
            said = json.loads(answer.read(_MOST_CONFIG_BYTES)).get("cardData") or {}
        names = [said.get("license_name"), said.get("license")]
        return next((name for name in names if isinstance(name, str) and name), "")[:_LONGEST_LICENCE]
    except (Unavailable, OSError, HTTPException, ValueError, AttributeError):
        return ""


def _list(repo: str, revision: str) -> list[_RemoteFile]:
    """What a checkpoint consists of, all of one commit; weights last."""
    config = _describe(repo, revision, _CONFIGS[0])
    configs = [config, *(_describe(repo, config.commit, name) for name in _CONFIGS[1:])]
    for name in _WEIGHTS:
        try:
            return [*configs, _describe(repo, config.commit, name)]
        except NotFound:
            continue
    raise NotFound(f"{repo} holds neither safetensors nor pytorch_model.bin")


def _describe(repo: str, revision: str, name: str) -> _RemoteFile:
    try:
        headers = head(_url(repo, revision, name), _token())
    except NotFound as error:
        raise NotFound(f"{error}: {name} of {repo} at {revision} is gone or renamed") from error
    except Refused as error:
        advice = "it is gone or gated; if gated, accept its terms on its page and set HF_TOKEN"
        raise Refused(f"{error}: {advice}") from error
    commit = headers.get("X-Repo-Commit", "")
    etag = headers.get("X-Linked-Etag", headers.get("ETag", "")).removeprefix("W/").strip('"')
    size = headers.get("X-Linked-Size", headers.get("Content-Length", ""))
    if not _COMMIT.fullmatch(commit) or not _ETAG.fullmatch(etag):
        raise Unavailable(f"what answers at {constants.ENDPOINT} is no hub (look at HF_ENDPOINT and the proxy)")
    return _RemoteFile(repo, name, commit, etag, int(size) if size.isdecimal() else None)


def _fetch_all(files: list[_RemoteFile], progress: Progress) -> None:
    sizes = [file.size for file in files]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    done = 0
    for file in files:
        url = _url(file.repo, file.commit, file.name)
        sha256 = file.etag if _SHA256.fullmatch(file.etag) else ""
        download(url, file.blob, file.lock, _after(done, total, progress), sha256, file.size, _token())
        _point(file.pointer, file.blob)
        done += file.blob.stat().st_size
        progress(done, total)


def _after(before: int, total: int | None, progress: Progress) -> Progress:
    return lambda done, _: progress(before + done, total)


def _point(pointer: Path, blob: Path) -> None:
    pointer.parent.mkdir(parents=True, exist_ok=True)
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except FileExistsError:
        return
    except OSError:  # Windows without developer mode
        os.link(blob, pointer)


def _unchanged(pointer: Path) -> bool:
    """Whether a snapshot's file has the hash that its blob is named by, if a hash is what names it.

    One hop only: a blob may itself be a link into a store with names of its own.
    """
    blob = Path(os.readlink(pointer)).name if pointer.is_symlink() else ""
    return intact(pointer, blob if _SHA256.fullmatch(blob) else "")


def _required(folder: Path) -> list[str]:
    weights = next((name for name in _WEIGHTS if (folder / name).is_file()), _WEIGHTS[0])
    return [*_CONFIGS, weights, *(_shards(folder / _INDEX) if weights == _INDEX else [])]


def _shards(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(f"{index} cannot be read") from error
    if not all(_SHARD.fullmatch(name) for name in names):
        raise Unavailable(f"{index} names files that are no safetensors beside it")
    return names


def _folder(repo: str) -> Path:
    check_id(repo)
    return Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"


def _ref(repo: str, revision: str) -> Path:
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise WeightsError(f"{revision!r} is no revision of {repo}.")
    return _folder(repo) / "refs" / revision


def _url(repo: str, revision: str, name: str) -> str:
    return f"{constants.ENDPOINT}/{repo}/resolve/{quote(revision, safe='')}/{name}"


def _token() -> str | None:
    return None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_text(text)
    os.replace(draft, path)
