"""Scores at a network's resolution to labels at a picture's, a few rows at a time.

The plain way, resizing all scores before the argmax, costs 7 GB for 150 classes on a 12-megapixel picture. Here rows
flow: a few source rows are widened, pairs of them are blended into the rows between, and a band of finished rows is
reduced to labels while it is still in the processor's cache. The arithmetic is that of
`interpolate(mode="bilinear", align_corners=False)` in float32.
"""

import math
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# A band is passed over about seven times: on a CPU it should stay in the cache, on a GPU it should fill the device.
_BAND_BYTES_CPU = 1 << 19
_BAND_BYTES_GPU = 64 << 20

_LOG2_E = math.log2(math.e)


def labels_from_logits(
    logits: Tensor, size_hw: tuple[int, int], middle_hw: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """The best class of every pixel, and its probability.

    logits: (N, C, h, w), any float dtype, C at most 255. size_hw: the picture's size. middle_hw: a size that the logits
    are brought to first, as networks do that resize them themselves.
    Returns labels (N, H, W) uint8 and confidence (N, H, W) float16, the softmax probability of the label; the same as
    argmax and softmax of the logits resized in float32. Of equal classes the first wins.
    """
    labels = logits.new_empty((logits.shape[0], *size_hw), dtype=torch.uint8)
    confidence = torch.empty_like(labels, dtype=torch.float16)
    for rows, band in numbered(_at_size(logits, size_hw, middle_hw)):
        band -= band.amax(1, keepdim=True)
        labels[:, rows] = _first_zero(band)
        # The largest term is exp(0). On a CPU torch's exp2 takes a quarter of the time of its exp.
        confidence[:, rows] = band.mul_(_LOG2_E).exp2_().sum(1).reciprocal_()
    return labels, confidence


def probabilities_from_logits(
    logits: Tensor, size_hw: tuple[int, int], middle_hw: tuple[int, int] | None = None
) -> Iterator[Tensor]:
    """The softmax probabilities of the classes at the picture's size, in bands (N, C, rows, W) float32 from the top.

    Arguments as for `labels_from_logits`. A band is the caller's to change until the next is asked for.
    """
    for band in _at_size(logits, size_hw, middle_hw):
        band -= band.amax(1, keepdim=True)
        band.mul_(_LOG2_E).exp2_()
        yield band.div_(band.sum(1, keepdim=True))


def labels_from_probabilities(bands: Iterable[Tensor], size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The most probable class of every pixel, and its probability, as of `labels_from_logits`.

    bands: (N, C, rows, W) float32, together the picture's rows; they are used up.
    """
    kept: tuple[Tensor, Tensor] | None = None
    for rows, band in numbered(bands):
        if kept is None:
            labels = torch.empty((len(band), *size_hw), dtype=torch.uint8, device=band.device)
            kept = labels, torch.empty_like(labels, dtype=torch.float16)
        kept[1][:, rows], kept[0][:, rows] = first_maximum_(band)
    if kept is None:
        raise ValueError("there are no rows")
    return kept


def first_maximum_(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum over dim 1 of (N, C, rows, W) float32 and the first index that has it; `scores` is used up.

    Returns (N, rows, W) float32 and uint8. Scores closer than 1e-36 count as equal.
    """
    best = scores.amax(1, keepdim=True)
    scores -= best
    return best[:, 0], _first_zero(scores)


def _first_zero(deficits: Tensor) -> Tensor:
    """The first index over dim 1 of (N, C, rows, W) float32, 0 or less, that is 0: (N, rows, W) uint8.

    `id + huge * deficit` is smallest there: two passes that a CPU vectorises, as it does not `argmax` or `max`.
    """
    ids = torch.arange(deficits.shape[1], dtype=deficits.dtype, device=deficits.device).view(-1, 1, 1)
    return torch.add(ids, deficits, alpha=-torch.finfo(deficits.dtype).max).amin(1).to(torch.uint8)


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
            above, weights = _taps(source_height, height)
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


def _at_size(logits: Tensor, size_hw: tuple[int, int], middle_hw: tuple[int, int] | None) -> Iterator[Tensor]:
    """Bands of the logits resized, in two steps where there is a size between."""
    first_hw = middle_hw or size_hw
    bands = resized_rows(blocks_of_rows(logits, first_hw[1]), logits.shape[2], first_hw)
    return bands if first_hw == size_hw else resized_rows(bands, first_hw[0], size_hw)


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
    before, _ = _taps(source, target)
    return slice(int(before[rows.start]), min(int(before[rows.stop - 1]) + 2, source))


def blended_rows(maps: Tensor, first: int, source: int, target: int, rows: slice) -> Tensor:
    """Rows of maps resized to a height of `target`, as `resized_rows` gives them, from those that they are made of.

    maps: (N, C, any, w) float32, rows of a source of `source` rows, from row `first` on. Returns (N, C, rows, w).
    """
    before, weights = (one[rows] for one in _taps(source, target))
    above = (before.long() - first).to(maps.device)
    below = (above + 1).clamp_(max=source - 1 - first)
    return torch.lerp(maps.index_select(2, above), maps.index_select(2, below), weights[:, None].to(maps.device))


def reach(source: int, target: int, first: int, last: int) -> slice:
    """The pixels of a target side to which any of a source side's pixels `first` to `last` contributes."""
    before, weights = _taps(source, target)
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
    before, weights = _taps(maps.shape[dim], target)
    first = before[window].long().to(maps.device)
    second = (first + 1).clamp_(max=maps.shape[dim] - 1)
    weight = weights[window].to(maps.device).view(-1, *[1] * (-1 - dim))
    return torch.lerp(maps.index_select(dim, first), maps.index_select(dim, second), weight)


def _taps(source: int, target: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of a target side lie on the source side: the source pixel before each (float32, whole numbers),
    and the weight of the one after it. Computed in float32, as `interpolate` does.
    """
    position = ((torch.arange(target) + 0.5) * (source / target) - 0.5).clamp_(min=0)
    before = position.floor().clamp_(max=source - 1)
    return before, position - before


def rows_per_band(maps: Tensor, width: int) -> int:
    """How many rows of maps (N, C, any, any) are worked on at a time where rows are `width` long."""
    budget = _BAND_BYTES_CPU if maps.device.type == "cpu" else _BAND_BYTES_GPU
    return max(1, budget // (4 * maps.shape[0] * maps.shape[1] * width))
