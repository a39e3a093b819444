"""A network over an input that is too large to be seen at once: in parts that overlap, on the network's own grid."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

import torch
from torch import Tensor

from segdemo import devices
from segdemo.models.footprint import Footprint
from segdemo.models.pooling import Pooling
from segdemo.models.tiling import Span, largest, spans

MOST_HELD: Final = 700_000_000  # bytes of tensors: up to 1.5 GB of a process, half of what 100 megapixels may take
MOST_TILES: Final = 4  # along a side of a look that finds things: its queries are so many, or its proposals take long
CELL: Final = 32  # pixels, a multiple of all networks' strides: a part that begins between two is seen otherwise


def in_parts(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    usual_hw: tuple[int, int],
    footprint: Callable[[], Footprint | None],
) -> Tensor:
    """Logits (N, C, h, w) of inputs (N, 3, H, W), at once where that takes tensors of no more than `MOST_HELD`.

    Else of the largest parts of which that is true. Neighbours overlap by a quarter or more, and around the middle of
    their overlap one fades into the other; these logits are float32. Networks that pool over the whole picture look at
    all parts twice, first for that.
    usual_hw: the size of the input for a square picture; of so many pixels twice as many are seen at once in any case.
    footprint: the network's, of such an input; asked for larger ones alone. None: nothing larger is seen at once.
    """
    size_hw, most_seen = (inputs.shape[-2], inputs.shape[-1]), max(16 * CELL**2, 2 * math.prod(usual_hw))
    pixels = math.prod(size_hw)
    if pixels > most_seen and (takes := footprint()):
        most_seen = max(most_seen, takes.most_seen(MOST_HELD, pixels))
    if pixels <= most_seen:
        return network(inputs)
    cells = (-(-size_hw[0] // CELL), -(-size_hw[1] // CELL))
    down, along = map(spans, cells, largest(cells, most_seen // CELL**2))
    cut = list(product(down, along))
    logits, pooled = _look(network, inputs, cut, None)
    if pooled:
        del logits  # before the next are made: they may need the same memory
        logits, _ = _look(network, inputs, cut, pooled)
    return logits


def longest_side(tile: int, usual_hw: tuple[int, int], footprint: Footprint | None) -> int:
    """The side of the largest square of a picture for which there is memory at its tiles' scale.

    It has one to `MOST_TILES` tiles along a side. For networks that find things: these cannot fade into each other.
    usual_hw: the size of the input for a square picture. footprint: the network's; None: a tile.
    """
    tiles = math.sqrt(footprint.most_seen(MOST_HELD) / math.prod(usual_hw)) if footprint else 1
    return int(tile * min(max(1, tiles), MOST_TILES))


def _look(
    network: Callable[[Tensor], Tensor], inputs: Tensor, cut: Sequence[tuple[Span, Span]], whole: list[Tensor] | None
) -> tuple[Tensor, list[Tensor]]:
    """Logits of the whole input, and what the parts pool (`Pooling`), as the mean of all.

    cut: rows and columns of the parts, in cells. whole: what is pooled over the whole, where that is known.
    """
    size_hw, cells = inputs.shape[-2:], [side[-1].last for side in zip(*cut, strict=True)]
    logits, pooled = inputs.new_empty(0), []
    for part in cut:
        rows, columns = (slice(CELL * span.start, CELL * span.stop) for span in part)
        shown = inputs[..., rows, columns]
        with Pooling(part, whole) as pooling:
            seen = network(shown).float()  # in half precision the shares of two parts would not add up to 1
        stride = 2 ** round(math.log2(shown.shape[-1] / seen.shape[-1]))  # the last column's cell may be cut off
        if not len(logits):
            logits = seen.new_zeros((*seen.shape[:2], *(-(-side // stride) for side in size_hw)))
        down, along = (
            _weights(span, count, length, stride).to(seen)
            for span, count, length in zip(part, cells, seen.shape[-2:], strict=True)
        )
        top, left = (CELL * span.start // stride for span in part)
        logits[..., top : top + len(down), left : left + len(along)] += seen * down[:, None] * along
        share = math.prod((span.last - span.first) / count for span, count in zip(part, cells, strict=True))
        pooled.append([share * one for one in pooling.pooled])
        devices.return_pages()  # what one part leaves in pieces need not fit the next
    return logits, [torch.stack(one).sum(0) for one in zip(*pooled, strict=True)]


def _weights(span: Span, cells: int, length: int, stride: int) -> Tensor:
    """What each of a part's `length` logits counts along one side, which has so many cells; (length,), in [0, 1]."""
    places = span.start + (torch.arange(length) + 0.5) * stride / CELL
    half = (span.stop - span.start) / 16  # of the quarter that is shared, what lies next to a border is left out
    weights = torch.ones(length)
    if span.start:
        weights *= ((places - span.first + half) / (2 * half)).clamp(0, 1)
    if span.stop < cells:
        weights *= ((span.last + half - places) / (2 * half)).clamp(0, 1)
    return weights
