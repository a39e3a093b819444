"""The only list of models, and how a row of it is found. Importing it costs nothing and needs no torch.

Checkpoints that people bring (found.py) are rows of the same form, kept beside the table by the process.
"""

import os
from threading import Lock
from typing import Final

from segdemo.errors import ModelError
from segdemo.models.catalog_rows import CATALOG as CATALOG
from segdemo.models.spec import ModelSpec

MOST_FOUND: Final = 256  # the oldest of more are forgotten
_found: dict[str, ModelSpec] = {}
_lock = Lock()


def only_catalog() -> bool:
    """Whether nothing but the table may be used here, as on servers for strangers: SEGDEMO_ANY_CHECKPOINT=off."""
    return os.environ.get("SEGDEMO_ANY_CHECKPOINT", "on").strip().lower() in ("off", "0", "no", "false")


def expect_allowed(what: str) -> None:
    """Raise `ModelError` for a checkpoint beside the table where only that may be used."""
    if only_catalog():
        raise ModelError(
            f"{what} is no model of the catalogue, and SEGDEMO_ANY_CHECKPOINT is off; choose a listed one."
        )


def register(spec: ModelSpec) -> ModelSpec:
    """Let all in this process find a checkpoint that is not in the table; returns the row that its key stands for.

    That is the one that came first: a key means one checkpoint as long as models and answers are kept under it.
    Raises `ModelError` where only the table may be used.
    """
    if in_catalog(spec):
        return find(spec.key)
    expect_allowed(spec.key)
    with _lock:
        kept = _found.pop(spec.key, spec)
        _found[spec.key] = kept
        while len(_found) > MOST_FOUND:
            del _found[next(iter(_found))]
    return kept


def in_catalog(spec: ModelSpec) -> bool:
    """Whether it is a row of the table, not what somebody brought."""
    return any(row.key == spec.key for row in CATALOG)


def known(key: str) -> ModelSpec | None:
    """The row with this key, of the table or registered."""
    row = next((spec for spec in CATALOG if spec.key == key), None)
    return row or (None if only_catalog() else _found.get(key))


def find(key: str) -> ModelSpec:
    """The row with this key, of the table or registered. Raises `ModelError` naming the valid keys otherwise."""
    if spec := known(key):
        return spec
    raise ModelError(f"There is no model {key!r}; choose one of: {', '.join(s.key for s in CATALOG)}.")


def title(key: str) -> str:
    """A model's title; of one that is not known any more, as in results of an earlier day, its key."""
    spec = known(key)
    return spec.title if spec else key
