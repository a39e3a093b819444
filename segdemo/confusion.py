"""Agreement of label maps with the truth: count pixels once, derive every score from the counts.

Counts of pictures add up to the counts of a data set, and scores are taken from the sum, as in papers:

    total = count(truth_1, prediction_1, 11) + count(truth_2, prediction_2, 11)
    total.mean_iou()

Systems part at two questions: what a class without pixels is worth, and whether pictures are pooled at all.
`CONVENTIONS` holds their answers. Two things are the same in all of them here: what is predicted where the truth is
`VOID` never counts, and a labelled pixel that is predicted `VOID` is a miss.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from segdemo.labels import VOID

Convention = Literal["torchvision", "mmsegmentation", "cityscapes", "ade20k", "detectron2", "per_image"]

_IDS: Final = 256
# Pixels counted at a time: their pairs stay in the cache while `bincount` widens and reads them.
_BLOCK: Final = 2**18
# Label maps are smooth: a row has few runs of one pair, and runs are counted faster than pixels. Noise is not.
_RESTLESS: Final = 0.2  # changes per pixel


@dataclass(frozen=True)
class Rule:
    """How a mean IoU is taken: for whom, in one sentence, and what classes without pixels are worth."""

    title: str
    explanation: str
    absent: Literal["skipped", "zero", "nan"]  # a class in neither truth nor prediction
    only_predicted: Literal["skipped", "zero"]  # a class that is predicted but not in the truth


CONVENTIONS: Final[dict[Convention, Rule]] = {
    "torchvision": Rule(
        "torchvision",
        "The pixels of all pictures are pooled and all classes averaged, the background too; one class without a pixel "
        "in truth and prediction leaves no score.",
        absent="nan",
        only_predicted="zero",
    ),
    "mmsegmentation": Rule(
        "MMSegmentation, Hugging Face",
        "The pixels of all pictures are pooled; a class in neither truth nor prediction is left out of the mean, one "
        "that is only predicted counts as 0.",
        absent="skipped",
        only_predicted="zero",
    ),
    "cityscapes": Rule(
        "Cityscapes",
        "The pixels of all pictures are pooled; a class in neither truth nor prediction is left out of the mean, one "
        "that is only predicted counts as 0 (the benchmark scores pictures of 2048×1024 pixels).",
        absent="skipped",
        only_predicted="zero",
    ),
    "ade20k": Rule(
        "ADE20K, official",
        "The pixels of all pictures are pooled and all classes averaged; a class in neither truth nor prediction "
        "counts as 0, which lowers the score of a part of the data set.",
        absent="zero",
        only_predicted="zero",
    ),
    "detectron2": Rule(
        "Detectron2",
        "The pixels of all pictures are pooled; only classes of the truth are averaged, so that a class that is only "
        "predicted does not count as 0.",
        absent="skipped",
        only_predicted="skipped",
    ),
    "per_image": Rule(
        "Mean of the pictures",
        "Each picture gets the mean over the classes in its own truth or prediction, and the pictures are averaged; "
        "published scores pool pixels instead.",
        absent="skipped",
        only_predicted="zero",
    ),
}


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
        return _iou(self.tally())

    def dice(self) -> np.ndarray:
        """2 · right / (true + predicted), also called F1; NaN for a class that is neither."""
        right, true, predicted = self.tally()
        return _ratio(2 * right, true + predicted)

    def precision(self) -> np.ndarray:
        """Right / predicted; NaN for a class that is never predicted."""
        right, _, predicted = self.tally()
        return _ratio(right, predicted)

    def recall(self) -> np.ndarray:
        """Right / true; NaN for a class that is not in the truth."""
        right, true, _ = self.tally()
        return _ratio(right, true)

    def support(self) -> np.ndarray:
        """(C,) int64: pixels of each class in the truth."""
        return self.counts.sum(axis=1)

    def tally(self) -> np.ndarray:
        """(3, C) int64: pixels of each class that are right, true and predicted; all that IoU needs of a picture."""
        return np.stack([self.counts.diagonal(), self.support(), self.counts[:, :-1].sum(axis=0)])

    def accuracy(self) -> float:
        """The share of the true pixels that are right; NaN where there is no truth."""
        return float(_ratio(self.counts.trace(), self.counts.sum()))

    def mean_accuracy(self) -> Score:
        """The mean of `recall` over the classes of the truth."""
        recall = self.recall()
        averaged = recall[~np.isnan(recall)]
        return Score(float(_ratio(averaged.sum(), averaged.size)), averaged.size, "mmsegmentation")

    def frequency_weighted_iou(self) -> float:
        """The mean of `iou` over the classes of the truth, each weighed by its pixels there; NaN without truth."""
        support = self.support()
        return float(_ratio(np.nansum(support * self.iou()), support.sum()))

    def mean_iou(self, convention: Convention = "mmsegmentation", without: Collection[int] = ()) -> Score:
        """The mean of `iou` over classes, by one of `CONVENTIONS` that pool pixels.

        without: ids of classes to leave out of the mean, such as the background; their pixels still count as wrong
        where another class is predicted on them. "per_image" raises `ValueError`: see `per_image_mean_iou`.
        """
        value, classes = pooled_mean_iou(self.tally(), convention, without)
        return Score(float(value), int(classes), convention)


def pooled_mean_iou(
    tallies: np.ndarray, convention: Convention = "mmsegmentation", without: Collection[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Mean IoU of many sums at once: tallies (..., 3, C), see `ClassCounts.tally`, to values and class counts (...).

    `ClassCounts.mean_iou` tells the rest.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"unknown convention {convention!r}, expected one of {', '.join(CONVENTIONS)}")
    if convention == "per_image":
        raise ValueError("'per_image' does not pool pixels: call per_image_mean_iou with the tally of each picture")
    rule = CONVENTIONS[convention]
    iou, true = _iou(tallies), tallies[..., 1, :]
    nowhere = np.isnan(iou)
    averaged = ~nowhere if rule.absent == "skipped" else np.ones_like(nowhere)
    if rule.absent == "zero":
        iou[nowhere] = 0
    if rule.only_predicted == "skipped":
        averaged &= true > 0
    averaged[..., list(without)] = False
    classes = averaged.sum(axis=-1)
    return _ratio(np.where(averaged, iou, 0).sum(axis=-1), classes), classes


def per_image_mean_iou(tallies: np.ndarray, without: Collection[int] = ()) -> Score:
    """The mean over pictures of `image_mean_ious`; its `classes` are those that occur in any picture.

    tallies: (N, 3, C) int64, one `ClassCounts.tally` per picture; their matrices would take C / 3 times as much.
    """
    values = image_mean_ious(tallies, without)
    averaged = values[~np.isnan(values)]
    _, classes = pooled_mean_iou(tallies.sum(axis=0), without=without)
    return Score(float(_ratio(averaged.sum(), averaged.size)), int(classes), "per_image")


def image_mean_ious(tallies: np.ndarray, without: Collection[int] = ()) -> np.ndarray:
    """(N,) float64: the mean IoU of each picture over the classes in its truth or prediction; NaN where it has none."""
    return pooled_mean_iou(tallies, "mmsegmentation", without)[0]


def count(truth: Any, prediction: Any, num_classes: int) -> ClassCounts:
    """Count two label maps, uint8 of one shape, (H, W) or more, against each other.

    Both are numpy arrays, or both are torch tensors of one device, which are counted there. Pixels whose truth is
    `VOID` are skipped. Raises `ValueError` where the maps are not uint8 of one shape, or hold an id that is neither
    a class nor `VOID`.
    """
    if not 0 < num_classes <= VOID:
        raise ValueError(f"expected 1 to {VOID} classes, got {num_classes}")
    if isinstance(truth, np.ndarray) != isinstance(prediction, np.ndarray):
        raise ValueError("truth and prediction must both be numpy arrays or both be tensors of one device")
    types = {str(labels.dtype).removeprefix("torch.") for labels in (truth, prediction)}
    if truth.shape != prediction.shape or types != {"uint8"}:
        raise ValueError(
            "truth and prediction must be uint8 of one shape, "
            f"got {truth.dtype} {tuple(truth.shape)} and {prediction.dtype} {tuple(prediction.shape)}"
        )
    table = count_pairs(truth, prediction) if isinstance(truth, np.ndarray) else _count_on_device(truth, prediction)
    _check_ids("truth", table.sum(axis=1), num_classes)
    _check_ids("prediction", table.sum(axis=0), num_classes)
    return ClassCounts(table[:num_classes, [*range(num_classes), VOID]].astype(np.int64))


def count_pairs(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """How often each pair of ids occurs in two label maps, uint8 of one shape: (256, 256) int64, truth in rows."""
    truth, prediction = truth.ravel(), prediction.ravel()
    counts = np.zeros(_IDS * _IDS, np.int64)
    for start in range(0, truth.size, _BLOCK):
        pairs = np.multiply(truth[start : start + _BLOCK], _IDS, dtype=np.uint16)
        pairs += prediction[start : start + _BLOCK]
        changes = pairs[1:] != pairs[:-1]
        if np.count_nonzero(changes) > pairs.size * _RESTLESS:
            counts += np.bincount(pairs, minlength=counts.size)
        else:
            last = np.append(np.flatnonzero(changes), pairs.size - 1)  # of each run
            lengths = np.diff(last, prepend=-1)
            counts += np.bincount(pairs[last], lengths, counts.size).astype(np.int64)
    return counts.reshape(_IDS, _IDS)


def _count_on_device(truth: Any, prediction: Any) -> np.ndarray:
    """`count_pairs` of torch tensors, by their own methods: this module does without torch."""
    pairs = truth.int() * _IDS + prediction
    return pairs.flatten().bincount(minlength=_IDS * _IDS).cpu().numpy().reshape(_IDS, _IDS)


def _check_ids(what: str, pixels: np.ndarray, num_classes: int) -> None:
    strange = np.flatnonzero(pixels[num_classes:VOID]) + num_classes
    if strange.size:
        raise ValueError(f"{what} holds the id {strange[0]}, expected 0 to {num_classes - 1}, or {VOID} for no class")


def _iou(tallies: np.ndarray) -> np.ndarray:
    """(..., C) float64 of tallies (..., 3, C)."""
    right, true, predicted = np.moveaxis(tallies, -2, 0)
    return _ratio(right, true + predicted - right)


def _ratio(part: np.ndarray, whole: np.ndarray | int) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.true_divide(part, whole)
