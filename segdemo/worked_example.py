"""Small label grids to score by hand: what each convention makes of one and the same answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import ndimage

from segdemo.boundary import count_boundaries
from segdemo.confusion import CONVENTIONS, ClassCounts, Convention, count, per_image_mean_iou
from segdemo.images import InputImage
from segdemo.labels import VOID, LabelSpace
from segdemo.matching import count_segments
from segdemo.prediction import Segments
from segdemo.sample import Sample, TrueSegments

SPACE: Final = LabelSpace(
    name="worked example",
    classes=("road", "car", "person", "sign"),
    colors=((142, 150, 158), (47, 111, 190), (222, 138, 38), (126, 87, 173)),
    things=frozenset({1, 2, 3}),
)
_BORDER: Final = 1  # pixels: the width in which boundary IoU looks, on grids this small


@dataclass(frozen=True)
class Grids:
    """Truth and prediction of some pictures, each a grid of rows; ids of `SPACE`, `VOID` where the truth has none.

    title: what it is about. lesson: what to see in it, in a sentence.
    """

    title: str
    lesson: str
    truths: tuple[tuple[tuple[int, ...], ...], ...]
    predictions: tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True)
class Verdict:
    """One score in [0, 1], NaN for none, and the rule it follows. classes: how many it is a mean of; None: of none."""

    name: str
    value: float
    classes: int | None
    rule: str


def _grid(*rows: str) -> tuple[tuple[int, ...], ...]:
    """Rows of digits; a dot is void."""
    return tuple(tuple(VOID if sign == "." else int(sign) for sign in row) for row in rows)


EXAMPLES: Final[tuple[Grids, ...]] = (
    Grids(
        "One answer, five scores",
        "Two pictures, nothing to argue about, and yet systems disagree: about the sign that is nowhere in the truth, "
        "about the person that is only predicted, and about pooling the pictures.",
        (_grid("0011", "001."), _grid("0000", "0000")),
        (_grid("0012", "0113"), _grid("0000", "0002")),
    ),
    Grids(
        "Two cars that touch",
        "One column of road between two cars is painted over. Mean IoU hardly minds; panoptic quality loses both cars.",
        (_grid("0000000000", "0111011100", "0111011100", "0111011100", "0000000000"),),
        (_grid("0000000000", "0111111100", "0111111100", "0111111100", "0000000000"),),
    ),
    Grids(
        "A small one missed",
        "Two pixels of a person are lost. Of the pixels 97 % are right; of the people, none.",
        (_grid("0000000000", "0011110020", "0011110020", "0011110000", "0000000000", "0000000000"),),
        (_grid("0000000000", "0011110000", "0011110000", "0011110000", "0000000000", "0000000000"),),
    ),
    Grids(
        "An outline one pixel off",
        "The whole car is found, but half a wheel to the right. Boundary IoU looks at nothing but the outline.",
        (_grid("0000000000", "0111111000", "0111111000", "0111111000", "0111111000", "0111111000", "0000000000"),),
        (_grid("0000000000", "0011111100", "0011111100", "0011111100", "0011111100", "0011111100", "0000000000"),),
    ),
)


def judge(truths: Sequence[np.ndarray], predictions: Sequence[np.ndarray]) -> list[Verdict]:
    """Every score of the predictions: label maps (H, W) uint8 in `SPACE`, one for each truth, of its size.

    Where the truth is `VOID`, nothing counts. Every connected region of a thing is one object.
    """
    size = len(SPACE.classes)
    pairs = list(zip(truths, predictions, strict=True))
    counts = [count(truth, prediction, size) for truth, prediction in pairs]
    total = _sum(counts)
    found = [_by(convention, counts, total) for convention in CONVENTIONS]
    found.append(
        Verdict(
            "Pixel accuracy",
            total.accuracy(),
            None,
            "The share of labelled pixels that are right. Large classes "
            "decide it, and a class that is never found costs only its pixels.",
        )  # fmt: skip
    )
    iou = _sum([count_boundaries(*pair, size, _BORDER) for pair in pairs]).iou()
    present = ~np.isnan(iou)
    mean = float(iou[present].mean()) if present.any() else np.nan
    rule = "IoU of the outermost pixels of each class alone. The inside, easy and large, no longer helps."
    found.append(Verdict("Boundary IoU", mean, int(present.sum()), rule))
    quality = _sum([_match(*pair) for pair in pairs]).quality()
    rule = "An object counts where more than half of it is met. Its score is how well objects match, times how many do."
    found.append(Verdict("Panoptic quality", quality.pq, quality.classes, rule))
    return found


def class_ious(truths: Sequence[np.ndarray], predictions: Sequence[np.ndarray]) -> np.ndarray:
    """(C,) float64: the IoU of each class of `SPACE` from the pixels of all pictures, NaN for one that is nowhere."""
    return _sum([count(t, p, len(SPACE.classes)) for t, p in zip(truths, predictions, strict=True)]).iou()


def _sum(parts: Sequence) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _by(convention: Convention, counts: Sequence[ClassCounts], total: ClassCounts) -> Verdict:
    if convention == "per_image":
        mean = per_image_mean_iou(np.stack([one.tally() for one in counts]))
    else:
        mean = total.mean_iou(convention)
    rule = CONVENTIONS[convention]
    return Verdict(rule.title, mean.value, mean.classes, rule.explanation)


def _match(truth: np.ndarray, prediction: np.ndarray) -> Any:
    boxes, masks, class_ids = _objects(truth, SPACE.things)
    true = TrueSegments(boxes, masks, class_ids, np.zeros(len(masks), np.bool_))
    boxes, masks, class_ids = _objects(prediction, frozenset(range(len(SPACE.classes))))
    found = Segments(boxes, masks, class_ids, np.ones(len(masks), np.float32))
    nothing = InputImage(np.zeros((*truth.shape, 3), np.uint8), "", "")
    return count_segments(Sample("", nothing, truth, true), found, SPACE)


def _objects(labels: np.ndarray, wanted: frozenset[int]) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
    """Boxes (N, 4) int32, masks cropped to them, class ids (N,) uint8: each connected region of a thing, and all
    pixels of a class that is none."""
    boxes, masks, class_ids = [], [], []
    for class_id in sorted(wanted & set(labels.ravel().tolist())):
        here = labels == class_id
        regions = ndimage.label(here)[0] if class_id in SPACE.things else here.astype(np.int32)
        for number, (rows, columns) in enumerate(ndimage.find_objects(regions), 1):
            boxes.append((columns.start, rows.start, columns.stop, rows.stop))
            masks.append(regions[rows, columns] == number)
            class_ids.append(class_id)
    return np.array(boxes, np.int32).reshape(-1, 4), tuple(masks), np.array(class_ids, np.uint8)
