"""Agreement of label maps with the truth: count pixels once, derive every score from the counts.

Counts of pictures add up to the counts of a data set, and scores are taken from the sum, as in papers:

    total = count(truth_1, prediction_1, 11) + count(truth_2, prediction_2, 11)
    total.mean_iou()
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segdemo.labels import VOID

Convention = Literal["mmsegmentation"]


@dataclass(frozen=True)
class Score:
    """A mean over classes, and what it is a mean of."""

    value: float  # in [0, 1], NaN for a mean of nothing
    classes: int  # how many were averaged
    convention: Convention


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Pixels by true and predicted class, of one picture or of many.

    counts: (C, C + 1) int64; row = truth, column = prediction, last column = predicted `VOID`. Pixels whose
    truth is `VOID` are not in it, so what is predicted there is never wrong.

    Scores per class are (C,) float64 in [0, 1], NaN where their denominator is 0, never 0 or 1.
    """

    counts: np.ndarray

    def __post_init__(self) -> None:
        shape = self.counts.shape
        if self.counts.dtype != np.int64 or len(shape) != 2 or shape[1] != shape[0] + 1:
            raise ValueError(f"counts must be int64 of shape (C, C + 1), got {self.counts.dtype} {shape}")

    def __add__(self, other: "ClassCounts") -> "ClassCounts":
        if self.counts.shape != other.counts.shape:
            raise ValueError(f"cannot add counts of {len(self.counts)} and {len(other.counts)} classes")
        return ClassCounts(self.counts + other.counts)

    def iou(self) -> np.ndarray:
        """Right / (true or predicted); NaN for a class that is neither, 0 for one that is only either."""
        return _ratio(self._right(), self.support() + self._predicted() - self._right())

    def dice(self) -> np.ndarray:
        """2 · right / (true + predicted), also called F1; NaN for a class that is neither."""
        return _ratio(2 * self._right(), self.support() + self._predicted())

    def precision(self) -> np.ndarray:
        """Right / predicted; NaN for a class that is never predicted."""
        return _ratio(self._right(), self._predicted())

    def recall(self) -> np.ndarray:
        """Right / true; NaN for a class that is not in the truth."""
        return _ratio(self._right(), self.support())

    def support(self) -> np.ndarray:
        """(C,) int64: pixels of each class in the truth."""
        return self.counts.sum(axis=1)

    def accuracy(self) -> float:
        """The share of the true pixels that are right; NaN where there is no truth."""
        return float(_ratio(self._right().sum(), self.counts.sum()))

    def mean_iou(self, convention: Convention = "mmsegmentation") -> Score:
        """The mean of `iou` over classes.

        "mmsegmentation" (also Cityscapes and Hugging Face): a class in neither truth nor prediction is left
        out of the mean; one that is only predicted counts as 0.
        """
        if convention != "mmsegmentation":
            raise ValueError(f"unknown convention {convention!r}, expected 'mmsegmentation'")
        iou = self.iou()
        averaged = iou[~np.isnan(iou)]
        return Score(float(_ratio(averaged.sum(), averaged.size)), averaged.size, convention)

    def _right(self) -> np.ndarray:
        return self.counts.diagonal()

    def _predicted(self) -> np.ndarray:
        return self.counts[:, :-1].sum(axis=0)


def count(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> ClassCounts:
    """Count two label maps (H, W) uint8 against each other.

    Pixels whose truth is `VOID` are skipped. Raises `ValueError` where the maps are not uint8 of one shape,
    or hold an id that is neither a class nor `VOID`.
    """
    if not 0 < num_classes <= VOID:
        raise ValueError(f"expected 1 to {VOID} classes, got {num_classes}")
    if truth.shape != prediction.shape or truth.dtype != np.uint8 or prediction.dtype != np.uint8:
        raise ValueError(
            "truth and prediction must be uint8 of one shape, "
            f"got {truth.dtype} {truth.shape} and {prediction.dtype} {prediction.shape}"
        )
    pairs = truth.astype(np.uint16) << 8 | prediction
    table = np.bincount(pairs.ravel(), minlength=256 * 256).reshape(256, 256)
    _check_ids("truth", table.sum(axis=1), num_classes)
    _check_ids("prediction", table.sum(axis=0), num_classes)
    return ClassCounts(table[:num_classes, [*range(num_classes), VOID]].astype(np.int64))


def _check_ids(what: str, pixels: np.ndarray, num_classes: int) -> None:
    strange = np.flatnonzero(pixels[num_classes:VOID]) + num_classes
    if strange.size:
        raise ValueError(f"{what} holds the id {strange[0]}, expected 0 to {num_classes - 1}, or {VOID} for no class")


def _ratio(part: np.ndarray, whole: np.ndarray | int) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.true_divide(part, whole)
