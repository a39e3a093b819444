"""Scores at a network's resolution to labels at a picture's.

The plain way, resizing all scores before the argmax, costs 7 GB for 150 classes on a 12-megapixel picture. Here a band
of resized rows, or a block of those classes that can win in it, is reduced to labels while it is in the processor's
cache.
"""

import math
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.models.contenders import Block, blocks_of_contenders
from segdemo.models.resizing import Blend, blocks_of_rows, linear_shares, numbered, resized_rows, resized_shares

_LOG2_E = math.log2(math.e)


def labels_from_logits(
    logits: Tensor, size_hw: tuple[int, int], middle_hw: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """The best class of every pixel, and its probability.

    logits: (N, C, h, w), any float dtype. size_hw: the picture's size. middle_hw: a size that the logits are brought to
    first, as networks do that resize them themselves.
    Returns labels (N, H, W) of `id_dtype` and confidence (N, H, W) float16, the softmax probability of the label; the
    same as argmax and softmax of the logits resized in float32, to rounding. Of equal classes the first wins.
    """
    labels = logits.new_empty((logits.shape[0], *size_hw), dtype=id_dtype(logits.shape[1]))
    confidence = torch.empty_like(labels, dtype=torch.float16)
    blocks = blocks_of_contenders(logits, size_hw) if middle_hw in (None, size_hw) else None
    if blocks is not None:
        for block in blocks:
            labels[block.place], confidence[block.place] = _best_contender(block)
        return labels, confidence
    for rows, band in numbered(_at_size(logits, size_hw, middle_hw)):
        _, labels[:, rows] = first_maximum_(band)
        confidence[:, rows] = _sum_of_powers_(band).reciprocal_()
    return labels, confidence


def probabilities_from_logits(
    logits: Tensor, size_hw: tuple[int, int], middle_hw: tuple[int, int] | None = None
) -> Iterator[Tensor]:
    """The softmax probabilities of the classes at the picture's size, in bands (N, C, rows, W) float32 from the top.

    Arguments as for `labels_from_logits`. A band is the caller's to change until the next is asked for.
    """
    for band in _at_size(logits, size_hw, middle_hw):
        band -= band.amax(1, keepdim=True)
        yield band.div_(_sum_of_powers_(band)[:, None])


def labels_from_probabilities(bands: Iterable[Tensor], size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The most probable class of every pixel, and its probability, as of `labels_from_logits`.

    bands: (N, C, rows, W) float32, together the picture's rows; they are used up.
    """
    kept: tuple[Tensor, Tensor] | None = None
    for rows, band in numbered(bands):
        if kept is None:
            labels = torch.empty((len(band), *size_hw), dtype=id_dtype(band.shape[1]), device=band.device)
            kept = labels, torch.empty_like(labels, dtype=torch.float16)
        kept[1][:, rows], kept[0][:, rows] = first_maximum_(band)
    if kept is None:
        raise ValueError("there are no rows")
    return kept


def id_dtype(count: int) -> torch.dtype:
    """What ids of so many classes fit into: uint8, as in every label map, or beyond 256 int16."""
    return torch.uint8 if count <= 256 else torch.int16


def first_maximum_(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum over dim 1 of (N, C, rows, W) float32, and the first index that has it: (N, rows, W) float32 and
    `id_dtype`. It is subtracted from `scores`, and what lacks less than 1e-36 counts as equal.

    `id + huge * deficit` is smallest there: two passes that a CPU vectorises, as it does not `argmax` or `max`.
    """
    best = scores.amax(1, keepdim=True)
    scores -= best
    ids = torch.arange(scores.shape[1], dtype=scores.dtype, device=scores.device).view(-1, 1, 1)
    first = torch.add(ids, scores, alpha=-torch.finfo(scores.dtype).max).amin(1)
    return best[:, 0], first.to(id_dtype(scores.shape[1]))


def _best_contender(block: Block) -> tuple[Tensor, Tensor]:
    """Labels (rows, columns) int64 and their probabilities, float32."""
    best, first = first_maximum_(block.scores[None])
    beside = (block.top - best[0]).mul_(_LOG2_E).exp2_().mul_(block.others)
    return block.classes[first[0].long()], beside.add_(_sum_of_powers_(block.scores[None])[0]).reciprocal_()


def _sum_of_powers_(scores: Tensor) -> Tensor:
    """The exponentials of scores (N, C, rows, W) in their place, and their sum over the classes, (N, rows, W).

    On a CPU torch's exp2 takes a quarter of the time of its exp.
    """
    return scores.mul_(_LOG2_E).exp2_().sum(1)


def _at_size(logits: Tensor, size_hw: tuple[int, int], middle_hw: tuple[int, int] | None) -> Iterator[Tensor]:
    """Bands of the logits resized, in two steps where there is a size between."""
    grid_hw = tuple(logits.shape[2:])
    if middle_hw in (None, size_hw, grid_hw) and math.prod(grid_hw) >= math.prod(size_hw):
        return _bands(logits, size_hw)
    down, across = zip(middle_hw or size_hw, size_hw, strict=True)
    shares = resized_shares(linear_shares(grid_hw[0], down[0]), down[1])
    return resized_rows(blocks_of_rows(logits, max(across)), Blend.of(shares), across)


def _bands(logits: Tensor, size_hw: tuple[int, int]) -> Iterator[Tensor]:
    """Bands of logits whose own grid is no smaller: resized as a whole, they take no more memory than there is now."""
    whole = logits if logits.shape[2:] == size_hw else F.interpolate(logits.float(), size_hw, mode="bilinear")
    for band in blocks_of_rows(whole, size_hw[1]):
        yield band.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
