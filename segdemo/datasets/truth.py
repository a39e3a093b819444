"""Label images of data sets that number things their own way: pixels to ids, ids to label maps and segments."""

from collections.abc import Collection
from typing import Final

import numpy as np
from scipy import ndimage

from segdemo.errors import ImageError
from segdemo.images import opened, shown
from segdemo.labels import VOID
from segdemo.sample import TrueSegments

UNKNOWN: Final = -1
MOST_SEGMENTS: Final = 10_000  # of one picture

_GREY: Final = {"1", "L", "P", "I", "I;16", "I;16B"}


def decode_ids(data: bytes, name: str, size_hw: tuple[int, int]) -> np.ndarray:
    """The numbers in a PNG file: (H, W) int32, grey values, palette indices, or red + 256 green + 65536 blue.

    Raises `ImageError` for another size than the picture's and for files that cannot be read.
    """
    with opened(data, name, formats=("PNG",)) as picture:
        if (picture.height, picture.width) != size_hw:
            raise ImageError(
                f"{shown(name)} is {picture.width}×{picture.height} and its picture {size_hw[1]}×{size_hw[0]}; "
                "save both at the same size."
            )
        if picture.mode not in _GREY | {"RGB"}:
            raise ImageError(f"{shown(name)} has transparency, which numbers nothing; save it as grey or RGB.")
        values = np.asarray(picture)
    if values.ndim == 2:
        return values.astype(np.int32)
    return values.astype(np.int32) @ np.array([1, 256, 65536], np.int32)


def labels_of(ids: np.ndarray, table: np.ndarray, name: str) -> np.ndarray:
    """The label map (H, W) uint8 of a map of ids; `table` (K,) int16 holds the class, `VOID` or `UNKNOWN` of each id.

    Raises `ImageError` for ids that are unknown or beyond the table.
    """
    labels = np.append(table, UNKNOWN)[np.minimum(ids, len(table))]
    unknown = labels == UNKNOWN
    if unknown.any():
        values = np.unique(ids[unknown])
        more = " and more" if len(values) > 5 else ""
        raise ImageError(
            f"{shown(name)} holds ids that its data set does not know ({', '.join(map(str, values[:5]))}{more}); "
            "use the data set's own numbers."
        )
    return labels.astype(np.uint8)


def segments_of_instances(
    instances: np.ndarray, labels: np.ndarray, things: Collection[int], name: str
) -> TrueSegments:
    """The instances in a map of their numbers (H, W), 0 where there is none; each has the class of most of its pixels.

    Left out is what has no class or is none of the `things`. No crowds. Raises `ImageError` for too many.
    """
    numbers, positions = number(instances, name)
    pairs = positions.ravel() * (VOID + 1) + labels.ravel()
    pixels = np.bincount(pairs, minlength=len(numbers) * (VOID + 1)).reshape(-1, VOID + 1)[:, :VOID]
    class_ids = pixels.argmax(axis=1)
    kept = np.flatnonzero((numbers > 0) & (pixels.max(axis=1) > 0) & np.isin(class_ids, list(things)))
    return cut_out(positions, kept, class_ids[kept], np.zeros(len(kept), bool))


def number(ids: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The values in a map, ascending, and each pixel's position among them, (H, W) int32.

    `numpy.unique` of the runs of equal neighbours, which are few. Raises `ImageError` for too many values.
    """
    flat = ids.ravel()
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    values, positions = np.unique(flat[starts], return_inverse=True)
    if len(values) > MOST_SEGMENTS:
        raise ImageError(f"{shown(name)} numbers {len(values):,} segments and at most {MOST_SEGMENTS:,} can be read.")
    return values, np.repeat(positions.astype(np.int32), np.diff(starts, append=flat.size)).reshape(ids.shape)


def cut_out(positions: np.ndarray, kept: np.ndarray, class_ids: np.ndarray, crowd: np.ndarray) -> TrueSegments:
    """The segments with the numbers `kept` (K,) in a map of numbers from 0; class and crowd flag of each, (K,)."""
    slices = ndimage.find_objects(positions + 1)
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in (slices[k] for k in kept)]
    masks = tuple(positions[slices[k]] == k for k in kept)
    return TrueSegments(np.array(boxes, np.int32).reshape(-1, 4), masks, class_ids.astype(np.uint8), crowd)
