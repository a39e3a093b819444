"""Boundary IoU: how well the outlines of classes are met, whatever the size of what they enclose.

Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation",
CVPR 2021, https://arxiv.org/abs/2103.16562. A mask is reduced to the pixels within a distance d of its own outline, in
truth and prediction, and their IoU is taken. The authors' code erodes each mask d times by 3 × 3 pixels, with nothing
outside the picture: a pixel goes where another class, or the outside, lies within d rows and d columns. Whether
another class does is asked here of the whole label map at once, which gives the same numbers.

Pixels whose truth is `VOID` leave the masks of truth and prediction before outlines are taken. So what is predicted
there never counts, and both masks end at the same place: a perfect prediction scores 1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from segdemo.confusion import count_pairs
from segdemo.labels import VOID

_SHARE_OF_DIAGONAL: Final = 0.02  # the paper's choice for pictures of common sizes


@dataclass(frozen=True, eq=False)
class BoundaryCounts:
    """Boundary pixels by class, of one picture or of many.

    intersection, union: (C,) int64. widths: the least and the largest d among the pictures, in pixels; it follows
    their sizes.
    """

    intersection: np.ndarray
    union: np.ndarray
    widths: tuple[int, int]

    def __add__(self, other: "BoundaryCounts") -> "BoundaryCounts":
        if self.union.shape != other.union.shape:
            raise ValueError(f"cannot add counts of {len(self.union)} and {len(other.union)} classes")
        widths = (*self.widths, *other.widths)
        return BoundaryCounts(
            self.intersection + other.intersection, self.union + other.union, (min(widths), max(widths))
        )

    def iou(self) -> np.ndarray:
        """(C,) float64 in [0, 1]; NaN for a class in neither truth nor prediction."""
        with np.errstate(invalid="ignore"):
            return self.intersection / self.union


def boundary_width(size_hw: tuple[int, int]) -> int:
    """The distance d in pixels for a picture: 2 % of its diagonal, at least 1."""
    return max(1, round(_SHARE_OF_DIAGONAL * float(np.hypot(*size_hw))))


def count_boundaries(
    truth: np.ndarray, prediction: np.ndarray, num_classes: int, width: int | None = None
) -> BoundaryCounts:
    """Count the boundary pixels of two label maps (H, W) uint8, with ids below `num_classes` and `VOID`.

    width: d in pixels, at least 1; `boundary_width` of the picture where None.
    """
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(f"expected two label maps (H, W) of one shape, got {truth.shape} and {prediction.shape}")
    height, columns = truth.shape
    width = boundary_width((height, columns)) if width is None else width
    prediction = _void_where(truth == VOID, prediction)
    rims = (_void_where(_inside(labels, width), labels) for labels in (truth, prediction))
    pairs = count_pairs(*rims)
    both, true, predicted = (n[:num_classes] for n in (pairs.diagonal(), pairs.sum(axis=1), pairs.sum(axis=0)))
    return BoundaryCounts(both.copy(), true + predicted - both, (width, width))


def _void_where(mask: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label map with `VOID` where the mask is true; it has all bits set, so this is one "or"."""
    return labels | -mask.view(np.uint8)


def _inside(labels: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: pixels with neither another label nor the outside of the picture within `width` rows and columns."""
    inside = np.zeros(labels.shape, np.bool_)
    if min(labels.shape) > 2 * width:
        changes = labels[:-1, :-1] != labels[:-1, 1:]
        changes |= labels[:-1, :-1] != labels[1:, :-1]
        # A window without a change to the right or down holds one label, but for its last corner.
        corner, centre = labels[2 * width :, 2 * width :], labels[width:-width, width:-width]
        inside[width:-width, width:-width] = ~_any(changes, 2 * width) & (corner == centre)
    return inside


def _any(marks: np.ndarray, side: int) -> np.ndarray:
    """(H - side + 1, W - side + 1) bool: whether any of the marks (H, W) lies in each window of `side` pixels a side.

    By rows, then columns; each pass doubles the window, so that few passes over the map are enough.
    """
    for _ in range(2):
        reach = 1
        while reach < side:
            step = min(reach, side - reach)
            marks = marks[:-step] | marks[step:]
            reach += step
        marks = marks.T
    return marks
