"""Masks cropped to their boxes as COCO's compressed run lengths (https://cocodataset.org/#format-results)."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def encode(boxes_xyxy: np.ndarray, masks: Sequence[np.ndarray], size_hw: tuple[int, int]) -> list[dict[str, Any]]:
    """Each mask as {"size": [height, width], "counts": text}, the same text as pycocotools makes of the full-size mask.

    boxes_xyxy: (N, 4), right and bottom exclusive. masks: N bool arrays of their boxes' sizes.
    """
    from pycocotools import mask as coco  # training and plain scores do without it

    height, width = size_hw
    runs = [run_lengths(mask, x1, y1, size_hw) for mask, (x1, y1, _, _) in zip(masks, boxes_xyxy.tolist(), strict=True)]
    plain = [{"size": [height, width], "counts": lengths} for lengths in runs]
    packed = coco.frPyObjects(plain, height, width) if plain else []
    return [{"size": [height, width], "counts": one["counts"].decode()} for one in packed]


def run_lengths(mask: np.ndarray, x1: int, y1: int, size_hw: tuple[int, int]) -> list[int]:
    """Lengths of the runs of 0 and 1 by turns, down the columns of the full picture, 0 first.

    mask: bool, of its box's size, whose upper left corner is at (x1, y1) of a picture of `size_hw`.
    """
    height, width = size_hw
    columns = np.pad(mask.T, ((0, 0), (1, 1))).astype(np.int8)
    column, row = np.nonzero(np.diff(columns, axis=1))  # where a run of 1 begins or has just ended, in order
    edges = (x1 + column) * height + y1 + row
    # A run to the picture's lower edge goes on where the next column begins with one.
    joined = np.flatnonzero(np.diff(edges) == 0)
    edges = np.delete(edges, [joined, joined + 1])
    lengths: list[int] = np.diff(edges, prepend=0, append=height * width).tolist()
    return lengths if lengths[-1] else lengths[:-1]


def compressed(lengths: list[int]) -> str:
    """Lengths as COCO's text, the same as `encode` gives, for machines without pycocotools.

    From the fourth on, lengths less the one two before; five bits a character, low first.
    """
    characters = bytearray()
    for i, length in enumerate(lengths):
        rest = length - lengths[i - 2] if i > 2 else length
        more = True
        while more:
            bits, rest = rest & 0x1F, rest >> 5
            more = rest != (-1 if bits & 0x10 else 0)
            characters.append((bits | 0x20 if more else bits) + 48)
    return characters.decode()
