"""A network over an input that is too large to be seen at once: in parts that overlap, on the network's own grid."""

import math
from collections.abc import Callable
from itertools import product
from typing import Final

import torch
from torch import Tensor

from segdemo.models.tiling import Span, shortest, spans

# Pixels of an input. What the largest published networks hold of so many fits into a few gigabytes.
MOST_SEEN: Final = 1_500_000
_CELL: Final = 32  # pixels, a multiple of all networks' strides: a part that begins between two is seen otherwise


def in_parts(network: Callable[[Tensor], Tensor], inputs: Tensor, usual_hw: tuple[int, int]) -> Tensor:
    """Logits (N, C, h, w) of inputs (N, 3, H, W), at once where these have no more pixels than `MOST_SEEN`.

    Else of parts that have no more. Neighbours overlap by a quarter or more, and around the middle of their overlap one
    fades into the other; these logits are float32.
    usual_hw: the size of the input for a square picture; of so many pixels twice as many are seen at once in any case.
    """
    size_hw, most_seen = inputs.shape[-2:], max(MOST_SEEN, 2 * math.prod(usual_hw))
    if math.prod(size_hw) <= most_seen:
        return network(inputs)
    most, cells = math.isqrt(most_seen) // _CELL, [-(-side // _CELL) for side in size_hw]
    whole = inputs.new_empty(0)
    for part in product(*(spans(count, shortest(count, most)) for count in cells)):
        rows, columns = (slice(_CELL * span.start, _CELL * span.stop) for span in part)
        seen = inputs[..., rows, columns]
        logits = network(seen).float()  # in half precision the shares of two parts would not add up to 1
        stride = 2 ** round(math.log2(seen.shape[-1] / logits.shape[-1]))  # the last column's cell may be cut off
        if not len(whole):
            whole = logits.new_zeros((*logits.shape[:2], *(-(-side // stride) for side in size_hw)))
        down, along = (
            _weights(span, count, length, stride).to(logits)
            for span, count, length in zip(part, cells, logits.shape[-2:], strict=True)
        )
        top, left = (_CELL * span.start // stride for span in part)
        whole[..., top : top + len(down), left : left + len(along)] += logits * down[:, None] * along
    return whole


def _weights(span: Span, cells: int, length: int, stride: int) -> Tensor:
    """What each of a part's `length` logits counts along one side, which has so many cells; (length,), in [0, 1]."""
    places = span.start + (torch.arange(length) + 0.5) * stride / _CELL
    half = (span.stop - span.start) // 8
    weights = torch.ones(length)
    if span.start:
        weights *= ((places - span.first + half) / (2 * half)).clamp(0, 1)
    if span.stop < cells:
        weights *= ((span.last + half - places) / (2 * half)).clamp(0, 1)
    return weights
