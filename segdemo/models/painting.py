"""Instances that may overlap to a label map and `Segments`, without a full-size map per instance."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segdemo.labels import VOID
from segdemo.models import SCORE_THRESHOLD, Answer
from segdemo.prediction import Segments


@dataclass(frozen=True)
class Instance:
    """One instance inside the window of the picture whose first row and column are `top` and `left`.

    mask: (h, w) bool. probability: (h, w) float32 in [0, 1], of the mask.
    """

    top: int
    left: int
    mask: Tensor
    probability: Tensor
    class_id: int
    score: float


def paint(instances: Iterable[Instance], size_hw: tuple[int, int], device: torch.device) -> Answer:
    """Segments, best first, and the label map that they make.

    instances: worst first, so that the best is painted last and stays on top; one at a time is held at full depth.
    Instances scored below 0.5 are segments, but not painted. Confidence is score times mask probability, 0 where the
    label map is VOID. Boxes are the masks' own bounds; an instance without a pixel is left out.
    """
    labels = torch.full(size_hw, VOID, dtype=torch.uint8, device=device)
    confidence = torch.zeros(size_hw, dtype=torch.float16, device=device)
    painted: list[tuple[int, int, int, float]] = []
    masks: list[Tensor] = []
    for one in instances:
        height, width = one.mask.shape
        window = (slice(one.top, one.top + height), slice(one.left, one.left + width))
        if one.score >= SCORE_THRESHOLD:
            labels[window].masked_fill_(one.mask, one.class_id)
            weighted = (one.probability * one.score).half()
            confidence[window] = torch.where(one.mask, weighted, confidence[window])
        painted.append((one.top, one.left, one.class_id, one.score))
        masks.append(one.mask)
    segments = _segments(painted[::-1], _to_host(masks[::-1]))
    return Answer(labels.cpu().numpy(), confidence.cpu().numpy(), segments)


def _to_host(masks: list[Tensor]) -> list[np.ndarray]:
    """The masks as arrays, in one transfer."""
    if not masks:
        return []
    flat = torch.cat([mask.flatten() for mask in masks]).cpu().numpy()
    ends = np.cumsum([mask.numel() for mask in masks])
    return [part.reshape(mask.shape) for part, mask in zip(np.split(flat, ends[:-1]), masks, strict=True)]


def _segments(painted: list[tuple[int, int, int, float]], masks: list[np.ndarray]) -> Segments:
    boxes, cut, class_ids, scores = [], [], [], []
    for (top, left, class_id, score), mask in zip(painted, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if rows.size == 0:
            continue
        y1, y2, x1, x2 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        boxes.append((left + x1, top + y1, left + x2, top + y2))
        cut.append(mask[y1:y2, x1:x2])
        class_ids.append(class_id)
        scores.append(score)
    return Segments(
        boxes_xyxy=np.array(boxes, np.int32).reshape(-1, 4),
        masks=tuple(cut),
        class_ids=np.array(class_ids, np.uint8),
        scores=np.array(scores, np.float32),
    )
