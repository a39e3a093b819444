"""A recipe: everything that decides what a training run learns, in one small TOML file."""

import math
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from segdemo.errors import SegdemoError


@dataclass(frozen=True)
class Recipe:
    """Settings of a run; sizes in pixels (height, width), rates as fractions.

    network: a starter network (`fcn_small`, ...) or a catalogue key, of which only the architecture is taken. It also
        decides the loss and the score (see `tasks`).
    start_from: a starter's name or a checkpoint folder to begin with: whole where it is of the same network, else its
        ResNet trunk; "" for random weights.
    class_weighting: how strongly the loss prefers rare classes: 0 not at all, 1 by inverse frequency.
    scenes: share of generated street scenes in each batch; scene_pool: how many different ones.
    picture_hw: size the pictures are kept at; crop_hw: size trained on; zoom: range of the random magnification.
    mixing: share of the crops that get some classes of another crop pasted over them.
    shorter_side, divisor: what the finished network brings pictures to, both sides rounded up to multiples; it is
        validated at that size.
    """

    network: str
    steps: int
    batch: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_steps: int = 200
    ema_decay: float = 0.998
    class_weighting: float = 0.5
    scenes: float = 0.25
    scene_pool: int = 600
    picture_hw: tuple[int, int] = (360, 480)
    crop_hw: tuple[int, int] = (192, 256)
    zoom: tuple[float, float] = (0.55, 1.6)
    mixing: float = 0.0
    shorter_side: int = 360
    divisor: int = 1
    precision: Literal["fp32", "bf16"] = "bf16"
    seed: int = 0
    start_from: str = ""
    validate_every: int = 500

    @property
    def input_hw(self) -> tuple[int, int]:
        """Size of the network's input for a picture of `picture_hw`."""
        sides = (round(side * self.shorter_side / min(self.picture_hw)) for side in self.picture_hw)
        height, width = (math.ceil(side / self.divisor) * self.divisor for side in sides)
        return height, width

    def record(self) -> dict[str, Any]:
        """As plain values, for the file beside the checkpoint."""
        return asdict(self)


def read(path: Path) -> Recipe:
    """The recipe in a TOML file. Raises `SegdemoError` for a file that is missing, damaged or has unknown settings."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SegdemoError(f"The recipe {path} cannot be read: {error}.") from error
    known = {field.name for field in fields(Recipe)}
    unknown = sorted(set(table) - known)
    missing = sorted({"network", "steps"} - set(table))
    if unknown or missing:
        wrong = f"unknown settings {unknown}" if unknown else f"no value for {missing}"
        raise SegdemoError(f"The recipe {path} has {wrong}; it may hold: {', '.join(sorted(known))}.")
    pairs = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
    return Recipe(**(table | pairs))


def bundled(name: str) -> Path:
    """The recipe file of a starter."""
    return Path(__file__).parent / "recipes" / f"{name}.toml"
