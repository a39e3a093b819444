"""Panoptic quality (https://arxiv.org/abs/1801.00868): predicted segments against true ones.

A predicted and a true segment of one class match where their IoU exceeds 0.5; no segment can match twice. Pixels that
are void in the truth count for no union. True crowd regions match nothing and are never missed, and a predicted segment
that lies for more than half in void or in a crowd region of its class is not held against the model.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from segdemo.labels import VOID, LabelSpace
from segdemo.prediction import Segments
from segdemo.sample import Sample, TrueSegments


@dataclass(frozen=True)
class PanopticQuality:
    """Means over `classes` classes that occur, in [0, 1]; NaN for a mean of nothing.

    pq = sq · rq for one class; sq: mean IoU of the matches; rq: F1 of finding segments.
    """

    pq: float
    sq: float
    rq: float
    classes: int


@dataclass(frozen=True, eq=False)
class PanopticCounts:
    """Matches per class, of one picture or of many: `+` adds them.

    iou: (C,) float64, summed over the matches. matched, missed, invented: (C,) int64 segments, the true positives,
    false negatives and false positives of the paper.
    """

    iou: np.ndarray
    matched: np.ndarray
    missed: np.ndarray
    invented: np.ndarray

    def __add__(self, other: "PanopticCounts") -> "PanopticCounts":
        return PanopticCounts(
            self.iou + other.iou,
            self.matched + other.matched,
            self.missed + other.missed,
            self.invented + other.invented,
        )

    def per_class(self) -> np.ndarray:
        """(C, 3) float64: PQ, SQ, RQ of each class, NaN for a class that is neither true nor predicted; SQ is 0 where
        nothing matched, as in the authors' code."""
        weight = self.matched + 0.5 * (self.missed + self.invented)
        with np.errstate(invalid="ignore"):
            pq, rq = self.iou / weight, self.matched / weight
        sq = np.where(weight > 0, self.iou / np.maximum(self.matched, 1), np.nan)
        return np.stack([pq, sq, rq], 1)

    def quality(self, class_ids: Iterable[int] | None = None) -> PanopticQuality:
        """The mean over the classes with these ids (None: all) that occur."""
        rows = self.per_class()
        rows = rows if class_ids is None else rows[sorted(class_ids)]
        rows = rows[~np.isnan(rows[:, 0])]
        pq, sq, rq = rows.mean(0).tolist() if len(rows) else (np.nan,) * 3
        return PanopticQuality(pq, sq, rq, len(rows))


def count_segments(sample: Sample, found: Segments, space: LabelSpace) -> PanopticCounts:
    """Match a picture's predicted segments, which must not overlap, against its labels.

    True segments are the sample's own; of what they leave, each class that is no thing is one, and the rest is void.
    Raises `ValueError` for a sample without a label map.
    """
    if sample.labels is None:
        raise ValueError(f"{sample.name} has no label map, so it has no panoptic truth")
    true_ids, true_classes, crowd = _true_map(sample.labels, sample.segments, space)
    found_ids = _paint(found.boxes_xyxy, found.masks, sample.labels.shape)
    shape = (len(true_classes) + 1, len(found) + 1)
    pairs = true_ids.ravel() * shape[1] + found_ids.ravel()
    overlap = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    return _match(overlap, true_classes, crowd, found.class_ids.astype(np.int64), len(space.classes))


def _true_map(
    labels: np.ndarray, segments: TrueSegments | None, space: LabelSpace
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segment numbers (H, W) from 1, 0 for void; the class (N,) and the crowd flag (N,) of numbers 1..N."""
    ids = np.zeros(labels.shape, np.int64)
    classes, crowd = np.zeros(0, np.int64), np.zeros(0, bool)
    if segments is not None:
        ids = _paint(segments.boxes_xyxy, segments.masks, labels.shape)
        classes, crowd = segments.class_ids.astype(np.int64), segments.crowd
    stuff = np.array([c for c in range(len(space.classes)) if c not in space.things], np.int64)
    number_of = np.zeros(VOID + 1, np.int64)
    number_of[stuff] = len(classes) + 1 + np.arange(len(stuff))
    ids = np.where(ids == 0, number_of[labels], ids)
    return ids, np.concatenate([classes, stuff]), np.concatenate([crowd, np.zeros(len(stuff), bool)])


def _paint(boxes_xyxy: np.ndarray, masks: Sequence[np.ndarray], size_hw: tuple[int, ...]) -> np.ndarray:
    ids = np.zeros(size_hw, np.int64)
    for number, (mask, (x1, y1, x2, y2)) in enumerate(zip(masks, boxes_xyxy.tolist(), strict=True), 1):
        ids[y1:y2, x1:x2][mask] = number
    return ids


def _match(
    overlap: np.ndarray, true_classes: np.ndarray, crowd: np.ndarray, found_classes: np.ndarray, num_classes: int
) -> PanopticCounts:
    """overlap: (1 + true, 1 + found) pixels, row 0 void, column 0 nothing found."""
    true_area, found_area = overlap.sum(1)[1:], overlap.sum(0)[1:]
    void, inner = overlap[0, 1:], overlap[1:, 1:]
    same = true_classes[:, None] == found_classes
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = inner / (true_area[:, None] + found_area - inner - void)
    match = same & ~crowd[:, None] & (iou > 0.5)
    missed = ~match.any(1) & ~crowd & (true_area > 0)
    excused = void + (inner * (same & crowd[:, None])).sum(0)
    invented = ~match.any(0) & (found_area > 0) & (2 * excused <= found_area)

    def per_class(classes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(classes, weights, num_classes)

    matched, _ = np.nonzero(match)
    return PanopticCounts(
        per_class(true_classes[matched], iou[match]).astype(np.float64),
        per_class(true_classes[matched]),
        per_class(true_classes[missed]),
        per_class(found_classes[invented]),
    )
