"""One labelled picture of a data set: what a model is to find, as far as the data set tells."""

from dataclasses import dataclass

import numpy as np

from segdemo.images import InputImage


@dataclass(frozen=True)
class TrueSegments:
    """N labelled instances or panoptic segments; masks are cropped to their boxes and may overlap.

    boxes_xyxy: (N, 4) int32, pixels, right and bottom exclusive, inside the picture, not empty.
    masks: N bool arrays of shape (y2 - y1, x2 - x1).
    class_ids: (N,) uint8. crowd: (N,) bool, regions of many things that nobody told apart.
    """

    boxes_xyxy: np.ndarray
    masks: tuple[np.ndarray, ...]
    class_ids: np.ndarray
    crowd: np.ndarray

    def __len__(self) -> int:
        return len(self.masks)


@dataclass(frozen=True)
class Sample:
    """A picture, its label map (H, W) uint8 with VOID in its data set's label space, and its segments where known.

    labels: None where the data set labels instances alone (COCO instances).
    """

    name: str
    image: InputImage
    labels: np.ndarray | None
    segments: TrueSegments | None
