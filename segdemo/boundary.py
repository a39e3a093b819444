"""Boundary IoU: how well the outlines of classes are met, whatever the size of what they enclose.

Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation",
CVPR 2021, https://arxiv.org/abs/2103.16562. A mask is reduced to the pixels within a distance d of its own outline, in
truth and prediction, and their IoU is taken. The authors' code erodes each mask d times by 3 × 3 pixels, with nothing
outside the picture: a pixel goes where another class, or the outside, lies within d rows and d columns. Whether
another class does is asked here of the whole label map at once, which gives the same numbers.

Pixels whose truth is `VOID` leave the masks of truth and prediction before outlines are taken. So what is predicted
there never counts, and both masks end at the same place: a perfect prediction scores 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

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
    prediction = np.where(truth == VOID, np.uint8(VOID), prediction)
    true_rim, predicted_rim = _rim(truth, width), _rim(prediction, width)
    # `VOID` is an id without a class: counted like one and cut off.
    true, predicted = (_pixels(rim)[:num_classes] for rim in (truth[true_rim], prediction[predicted_rim]))
    both = _pixels(truth[true_rim & predicted_rim & (truth == prediction)])[:num_classes]
    return BoundaryCounts(both, true + predicted - both, (width, width))


def _rim(labels: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: pixels with another label or the outside of the picture within `width` rows and columns."""
    rim = np.ones(labels.shape, np.bool_)
    if min(labels.shape) > 2 * width:
        # Only here does the window lie inside the picture; it holds one label where its least is its largest.
        rim[width:-width, width:-width] = _extreme(np.minimum, labels, width) != _extreme(np.maximum, labels, width)
    return rim


def _extreme(choose: Callable[..., np.ndarray], labels: np.ndarray, width: int) -> np.ndarray:
    """(H - 2 width, W - 2 width): the minimum or maximum over windows of 2 width + 1 pixels a side.

    By rows, then columns; each pass doubles the window, so that few passes over the map are enough.
    """
    side = 2 * width + 1
    for _ in range(2):
        reach = 1
        while reach < side:
            step = min(reach, side - reach)
            labels = choose(labels[:-step], labels[step:])
            reach += step
        labels = labels.T
    return labels


def _pixels(labels: np.ndarray) -> np.ndarray:
    return np.bincount(labels, minlength=VOID + 1)
