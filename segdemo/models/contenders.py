"""Where there are many classes: which of them can be the best at a place, and their scores there.

Resizing is bilinear: between four neighbouring cells of the network's grid a class stays within its values at these
four. Whoever stays below what another class has at least cannot win there, and need not be resized. Its exponential
still counts in the softmax: for such classes the sum of exponentials is made on the grid and resized, as long as that
bends it by less than the rounding of a float16. Of the 150 classes of ADE20K a few are left at most places.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.models.resizing import linear_shares, taps

_FEWEST_CLASSES = 48  # with fewer, resizing all costs less than finding out who can win
_FEWEST_PIXELS = 16  # of a cell
_MOST_LEFT = 0.6  # of the classes: with more, as well
_BLOCK_SIDE = 64  # pixels, about: what is made of a block stays in the processor's cache
_STRIP_CELLS = 2**16  # of the grid, that are looked through together
_ROUNDING = 2.0**-12  # of a float16, relative
_WIDEST = 60.0  # between the logits of a block: beyond, exponentials of one side would vanish beside the other's


@dataclass(frozen=True)
class Block:
    """A part of a picture with the classes that can win there.

    place: which picture, rows and columns. classes: their ids (K,) int64, ascending. scores: their resized logits
    (K, rows, columns) float32. others: the sum of exp(logit - top) over the other classes, (rows, columns) float32.
    """

    place: tuple[int, slice, slice]
    classes: Tensor
    scores: Tensor
    others: Tensor
    top: Tensor


@dataclass(frozen=True)
class _Part:
    """A block's extent along one side: its cells, its pixels, and what of each cell is in each pixel."""

    cells: slice
    pixels: slice
    shares: Tensor


def blocks_of_contenders(logits: Tensor, size_hw: tuple[int, int]) -> Iterator[Block] | None:
    """The blocks of all pictures, or None where resizing all classes costs no more.

    logits: (N, C, h, w), any float dtype. size_hw: the pictures' size.
    """
    count, (height, width) = logits.shape[1], logits.shape[2:]
    pixels_of_a_cell = size_hw[0] * size_hw[1] / (height * width)
    if logits.device.type != "cpu" or min(height, width) < 2:  # a GPU would wait for the host at every block
        return None
    if count < _FEWEST_CLASSES or pixels_of_a_cell < _FEWEST_PIXELS:
        return None
    steps = tuple(
        max(1, _BLOCK_SIDE * source // target) for source, target in zip((height, width), size_hw, strict=True)
    )
    logits = logits.float().contiguous()
    middle = (height - 1) // steps[0] // 2 * steps[0]
    if _contenders(logits[0, :, middle : middle + steps[0] + 1], steps).float().mean() > _MOST_LEFT:
        return None
    return _blocks(logits, torch.stack([_in_strips(one, steps) for one in logits]), steps, size_hw)


def _blocks(logits: Tensor, left: Tensor, steps: tuple[int, ...], size_hw: tuple[int, int]) -> Iterator[Block]:
    """left: (N, blocks down, blocks across, C) bool."""
    downs, acrosses = (
        _parts(source, target, step) for source, target, step in zip(logits.shape[2:], size_hw, steps, strict=True)
    )
    for n, one in enumerate(logits):
        for i, rows in enumerate(downs):
            for j, columns in enumerate(acrosses):
                yield _block(one[:, rows.cells, columns.cells], left[n, i, j], n, rows, columns)


def _block(cells: Tensor, can_win: Tensor, n: int, rows: _Part, columns: _Part) -> Block:
    few = cells[can_win]
    top = few.amax()
    others = (cells[~can_win] - top).exp_().sum(0, keepdim=True)
    resized = rows.shares @ (torch.cat([few, others]) @ columns.shares.T)
    return Block((n, rows.pixels, columns.pixels), can_win.nonzero()[:, 0], resized[:-1], resized[-1], top)


def _parts(source: int, target: int, step: int) -> list[_Part]:
    """Along a side of `source` cells and `target` pixels, a block for every `step` gaps between cells."""
    shares, before = linear_shares(source, target), taps(source, target)[0]
    starts = list(range(0, source - 1, step))
    ends = torch.searchsorted(before, torch.tensor([*starts, source], dtype=before.dtype)).tolist()
    parts = []
    for start, (low, high) in zip(starts, itertools.pairwise(ends), strict=True):
        cells, pixels = slice(start, min(start + step + 1, source)), slice(low, high)
        parts.append(_Part(cells, pixels, shares[pixels, cells]))
    return parts


def _in_strips(logits: Tensor, steps: tuple[int, ...]) -> Tensor:
    """`_contenders`, a strip after the other: it makes several copies of what it is given."""
    strip = max(1, _STRIP_CELLS // (steps[0] * logits.shape[2])) * steps[0]
    strips = [_contenders(logits[:, top : top + strip + 1], steps) for top in range(0, logits.shape[1] - 1, strip)]
    return torch.cat(strips)


def _contenders(logits: Tensor, steps: tuple[int, ...]) -> Tensor:
    """Which classes of logits (C, h, w) must be resized in each block: (blocks down, blocks across, C) bool."""
    high, low = _of_four(torch.maximum, logits), _of_four(torch.minimum, logits)
    top, least = high.amax(0), low.amax(0)
    whole = (low - top).exp_().sum(0)  # the softmax has no smaller denominator
    # A blend of exponentials exceeds the exponential of the blend by no more than range² / 8 of the largest.
    bend = (high - top).exp_().mul_((high - low).square_()).div_(8 * whole)
    bend, lead, most, lack = (_greatest(cells, steps) for cells in (bend, high - least, top[None], -least[None]))
    bends, order = bend.sort(0)
    blended = torch.empty_like(lead, dtype=torch.bool).scatter_(0, order, bends.cumsum(0) <= _ROUNDING)
    return ~(blended & (lead < 0) & (most + lack < _WIDEST)).permute(1, 2, 0)


def _of_four(choose: Callable[[Tensor, Tensor], Tensor], cells: Tensor) -> Tensor:
    """Of each cell (C, h, w) and its neighbours right, below and diagonally: (C, h - 1, w - 1)."""
    of_two = choose(cells[:, 1:], cells[:, :-1])
    return choose(of_two[..., 1:], of_two[..., :-1])


def _greatest(cells: Tensor, steps: tuple[int, ...]) -> Tensor:
    """Of cells (C, h, w) in blocks of so many rows and columns; the last ones may have fewer."""
    down, across = (-size % step for size, step in zip(cells.shape[1:], steps, strict=True))
    full = F.pad(cells, (0, across, 0, down), value=-math.inf)
    return full.unflatten(2, (-1, steps[1])).amax(3).unflatten(1, (-1, steps[0])).amax(2)
