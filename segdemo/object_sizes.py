"""Recall by the size of what is to be found: are small objects missed where large ones are met?

Semantic labels know no objects; a connected region of one class stands for one. Its pixels touch at their sides. The
bounds are COCO's (https://cocodataset.org/#detection-eval), in pixels of the truth.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from segdemo.labels import VOID

SIZES: Final = ("small", "medium", "large")
BOUNDS: Final = (32**2, 96**2)  # the least areas that are medium and large


@dataclass(frozen=True, eq=False)
class SizeCounts:
    """Pixels by size of their region in the truth and by class, of one picture or of many.

    counts: (3, C, 2) int64; `SIZES`, classes, then the pixels that are right and all of them.
    """

    counts: np.ndarray

    def __add__(self, other: "SizeCounts") -> "SizeCounts":
        if self.counts.shape != other.counts.shape:
            raise ValueError(f"cannot add counts of {self.counts.shape[1]} and {other.counts.shape[1]} classes")
        return SizeCounts(self.counts + other.counts)

    def recall(self) -> np.ndarray:
        """(3, C) float64 in [0, 1]: right / all; NaN for a class without regions of the size."""
        with np.errstate(invalid="ignore"):
            return self.counts[..., 0] / self.counts[..., 1]


def count_by_size(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> SizeCounts:
    """Count two label maps (H, W) uint8, with ids below `num_classes` and `VOID`, against each other.

    Pixels whose truth is `VOID` are in no region.
    """
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(f"expected two label maps (H, W) of one shape, got {truth.shape} and {prediction.shape}")
    first = np.ones(truth.shape, np.bool_)
    first[:, 1:] = truth[:, 1:] != truth[:, :-1]
    starts = np.flatnonzero(first)
    region = _regions(truth, first, starts)
    right = (truth == prediction).ravel()
    areas = np.bincount(region, np.diff(starts, append=truth.size))
    cells = np.digitize(areas, BOUNDS)[region] * (VOID + 1) + truth.ravel()[starts]
    # Runs are cut once more where right and wrong meet: such pieces are all the one or all the other.
    pieces = np.flatnonzero(np.append(True, right[1:] != right[:-1]) | first.ravel())
    pixels = np.diff(pieces, append=truth.size)
    cells = cells[np.searchsorted(starts, pieces, side="right") - 1]
    counts = [np.bincount(cells, n, minlength=len(SIZES) * (VOID + 1)) for n in (pixels * right[pieces], pixels)]
    table = np.stack(counts, axis=-1).reshape(len(SIZES), VOID + 1, 2)
    return SizeCounts(table[:, :num_classes].astype(np.int64))


def _regions(labels: np.ndarray, first: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The connected region that each horizontal run of one label belongs to.

    first: (H, W) bool, where runs begin; starts: the same places in the flat map. Runs of one label that touch between
    rows are edges of a graph; its components are the regions.
    """
    # Two runs may touch along many columns; the first of them, where one of the two begins, is enough.
    touch = np.flatnonzero((labels[:-1] == labels[1:]) & (first[:-1] | first[1:]))
    above, below = (np.searchsorted(starts, places, side="right") - 1 for places in (touch, touch + labels.shape[1]))
    graph = coo_array((np.ones(touch.size, np.bool_), (above, below)), shape=(starts.size, starts.size))
    return connected_components(graph, directed=False)[1]
