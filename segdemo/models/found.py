"""Checkpoints that are not in the catalogue: an id of the hub, a folder or a file, read into a `ModelSpec`.

    spec = from_hub("acme/segformer-b0-of-leaves")     # its configurations are fetched, its weights are not
    spec = from_path(Path("runs/leaves"))
    load(spec.key)

Class names, task and preprocessing come from the checkpoint's own files, and whatever is no segmentation model of a
kind that is run here is refused with the reason. SEGDEMO_ANY_CHECKPOINT=off leaves the catalogue alone, for servers
that strangers use.
"""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from segdemo.errors import ModelError, WeightsError
from segdemo.models import catalog, checkpoint_rows, hub
from segdemo.models.spec import ModelSpec
from segdemo.models.web import Unavailable

MOST_BYTES: Final = 8_000_000_000  # of a checkpoint; the largest of the catalogue has 1.4 GB
UNKNOWN_LICENCE: Final = "not stated"

_HUB_ID: Final = re.compile(r"([^@\s]+/[^@\s]+?)(?:@(\S+))?")
_LICENCE: Final = re.compile(r"^license:\s*[\"']?([^\"'\n]{1,80}?)[\"']?\s*$", re.MULTILINE)


def named(text: str) -> ModelSpec:
    """The model that a command names: a key of the catalogue, a path that is there, or an id of the hub.

    A path begins with a dot, a slash or a tilde where it could be an id as well. Raises `ModelError`.
    """
    text = text.strip()
    if spec := catalog.known(text):
        return spec
    path = Path(text).expanduser()
    if text.startswith((".", "/", "~")) or path.is_file():
        return from_path(path)
    if _HUB_ID.fullmatch(text) and not text.startswith(("starter/", "torchvision/")):
        return from_hub(text)
    return catalog.find(text)


def from_hub(text: str) -> ModelSpec:
    """A checkpoint of the hub by `owner/name` or `owner/name@revision`, looked at but not downloaded, and registered.

    Raises `ModelError` where it cannot be had or is no segmentation model that is run here.
    """
    text = text.strip()
    if spec := catalog.known(text):
        return spec
    catalog.expect_allowed(text)
    match = _HUB_ID.fullmatch(text)
    if match is None:
        raise ModelError(f"{text[:80]!r} is no id of the Hugging Face hub; write owner/name, or owner/name@revision.")
    repo, revision = match[1], match[2] or "main"
    hub.check_id(repo)
    try:
        found = hub.describe(repo, revision)
    except Unavailable as why:
        raise WeightsError(f"{repo} cannot be looked at: {why}.") from why
    except OSError as error:
        raise WeightsError(
            f"{repo} cannot be looked at: {error.filename} cannot be used ({error.strerror})."
        ) from error
    if found.download_bytes > MOST_BYTES:
        size = found.download_bytes / 1e9
        raise ModelError(f"{repo} has {size:.0f} GB; segdemo fetches {MOST_BYTES / 1e9:.0f} GB at most.")
    row = checkpoint_rows.read(text, repo, found.folder)
    return catalog.register(
        replace(
            row, source="huggingface", checkpoint=repo, revision=found.commit,
            licence=found.licence or UNKNOWN_LICENCE, download_bytes=found.download_bytes,
        )
    )  # fmt: skip


def from_path(path: Path) -> ModelSpec:
    """A checkpoint in a folder or a file of this machine, registered.

    Raises `ModelError` where there is none, or none of a kind that is run here.
    """
    path = Path(os.path.abspath(path))
    catalog.expect_allowed(str(path))
    if not path.exists():
        raise ModelError(f"There is no {path}.")
    row = checkpoint_rows.read(_local_key(path), str(path), path)
    licence = _LICENCE.search(_read_me(path))
    spec = replace(
        row, source="local", checkpoint=str(path), revision=None, licence=licence[1] if licence else UNKNOWN_LICENCE
    )
    kept = catalog.register(spec)
    if kept.checkpoint != spec.checkpoint:
        raise ModelError(f"{kept.key} stands for {kept.checkpoint} already; rename {path}.")
    return kept


def folder() -> Path | None:
    """The person's own folder of checkpoints: SEGDEMO_CHECKPOINTS, if that is set."""
    named = os.environ.get("SEGDEMO_CHECKPOINTS")
    return Path(named).expanduser() if named else None


def choices() -> list[str]:
    """The names of what lies in the folder of checkpoints and looks like one, for a person to choose from."""
    top = folder()
    if top is None or catalog.only_catalog() or not top.is_dir():
        return []
    listed = {spec.checkpoint for spec in catalog.CATALOG if spec.source == "huggingface"}
    return sorted(
        path.name
        for path in top.iterdir()
        if checkpoint_rows.looks_like_one(path) and path.name.replace("--", "/", 1) not in listed
    )


def choose(name: str) -> ModelSpec:
    """The checkpoint of this name in the folder of checkpoints. Raises `ModelError`."""
    top = folder()
    if top is None or name not in choices():
        raise ModelError(f"There is no checkpoint {name!r} in the folder that SEGDEMO_CHECKPOINTS names.")
    return from_path(top / name)


def _local_key(path: Path) -> str:
    """`local/NAME` in the folder of checkpoints, elsewhere with the folder that it is in: runs/a/best, runs/b/best."""
    top = folder()
    inside = top is not None and path.parent == Path(os.path.abspath(top))
    name = path.stem if path.is_file() else path.name
    key = f"local/{name}" if inside else f"local/{path.parent.name}/{name}"
    return re.sub(r"[^\w./-]", "_", key)


def _read_me(path: Path) -> str:
    try:
        with open(path / "README.md", encoding="utf-8", errors="replace") as file:
            return file.read(20_000)
    except OSError:
        return ""
