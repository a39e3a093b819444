"""A checkpoint's `config.json`, read before any library gets to see it.

transformers follows what stands in it: it fetches a backbone that is only named, and code for its attention. Nothing
of that may happen for a file from somebody else, so such files are refused here, with the reason.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from segdemo.errors import ModelError

_MOST_BYTES: Final = 4_000_000  # ADE20K's have 10 kB
_MOST_LEVELS: Final = 8


def read(folder: Path) -> dict[str, Any]:
    """The folder's `config.json`.

    Raises `OSError` or `ValueError` where it cannot be read, `ModelError` where it would have something fetched or run.
    """
    file = folder / "config.json"
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError("its config.json is too large")
    try:
        config = json.loads(file.read_bytes())
    except RecursionError as error:
        raise ValueError("its config.json is nested too deep") from error
    if not isinstance(config, dict):
        raise ValueError("its config.json is no object")
    for part in _parts(config):
        if problem := _foreign(part):
            raise ModelError(f"{file} {problem}; segdemo uses nothing but the files of a checkpoint itself.")
    return config


def _parts(value: Any, level: int = 0) -> Iterator[dict[str, Any]]:
    """All objects inside a JSON value."""
    if level > _MOST_LEVELS:
        raise ValueError("its config.json is nested too deep")
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(one, level + 1)


def _foreign(part: dict[str, Any]) -> str | None:
    """What an object of the configuration asks for that is not in the checkpoint."""
    for key in ("attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation"):
        if "/" in str(part.get(key) or ""):
            return "asks for code from elsewhere"
    if part.get("quantization_config"):
        return "asks for a library that unpacks its weights"
    backbone = part.get("backbone")
    if isinstance(backbone, str) and (set(backbone) & {"/", ":"} or not _describes_backbone(part)):
        return f"only names its backbone ({backbone[:60]!r})"
    return None


def _describes_backbone(part: dict[str, Any]) -> bool:
    """Whether nothing need be fetched for the backbone that is named: timm has the architectures that it names."""
    return isinstance(part.get("backbone_config"), dict) or part.get("model_type") == "timm_backbone"
