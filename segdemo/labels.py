"""Label spaces: which classes a model or a data set knows, in which order, in which colours.

A label map is a uint8 array (H, W) of positions in `LabelSpace.classes`; `VOID` marks pixels without a class.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

VOID: Final = 255

Color = tuple[int, int, int]


@dataclass(frozen=True)
class LabelSpace:
    """An ordered set of classes; the position of a class is its id."""

    name: str
    classes: tuple[str, ...]
    colors: tuple[Color, ...]
    things: frozenset[int] = frozenset()
    background: int | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.classes) <= VOID:
            raise ValueError(f"{self.name}: expected 1 to {VOID} classes, got {len(self.classes)}")
        if len(self.colors) != len(self.classes):
            raise ValueError(f"{self.name}: {len(self.classes)} classes but {len(self.colors)} colours")

    def palette(self) -> np.ndarray:
        """(256, 3) uint8: row = class id; ids without a class, VOID among them, are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.colors)] = self.colors
        return table


CAMVID = LabelSpace(
    name="CamVid-11",
    classes=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
    ),
    colors=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
    things=frozenset({8, 9, 10}),
)  # fmt: skip
