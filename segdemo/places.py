"""What an answer says of one place: the class, the connected area of that class, and the object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from segdemo import overlay
from segdemo.labels import VOID, LabelSpace
from segdemo.prediction import Prediction, Segments, StageTimes

TRUTH: Final = "truth"  # in place of a model's key
_MOST_TRIED: Final = 12  # objects, the largest first


@dataclass(frozen=True, eq=False)
class Here:
    """One answer at one pixel.

    class_id: its label, `VOID` for none. area: (H, W) bool, the pixels of that label that hang together with it.
    number: of the object there, from 1 in the order of scores; 0 for none. mask: (H, W) bool of the object, else None.
    """

    class_id: int
    area: np.ndarray
    number: int
    mask: np.ndarray | None


def look(prediction: Prediction, place_yx: tuple[int, int]) -> Here:
    """What an answer says of a pixel (row, column) of its picture."""
    numbers = overlay.object_numbers(prediction)
    number = 0 if numbers is None else int(numbers[place_yx])
    mask = None if numbers is None or number == 0 else numbers == number
    return Here(int(prediction.labels[place_yx]), area(prediction.labels, place_yx), number, mask)


def true_answers(
    labels: np.ndarray, instances: np.ndarray, classes: Sequence[int], space: LabelSpace
) -> tuple[Prediction, Prediction, Prediction]:
    """The semantic, instance and panoptic answer that a labelled picture stands for, sure of everything.

    labels: (H, W) uint8. instances: (H, W), 0 for none, else the number of a thing. classes: of numbers 1, 2, ….
    """
    found = [(n, *box) for n, box in enumerate(ndimage.find_objects(instances), 1) if box is not None]
    segments = Segments(
        boxes_xyxy=np.array([(x.start, y.start, x.stop, y.stop) for _, y, x in found], np.int32).reshape(-1, 4),
        masks=tuple(instances[y, x] == n for n, y, x in found),
        class_ids=np.array([classes[n - 1] for n, _, _ in found], np.uint8),
        scores=np.ones(len(found), np.float32),
    )
    only_things = np.where(instances > 0, labels, VOID).astype(np.uint8)
    given = ((labels, None), (only_things, segments), (labels, segments))
    semantic, instance, panoptic = (
        Prediction(TRUTH, space, ids, None, objects, StageTimes(0, 0, 0, 0)) for ids, objects in given
    )
    return semantic, instance, panoptic


def area(labels: np.ndarray, place_yx: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: the pixels of a label map that have a place's label and hang together with it, side by side."""
    regions, _ = ndimage.label(labels == labels[place_yx])
    return regions == regions[place_yx]


def objects_in(area: np.ndarray, prediction: Prediction) -> int:
    """How many objects of another answer lie for more than half of their visible pixels in an area (H, W) bool."""
    numbers = overlay.object_numbers(prediction)
    if numbers is None:
        return 0
    whole = np.bincount(numbers.ravel())
    inside = np.bincount(numbers[area], minlength=whole.size)
    return int(np.count_nonzero(2 * inside[1:] > whole[1:]))


def telling(labels: np.ndarray, prediction: Prediction) -> tuple[int, int]:
    """The place (row, column) that tells most: in the area of one label that holds most of another answer's objects.

    It is inside the largest object there; the middle of the picture where there is no object at all.
    """
    numbers = overlay.object_numbers(prediction)
    height, width = labels.shape
    if numbers is None or not numbers.any():
        return height // 2, width // 2
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    best = (0, 0, (height // 2, width // 2))
    for number in np.argsort(-sizes)[: np.count_nonzero(sizes)][:_MOST_TRIED].tolist():
        place = _deepest(numbers == number)
        best = max(best, (objects_in(area(labels, place), prediction), int(sizes[number]), place))
    return best[2]


def _deepest(mask: np.ndarray) -> tuple[int, int]:
    """The pixel (row, column) of a mask that is farthest from its rim."""
    [(rows, columns)] = ndimage.find_objects(mask.astype(np.int32))
    depth = ndimage.distance_transform_edt(np.pad(mask[rows, columns], 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return rows.start + int(row), columns.start + int(column)
