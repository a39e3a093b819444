"""Maps at a network's resolution brought to a picture's, a few rows at a time.

A few source rows are widened, pairs of them are blended into the rows between, and a band of finished rows is handed on
while it is still in the processor's cache. The arithmetic is that of
`interpolate(mode="bilinear", align_corners=False)` in float32.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# A band is passed over about seven times: on a CPU it should stay in the cache, on a GPU it should fill the device.
_BAND_BYTES_CPU = 1 << 19
_BAND_BYTES_GPU = 64 << 20


def blocks_of_rows(maps: Tensor, width: int) -> tuple[Tensor, ...]:
    """`maps` (N, C, h, w) cut into blocks of rows that stay small when widened to `width`."""
    return maps.split(rows_per_band(maps, width), dim=2)


def resized_rows(blocks: Iterable[Tensor], source_height: int, size_hw: tuple[int, int]) -> Iterator[Tensor]:
    """Resize maps that arrive as consecutive blocks of rows, bilinearly, to size_hw.

    blocks: (N, C, any, w), together `source_height` rows.
    Yields bands (N, C, rows, W) float32, together H rows. A band is the caller's to change until the next is asked for.
    """
    height, width = size_hw
    if height == source_height:
        for block in blocks:
            yield widened(block, width)
        return
    band: Tensor | None = None
    filled = 0
    for y, (upper, lower) in enumerate(_neighbours(blocks, width)):
        if band is None:
            capacity = min(height, rows_per_band(upper, width))
            band = upper.new_empty((*upper.shape[:2], capacity, width))
            above, weights = taps(source_height, height)
            # Output rows starts[y] to starts[y + 1] lie between source rows y and y + 1.
            starts = torch.searchsorted(above, torch.arange(source_height + 1, dtype=above.dtype)).tolist()
            weights = weights[:, None].to(upper.device)
        row = starts[y]
        while row < starts[y + 1]:
            taken = min(starts[y + 1] - row, capacity - filled)
            torch.lerp(upper, lower, weights[row : row + taken], out=band[:, :, filled : filled + taken])
            row += taken
            filled += taken
            if filled == capacity:
                yield band
                filled = 0
    if band is not None and filled:
        yield band[:, :, :filled]


def numbered(bands: Iterable[Tensor]) -> Iterator[tuple[slice, Tensor]]:
    """Each band with the rows that it covers."""
    top = 0
    for band in bands:
        yield slice(top, top + band.shape[2]), band
        top += band.shape[2]


def resized_window(maps: Tensor, size_hw: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    """The part [rows, columns] of maps (..., h, w) resized bilinearly to size_hw, without the rest; float32."""
    return _resized_side(_resized_side(maps.float(), -2, size_hw[0], rows), -1, size_hw[1], columns)


def source_rows(source: int, target: int, rows: slice) -> slice:
    """The rows of a source side that rows of a target side are made of."""
    before, _ = taps(source, target)
    return slice(int(before[rows.start]), min(int(before[rows.stop - 1]) + 2, source))


def blended_rows(maps: Tensor, first: int, source: int, target: int, rows: slice) -> Tensor:
    """Rows of maps resized to a height of `target`, as `resized_rows` gives them, from those that they are made of.

    maps: (N, C, any, w) float32, rows of a source of `source` rows, from row `first` on. Returns (N, C, rows, w).
    """
    before, weights = (one[rows] for one in taps(source, target))
    above = (before.long() - first).to(maps.device)
    below = (above + 1).clamp_(max=source - 1 - first)
    return torch.lerp(maps.index_select(2, above), maps.index_select(2, below), weights[:, None].to(maps.device))


def reach(source: int, target: int, first: int, last: int) -> slice:
    """The pixels of a target side to which any of a source side's pixels `first` to `last` contributes."""
    before, weights = taps(source, target)
    touched = (before + weights > first - 1) & (before + weights < last + 1)
    inside = touched.nonzero()
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)


def _neighbours(blocks: Iterable[Tensor], width: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Each source row, widened, with the one below it; the last with itself."""
    above: Tensor | None = None
    for block in blocks:
        for row in widened(block, width).split(1, dim=2):
            if above is not None:
                yield above, row
            above = row
    if above is not None:
        yield above, above


def widened(block: Tensor, width: int) -> Tensor:
    """Maps (N, C, rows, w) resized to (N, C, rows, width) float32, never the block itself."""
    if block.shape[3] == width:
        return block.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    wide = F.interpolate(block.float().flatten(1, 2), size=width, mode="linear", align_corners=False)
    return wide.unflatten(1, block.shape[1:3])


def _resized_side(maps: Tensor, dim: int, target: int, window: slice) -> Tensor:
    before, weights = taps(maps.shape[dim], target)
    first = before[window].long().to(maps.device)
    second = (first + 1).clamp_(max=maps.shape[dim] - 1)
    weight = weights[window].to(maps.device).view(-1, *[1] * (-1 - dim))
    return torch.lerp(maps.index_select(dim, first), maps.index_select(dim, second), weight)


@lru_cache(maxsize=64)
def taps(source: int, target: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of a target side lie on the source side: the source pixel before each (float32, whole numbers),
    and the weight of the one after it. Computed in float32, as `interpolate` does.
    """
    with torch.inference_mode(False):  # what is kept may be used where gradients are wanted
        position = ((torch.arange(target) + 0.5) * (source / target) - 0.5).clamp_(min=0)
        before = position.floor().clamp_(max=source - 1)
        return before, position - before


def rows_per_band(maps: Tensor, width: int) -> int:
    """How many rows of maps (N, C, any, any) are worked on at a time where rows are `width` long."""
    budget = _BAND_BYTES_CPU if maps.device.type == "cpu" else _BAND_BYTES_GPU
    return max(1, budget // (4 * maps.shape[0] * maps.shape[1] * width))
