"""Average precision of instance masks by pycocotools, which published figures are made with.

What a picture contributes is kept as run lengths, so that a whole data set fits into memory and a database.
"""

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from segdemo import rle
from segdemo.prediction import Segments
from segdemo.sample import TrueSegments

_SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}


@dataclass(frozen=True)
class InstanceAnswers:
    """One picture's true and found instances in COCO's own records, ready for JSON.

    truths: {"category_id", "segmentation", "area", "iscrowd"}; found: {"category_id", "segmentation", "score"}.
    """

    size_hw: tuple[int, int]
    truths: list[dict[str, Any]]
    found: list[dict[str, Any]]


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's mask AP over classes that occur in the truth, in [0, 1], NaN where there is none.

    ap: mean over IoU thresholds 0.50, 0.55, ..., 0.95; ap50, ap75: at one; small: instances below 32² pixels, medium:
    below 96², large: the rest, in the label image's own pixels. per_class: (C,) float64, `ap` of each class.
    """

    ap: float
    ap50: float
    ap75: float
    small: float
    medium: float
    large: float
    per_class: np.ndarray


def instance_answers(truth: TrueSegments, found: Segments, size_hw: tuple[int, int]) -> InstanceAnswers:
    """A picture's instances against its truth, both with class ids of one label space."""
    areas = [int(np.count_nonzero(mask)) for mask in truth.masks]
    return InstanceAnswers(
        size_hw,
        [
            {"category_id": int(c), "segmentation": mask, "area": area, "iscrowd": int(crowd)}
            for c, mask, area, crowd in zip(
                truth.class_ids, rle.encode(truth.boxes_xyxy, truth.masks, size_hw), areas, truth.crowd, strict=True
            )
        ],
        [
            {"category_id": int(c), "segmentation": mask, "score": float(score)}
            for c, mask, score in zip(
                found.class_ids, rle.encode(found.boxes_xyxy, found.masks, size_hw), found.scores, strict=True
            )
        ],
    )


def average_precision(
    pictures: Iterable[InstanceAnswers], num_classes: int, smallest_area: float = 0
) -> AveragePrecision:
    """Mask AP of a data set.

    smallest_area: pixels; smaller instances count neither as missed nor as found, as COCO does for its size ranges.
    """
    precision, classes = _evaluate(list(pictures), {**_SIZES, "all": (smallest_area, 1e10)})
    per_class = np.full(num_classes, np.nan)
    per_class[classes] = [_mean(precision[:, :, k, 0]) for k in range(len(classes))]
    everything, small, medium, large = (precision[..., i] for i in range(len(_SIZES)))
    return AveragePrecision(
        _mean(everything), _mean(everything[0]), _mean(everything[5]), _mean(small), _mean(medium), _mean(large),
        per_class,
    )  # fmt: skip


def _evaluate(pictures: list[InstanceAnswers], sizes: dict[str, tuple[float, float]]) -> tuple[np.ndarray, list[int]]:
    """Precision (10 thresholds, 101 recalls, classes, sizes), -1 where a class has no such instance; the class ids."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, found = _numbered(pictures, "truths"), _numbered(pictures, "found")
    classes = sorted({row["category_id"] for row in truths})
    if not classes:
        return np.full((10, 101, 0, len(sizes)), -1.0), []
    images = [{"id": i, "height": p.size_hw[0], "width": p.size_hw[1]} for i, p in enumerate(pictures)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": images, "annotations": truths, "categories": [{"id": c} for c in classes]}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found) if found else COCO(), "segm")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = list(sizes.values()), list(sizes)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][..., -1], classes


def _numbered(pictures: list[InstanceAnswers], kind: str) -> list[dict[str, Any]]:
    rows = [(i, row) for i, picture in enumerate(pictures) for row in getattr(picture, kind)]
    return [row | {"id": number, "image_id": i} for number, (i, row) in enumerate(rows, 1)]


def _mean(precision: np.ndarray) -> float:
    """Over what is there; -1 marks what is not, as in COCO's own summary."""
    counted = precision[precision > -1]
    return float(counted.mean()) if counted.size else float("nan")
