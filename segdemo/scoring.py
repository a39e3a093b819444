"""Everything that is counted on one picture, and its sums over a data set.

Counts only: conventions and means come later, from the sums. So a stored picture takes a few kilobytes and answers
questions that nobody has asked yet.
"""

import json
import math
import zlib
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from segdemo.average_precision import InstanceAnswers, instance_answers
from segdemo.boundary import BoundaryCounts, count_boundaries
from segdemo.calibration import CalibrationBins, count_confidence
from segdemo.class_mapping import ClassMapping, Coverage
from segdemo.confusion import ClassCounts, count
from segdemo.matching import PanopticCounts, count_segments
from segdemo.models.spec import Task
from segdemo.object_sizes import SizeCounts, count_by_size
from segdemo.prediction import Prediction
from segdemo.sample import Sample, TrueSegments

_COUNTS: Final[dict[str, type[Any]]] = {
    "classes": ClassCounts,
    "boundaries": BoundaryCounts,
    "sizes": SizeCounts,
    "calibration": CalibrationBins,
    "panoptic": PanopticCounts,
    "coverage": Coverage,
}


@dataclass(frozen=True)
class PictureScores:
    """Counts of one picture, all but `instances` additive; None where the data set or the model lacks what they take.

    classes, boundaries, sizes: the label map. calibration: the confidence of a semantic model. panoptic: the segments
    of a panoptic model. coverage: labelled pixels whose class the model knows. instances: those of an instance model.
    """

    classes: ClassCounts | None = None
    boundaries: BoundaryCounts | None = None
    sizes: SizeCounts | None = None
    calibration: CalibrationBins | None = None
    panoptic: PanopticCounts | None = None
    coverage: Coverage | None = None
    instances: InstanceAnswers | None = None

    def pack(self) -> bytes:
        """As bytes for the store: a line of JSON that says what there is, then the arrays, all compressed.

        numpy's own archives would take five times as long, which tells where thousands of pictures are read.
        """
        header: dict[str, Any] = {}
        arrays: list[np.ndarray] = []
        for name in _COUNTS:
            part = getattr(self, name)
            if part is not None:
                values = {field.name: getattr(part, field.name) for field in fields(part)}
                arrays += [value for value in values.values() if isinstance(value, np.ndarray)]
                header[name] = {field: _described(value) for field, value in values.items()}
        if self.instances is not None:
            header["instances"] = vars(self.instances)
        blob = b"".join([json.dumps(header).encode(), b"\n", *(array.tobytes() for array in arrays)])
        return zlib.compress(blob, level=1)


def add(a: PictureScores, b: PictureScores) -> PictureScores:
    """The sums of all counts; a kind that either lacks is None. Instances do not add up, and are dropped."""
    parts = {}
    for name in _COUNTS:
        left, right = getattr(a, name), getattr(b, name)
        parts[name] = None if left is None or right is None else left + right
    return PictureScores(**parts)


def unpack(data: bytes) -> PictureScores:
    """What `PictureScores.pack` made bytes of; its arrays are read-only."""
    header, _, arrays = zlib.decompress(data).partition(b"\n")
    record, start = json.loads(header), 0
    parts: dict[str, Any] = {}
    for name, kind in _COUNTS.items():
        for field, value in record.get(name, {}).items():
            if isinstance(value, dict):
                array = np.frombuffer(arrays, value["dtype"], math.prod(value["shape"]), start)
                start += array.nbytes
                record[name][field] = array.reshape(value["shape"])
            elif isinstance(value, list):
                record[name][field] = tuple(value)
        if name in record:
            parts[name] = kind(**record[name])
    if "instances" in record:
        answers = record["instances"]
        parts["instances"] = InstanceAnswers(tuple(answers["size_hw"]), answers["truths"], answers["found"])
    return PictureScores(**parts)


def _described(value: Any) -> Any:
    """For the header: an array by its type and shape, numbers and pairs of them as they are."""
    return {"dtype": value.dtype.str, "shape": value.shape} if isinstance(value, np.ndarray) else value


def _things(segments: TrueSegments, common: ClassMapping) -> TrueSegments:
    """Without the stuff that panoptic labels hold too."""
    kept = np.isin(segments.class_ids, list(common.space.things))
    masks = tuple(mask for mask, keep in zip(segments.masks, kept, strict=True) if keep)
    return TrueSegments(segments.boxes_xyxy[kept], masks, segments.class_ids[kept], segments.crowd[kept])


def score(sample: Sample, prediction: Prediction, task: Task, common: ClassMapping) -> PictureScores:
    """Count a model's answer against a sample, over the classes that both know.

    Segments are scored only where data set and model have the same classes.
    """
    classes = len(common.space.classes)
    same = prediction.space.classes == common.space.classes and not common.truth_only
    found = prediction.segments
    scores: dict[str, Any] = {}
    if sample.labels is not None:
        truth, answer = common.truth(sample.labels), common.prediction(prediction.labels)
        scores["classes"] = count(truth, answer, classes)
        scores["boundaries"] = count_boundaries(truth, answer, classes)
        scores["coverage"] = common.coverage(sample.labels)
        scores["sizes"] = count_by_size(truth, answer, classes)
        if task == "semantic" and prediction.confidence is not None:
            scores["calibration"] = count_confidence(truth, answer, prediction.confidence)
        if task == "panoptic" and same and found is not None:
            scores["panoptic"] = count_segments(sample, found, common.space)
    if task == "instance" and same and found is not None and sample.segments is not None:
        scores["instances"] = instance_answers(_things(sample.segments, common), found, prediction.labels.shape)
    return PictureScores(**scores)
