"""Label spaces: which classes a model or a data set knows, in which order, in which colours.

A label map is a uint8 array (H, W) of positions in `LabelSpace.classes`; `VOID` marks pixels without a class.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from segdemo import label_tables, palettes
from segdemo.palettes import Color

VOID: Final = 255

PaletteKind = Literal["dataset", "colorblind"]


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

    def record(self) -> dict[str, Any]:
        """For JSON, as `parse` reads it."""
        return asdict(self) | {"things": sorted(self.things)}

    @classmethod
    def parse(cls, record: dict[str, Any]) -> "LabelSpace":
        """What `record` gave."""
        return cls(
            name=record["name"],
            classes=tuple(record["classes"]),
            colors=tuple((red, green, blue) for red, green, blue in record["colors"]),
            things=frozenset(record["things"]),
            background=record["background"],
        )

    def palette(self, kind: PaletteKind = "dataset") -> np.ndarray:
        """(256, 3) uint8: row = class id; ids without a class, VOID among them, are black.

        "dataset": the data set's own colours. "colorblind": `palettes.colorblind` in the order of the
        classes; the background keeps its own colour, for it is what is left over.
        """
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.colors)] = self.colors
        if kind == "colorblind":
            ids = [i for i in range(len(self.classes)) if i != self.background]
            table[ids] = palettes.colorblind()[: len(ids)]
        return table


def _from_rows(name: str, rows: tuple[label_tables.Row, ...], things: frozenset[int] = frozenset()) -> LabelSpace:
    classes, colors = zip(*rows, strict=True)
    return LabelSpace(name, classes, colors, things)


CAMVID = LabelSpace(
    name="CamVid-11",
    classes=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
        "bicyclist",
    ),
    colors=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
    things=frozenset({8, 9, 10}),
)  # fmt: skip

# FLAIR abnormality of lower-grade gliomas (https://doi.org/10.1016/j.compbiomed.2019.05.002).
BRAIN_MRI = LabelSpace("Brain MRI", classes=("healthy", "abnormal"), colors=((0, 0, 0), (230, 60, 60)), background=0)

VOC = LabelSpace(
    name="VOC-21",
    classes=label_tables.VOC_NAMES,
    colors=palettes.voc(21),
    things=frozenset(range(1, 21)),
    background=0,
)

# Of the trained classes, those that the benchmark labels as instances.
CITYSCAPES = _from_rows("Cityscapes-19", label_tables.CITYSCAPES_ROWS, things=frozenset(range(11, 19)))

COCO_THINGS = _from_rows("COCO-80", label_tables.COCO_THING_ROWS, things=frozenset(range(80)))

COCO_PANOPTIC = _from_rows(
    "COCO-133", label_tables.COCO_THING_ROWS + label_tables.COCO_STUFF_ROWS, things=frozenset(range(80))
)

# Used for semantic models alone: none of its classes is a thing here.
ADE20K = _from_rows("ADE20K-150", label_tables.ADE20K_ROWS)
