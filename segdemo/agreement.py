"""Where models contradict each other, with no labels needed: by classes, as one number, and by place.

    agreement = compare(first, second)
    agreement.mean_iou(), agreement.largest(5)

Models of different label sets are compared on the classes that both know (`class_mapping`). Where one says a class that
the other does not know, the two do not contradict each other. "No class", the background of another label set, and
what Mask R-CNN leaves empty are a word too: that nothing of what both know is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from segdemo import overlay
from segdemo.class_mapping import mapping
from segdemo.confusion import count_pairs
from segdemo.errors import SegdemoError
from segdemo.labels import VOID, LabelSpace
from segdemo.models import catalog
from segdemo.prediction import Prediction

NOTHING: Final = -1  # says that none of the shared classes is there
OUTSIDE: Final = -2  # says something that the other side does not know, or does not speak at all

_GRID_SIDE: Final = 320  # regions are found in answers of this size
_WINDOW: Final = 0.22  # a region's sides, as shares of the picture's
_LEAST: Final = 0.08  # of a region must be contradicted


@dataclass(frozen=True, eq=False)
class Shared:
    """The classes that two sides are compared by.

    names: of the G shared classes. first, second: (256,) int16, by id its shared class, `NOTHING` or `OUTSIDE`.
    """

    names: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray

    def contradicting(self) -> np.ndarray:
        """(256, 256) bool: whether an id of the first side (row) and one of the second contradict each other."""
        first, second = self.first[:, None], self.second[None, :]
        return (first != second) & (first != OUTSIDE) & (second != OUTSIDE)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far two answers for one picture say the same.

    names: of the G shared classes. counts: (G + 1, G + 1) int64, pixels by the first's word (row) and the second's; the
    last is "no class". Pixels on which the two cannot be compared, and those without a class in both, are not in it.
    """

    names: tuple[str, ...]
    counts: np.ndarray

    def share(self) -> float:
        """The share of the compared pixels on which both say the same, in [0, 1]; NaN where there are none."""
        return float(self.counts.trace() / total) if (total := self.counts.sum()) else np.nan

    def iou(self) -> np.ndarray:
        """(G,) float64: by class, pixels that both call by it of those that either does; NaN where neither does."""
        both = self.counts.diagonal()
        either = self.counts.sum(axis=0) + self.counts.sum(axis=1) - both
        with np.errstate(invalid="ignore"):
            return (both / either)[:-1]

    def mean_iou(self) -> float:
        """The mean of `iou` over the classes that either found; NaN where there is none."""
        found = self.iou()
        found = found[~np.isnan(found)]
        return float(found.mean()) if found.size else np.nan

    def largest(self, most: int) -> list[tuple[str, str, int]]:
        """The first's word, the second's and the pixels of the largest contradictions, the largest first."""
        words = (*self.names, overlay.UNASSIGNED)
        apart = self.counts * ~np.eye(len(words), dtype=np.bool_)
        order = np.argsort(-apart, axis=None, kind="stable")[:most]
        cells = zip(*(place.tolist() for place in np.unravel_index(order, apart.shape)), strict=True)
        return [(words[a], words[b], int(apart[a, b])) for a, b in cells if apart[a, b]]


@dataclass(frozen=True)
class Region:
    """A part of the picture on which models contradict each other.

    box_xyxy: pixels, right and bottom exclusive. share: of it that some two contradict each other on, in [0, 1].
    says: by model's place what the two say that contradict each other the most: class names or "nothing assigned".
    """

    box_xyxy: tuple[int, int, int, int]
    share: float
    says: tuple[tuple[int, str], tuple[int, str]]


def shared(first: Prediction, second: Prediction) -> Shared | None:
    """The classes that two models are compared by; None where no class is known to both."""
    try:
        common = mapping(first.space, second.space)
    except SegdemoError:
        return None
    one = _groups(common.truth_ids, first.space, rest=OUTSIDE, void=NOTHING)
    other = _groups(common.prediction_ids, second.space, rest=OUTSIDE, void=NOTHING)
    if first.space.classes != second.space.classes:
        for table, space in ((one, first.space), (other, second.space)):
            if space.background is not None:
                table[space.background] = NOTHING
    # What one of the two cannot say (Mask R-CNN: a sky) is outside for both.
    return _without(silent(one, first) | silent(other, second), Shared(common.space.classes, one, other))


def judged(labels: LabelSpace, prediction: Prediction) -> Shared | None:
    """The classes that a model is judged by, given labels as the first side: as `class_mapping` scores them.

    What has no label, or one that the model cannot give, is `OUTSIDE`; on the rest every other word is wrong. None
    where the model knows none of the labels' classes.
    """
    try:
        common = mapping(labels, prediction.space)
    except SegdemoError:
        return None
    truth = _groups(common.truth_ids, labels, rest=OUTSIDE, void=OUTSIDE)
    found = _groups(common.prediction_ids, prediction.space, rest=NOTHING, void=NOTHING)
    return _without(silent(found, prediction), Shared(common.space.classes, truth, found))


def compare(first: Prediction, second: Prediction) -> Agreement | None:
    """How far two answers for one picture say the same; None where no class is known to both models."""
    common = shared(first, second)
    if common is None:
        return None
    size = len(common.names) + 1
    pairs = count_pairs(first.labels, second.labels)
    rows, columns = (np.where(table == NOTHING, size - 1, table) for table in (common.first, common.second))
    known = np.ix_(rows >= 0, columns >= 0)
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, np.ix_(rows[rows >= 0], columns[columns >= 0]), pairs[known])
    counts[-1, -1] = 0
    return Agreement(common.names, counts)


def regions(predictions: Sequence[Prediction], most: int) -> list[Region]:
    """The parts of the picture that models contradict each other on the most, the worst first, none overlapping."""
    small = [overlay.nearest(prediction.labels, _GRID_SIDE) for prediction in predictions]
    clashes = {
        (a, b): common.contradicting()[small[a], small[b]]
        for a, b in combinations(range(len(predictions)), 2)
        if (common := shared(predictions[a], predictions[b])) is not None
    }
    if not clashes:
        return []
    contested = np.any(list(clashes.values()), axis=0)
    rest = contested.astype(np.float32)
    height, width = (max(1, round(_WINDOW * side)) for side in rest.shape)
    found: list[Region] = []
    while len(found) < most:
        means = _window_means(rest, height, width)
        top, left = (int(place) for place in np.unravel_index(means.argmax(), means.shape))
        if means[top, left] < _LEAST:
            break
        part = np.s_[top : top + height, left : left + width]
        found.append(
            Region(
                _enlarged((left, top, left + width, top + height), rest.shape, predictions[0].labels.shape),
                float(contested[part].mean()),
                _loudest(predictions, small, clashes, part),
            )
        )
        rest[part] = -1e6  # so that no other window overlaps this one
    return found


def silent(ids: np.ndarray, prediction: Prediction) -> frozenset[int]:
    """The shared classes that a model knows by name but never says: all but things, where it finds instances alone.

    ids: (256,), by id of the model its shared class, as in `ClassMapping.prediction_ids` or `Shared`.
    """
    space = prediction.space
    if catalog.find(prediction.model).task != "instance":
        return frozenset()
    things = ids[list(space.things)].tolist()
    return frozenset(ids[: len(space.classes)].tolist()).difference(things, (NOTHING, OUTSIDE, VOID))


def _groups(ids: np.ndarray, space: LabelSpace, rest: int, void: int) -> np.ndarray:
    """(256,) int16: by id its shared class, from a table of `ClassMapping`; `rest`: classes that are not shared."""
    table = ids.astype(np.int16)
    table[table == VOID] = rest
    table[len(space.classes) :] = void
    return table


def _without(classes: frozenset[int], common: Shared) -> Shared:
    """The same without some of the shared classes."""
    first, second = (
        np.where(np.isin(table, list(classes)), OUTSIDE, table).astype(np.int16)
        for table in (common.first, common.second)
    )
    return Shared(common.names, first, second)


def _window_means(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mean of a map (H, W) over every window of a size that fits into it."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    return inside / (height * width)


def _enlarged(
    box_xyxy: tuple[int, int, int, int], from_hw: tuple[int, ...], to_hw: tuple[int, ...]
) -> tuple[int, int, int, int]:
    across, down = to_hw[1] / from_hw[1], to_hw[0] / from_hw[0]
    left, top, right, bottom = (round(side * by) for side, by in zip(box_xyxy, (across, down) * 2, strict=True))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _loudest(
    predictions: Sequence[Prediction],
    small: Sequence[np.ndarray],
    clashes: dict[tuple[int, int], np.ndarray],
    part: tuple[slice, slice],
) -> tuple[tuple[int, str], tuple[int, str]]:
    """What the two models say that contradict each other on most pixels of a part, in their own words."""
    a, b = max(clashes, key=lambda pair: np.count_nonzero(clashes[pair][part]))
    where = clashes[a, b][part]
    pairs = count_pairs(small[a][part][where], small[b][part][where])
    one, other = (int(class_id) for class_id in np.unravel_index(pairs.argmax(), pairs.shape))
    return (a, _word(predictions[a].space, one)), (b, _word(predictions[b].space, other))


def _word(space: LabelSpace, class_id: int) -> str:
    return overlay.UNASSIGNED if class_id == VOID else space.classes[class_id]
