"""What a person writes beside weights that do not say enough of themselves: a small TOML file.

    # leaves.toml beside leaves.pth
    architecture = "deeplabv3_resnet50"   # torchvision's name of the network
    classes = ["soil", "leaf", "stem"]    # by id; without the background for Mask R-CNN
    shorter_side = 520                    # that pictures are brought to
    mean = [0.485, 0.456, 0.406]          # of RGB in [0, 1]
    std = [0.229, 0.224, 0.225]

Only `architecture` (of a state dict) and `classes` must be there; the other values above are what holds without them.
A folder of segmentation_models_pytorch has it inside, as `segdemo.toml`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segdemo.errors import ModelError
from segdemo.labels import VOID

IN_FOLDER: Final = "segdemo.toml"
_KNOWN: Final = {"architecture", "classes", "shorter_side", "mean", "std"}
_MOST_BYTES: Final = 1_000_000
_SIDES: Final = range(32, 4097)


@dataclass(frozen=True)
class Sidecar:
    """Its content, checked; see the module."""

    classes: tuple[str, ...]
    architecture: str = ""
    shorter_side: int = 520
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


def place(path: Path) -> Path:
    """Where the sidecar of a folder or a file of weights is."""
    return path / IN_FOLDER if path.is_dir() else path.with_suffix(".toml")


def read(path: Path) -> Sidecar:
    """The sidecar of a folder or a file of weights. Raises `ModelError` naming what is missing or wrong."""
    file = place(path)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{file} is too large to describe a checkpoint.")
        record = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path} needs a {file.name} beside it that names its classes; see docs/offline.md."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{file} is no TOML ({str(error).splitlines()[0]}).") from error
    if problem := _problem(record):
        raise ModelError(f"{file}: {problem}.")
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
    return Sidecar(**fields)


def _problem(record: dict[str, Any]) -> str | None:
    """The first thing that is wrong with a sidecar, in words."""
    if unknown := sorted(record.keys() - _KNOWN):
        return f"{unknown[0][:40]!r} is not known; known are {', '.join(sorted(_KNOWN))}"
    classes = record.get("classes")
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        return "classes must be a list of names"
    if len(classes) > VOID:
        return f"it names {len(classes):,} classes; segdemo shows {VOID} at most"
    if not isinstance(record.get("architecture", ""), str):
        return "architecture must be a name"
    side = record.get("shorter_side", _SIDES[0])
    if not isinstance(side, int) or side not in _SIDES:
        return f"shorter_side must be {_SIDES[0]} to {_SIDES[-1]} pixels"
    for key in ("mean", "std"):
        values = record.get(key, [0.5] * 3)
        numbers = isinstance(values, list) and len(values) == 3 and all(isinstance(v, int | float) for v in values)
        if not numbers or (key == "std" and min(values) <= 0):
            return f"{key} must be three numbers, of red, green and blue in [0, 1]"
    return None
