"""COCO's masks, polygons and run lengths (https://cocodataset.org/#format-data), as masks cropped to their boxes.

The same pixels as pycocotools makes of them, without a mask of the picture's size for each instance.
"""

from typing import Any, Final

import numpy as np

_LONGEST_OUTLINE: Final = 1_000_000  # pixels: pycocotools walks along every edge and keeps each step
_MOST_CHARACTERS: Final = 7  # of one run length


def crop(segmentation: Any, size_hw: tuple[int, int]) -> tuple[tuple[int, int, int, int], np.ndarray] | None:
    """The box (x1, y1, x2, y2), right and bottom exclusive, and the bool mask in it; None for a mask without pixels.

    segmentation: polygons [[x, y, x, y, ...], ...] or {"size": [height, width], "counts": lengths or text}.
    Raises `ValueError`, `TypeError`, `KeyError` or `OverflowError` where it is neither, or of another size.
    """
    runs = _runs_of_polygons(segmentation, size_hw) if isinstance(segmentation, list) else _runs(segmentation, size_hw)
    height, width = size_hw
    pixels = height * width
    if runs.size == 0 or runs.min() < 0 or runs.max() > pixels or runs.sum() != pixels:
        raise ValueError("run lengths that do not add up to the picture")
    runs = runs[: runs.size // 2 * 2]  # 0 first and by turns: now the last one is of 1
    if not runs[1::2].any():
        return None
    left, right = runs[0] // height, -(-runs.sum() // height)
    runs[0] -= left * height
    runs = np.append(runs, (right - left) * height - runs.sum())
    strip = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(right - left, height).T
    ys, xs = np.flatnonzero(strip.any(axis=1)), np.flatnonzero(strip.any(axis=0))
    (top, bottom), (first, last) = (ys[0], ys[-1] + 1), (xs[0], xs[-1] + 1)
    box = (int(left + first), int(top), int(left + last), int(bottom))
    return box, np.ascontiguousarray(strip[top:bottom, first:last])


def _runs_of_polygons(polygons: list[Any], size_hw: tuple[int, int]) -> np.ndarray:
    from pycocotools import mask as coco  # other data sets, and training, do without it

    if not polygons:
        raise ValueError("no polygon")
    for polygon in polygons:
        points = np.array(polygon, np.float64)
        if points.ndim != 1 or points.size < 6 or points.size % 2 or not np.isfinite(points).all():
            raise ValueError("a polygon that is not three or more pairs of numbers")
        points = points.reshape(-1, 2)
        around = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum()
        if np.abs(points).max() > 2 * max(size_hw) or around > _LONGEST_OUTLINE:
            raise ValueError("a polygon that lies outside of the picture or is endless")
    return _unpack(coco.merge(coco.frPyObjects(polygons, *size_hw))["counts"])


def _runs(segmentation: dict[str, Any], size_hw: tuple[int, int]) -> np.ndarray:
    if list(segmentation["size"]) != list(size_hw):
        raise ValueError("a mask that is not of the picture's size")
    counts = segmentation["counts"]
    return _unpack(counts.encode()) if isinstance(counts, str) else np.array(counts, np.int64).reshape(-1)


def _unpack(counts: bytes) -> np.ndarray:
    """Run lengths, int64, of COCO's text: five bits per character, the lowest first, a sixth where more follow.

    From the fourth on they are differences to the last but one.
    """
    characters = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(characters < 32)
    if characters.size == 0 or characters.min() < 0 or characters.max() > 63 or ends[-1:].tolist() != [len(counts) - 1]:
        raise ValueError("run lengths that are no text of COCO's")
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > _MOST_CHARACTERS:
        raise ValueError("run lengths of more than 32 bits")
    starts = ends + 1 - lengths
    place = np.arange(characters.size) - np.repeat(starts, lengths)
    runs = np.add.reduceat((characters & 31) << 5 * place, starts)
    runs -= (characters[ends] & 16) << 5 * lengths - 4  # the highest bit stands for the sign
    runs[1::2], runs[2::2] = np.cumsum(runs[1::2]), np.cumsum(runs[2::2])
    return runs
