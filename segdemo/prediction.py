"""What every model's output becomes. Nothing after `Prediction` knows torch, torchvision or transformers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdemo.extras import Extras
from segdemo.labels import VOID, LabelSpace


@dataclass(frozen=True)
class StageTimes:
    """Seconds per picture of the four stages, measured with the device synchronised.

    For a batch each is the batch's time divided by its number of pictures, for tiles and views the sum over them.
    transfer_s: of the picture's bytes to the device, on a CPU a copy. postprocess_s: with blending, refinement and the
    answer's way back.
    """

    transfer_s: float
    preprocess_s: float
    forward_s: float
    postprocess_s: float

    @property
    def total_s(self) -> float:
        return self.transfer_s + self.preprocess_s + self.forward_s + self.postprocess_s


@dataclass(frozen=True)
class Segments:
    """N instances or panoptic segments, best first; masks are cropped to their boxes.

    boxes_xyxy: (N, 4) int32, pixels, right and bottom exclusive, inside the picture, not empty.
    masks: N bool arrays of shape (y2 - y1, x2 - x1), or what gives them (`BitMasks`).
    class_ids: (N,) uint8. scores: (N,) float32 in [0, 1], descending.
    """

    boxes_xyxy: np.ndarray
    masks: Sequence[np.ndarray]
    class_ids: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.masks)
        _expect("boxes_xyxy", self.boxes_xyxy, np.int32, (n, 4))
        _expect("class_ids", self.class_ids, np.uint8, (n,))
        _expect("scores", self.scores, np.float32, (n,))
        if np.any(np.diff(self.scores) > 0):
            raise ValueError("scores must descend")
        for i, (mask, (x1, y1, x2, y2)) in enumerate(zip(self.masks, self.boxes_xyxy, strict=True)):
            _expect(f"masks[{i}]", mask, np.bool_, (y2 - y1, x2 - x1))

    def __len__(self) -> int:
        return len(self.masks)


@dataclass(frozen=True)
class Prediction:
    """One model's answer for one picture.

    model: the model's key. space: what its ids mean.
    labels: (H, W) uint8 at the picture's size, VOID where nothing was assigned.
    confidence: (H, W) float16 in [0, 1], the probability of the assigned class, or None.
    segments: instances or panoptic segments, or None for semantic models.
    extras: how it came about, as carried out on this picture.
    """

    model: str
    space: LabelSpace
    labels: np.ndarray
    confidence: np.ndarray | None
    segments: Segments | None
    times: StageTimes
    extras: Extras = Extras()

    def __post_init__(self) -> None:
        if self.labels.ndim != 2:
            raise ValueError(f"labels must be (H, W), got shape {self.labels.shape}")
        _expect("labels", self.labels, np.uint8, self.labels.shape)
        present = np.flatnonzero(np.bincount(self.labels.ravel(), minlength=256)[:VOID])
        if present.size and present[-1] >= len(self.space.classes):
            raise ValueError(f"label {present[-1]} is not in {self.space.name} ({len(self.space.classes)} classes)")
        if self.confidence is not None:
            _expect("confidence", self.confidence, np.float16, self.labels.shape)


def _expect(name: str, array: np.ndarray, dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != tuple(shape):
        raise ValueError(f"{name} must be {np.dtype(dtype)} of shape {tuple(shape)}, got {array.dtype} {array.shape}")
