"""The loss of a set of queries, each of which answers for one segment or for none: Mask2Former's
(https://arxiv.org/abs/2112.01527, section 3.2) on all cells of the masks.

The authors, and transformers, look at points drawn at random, because their pictures are large. Of a pedestrian of 60
pixels hardly a point in two thousand lies on it: it is matched and taught by chance. The starters' masks are small
enough to look at as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

_CLASS, _DICE = 2.0, 5.0  # the published weights
_CELLS = 0.25  # with the published 5, cells that are surely wrong outweighed all else, and Dice got worse
_NO_OBJECT = 0.1  # weight of queries that answer for nothing
_NEVER = 1e6  # cost of a pair that has none
_SMALLEST = 2.0  # cells of a segment that is taught


@dataclass(frozen=True)
class Answers:
    """What the queries say after one layer: logits (B, Q, C + 1) of classes, the last one for "no object", and
    embeddings (B, Q, D), whose products with the pixels' are the logits of their masks.
    """

    classes: Tensor
    embeddings: Tensor


@dataclass(frozen=True)
class Truth:
    """A picture's segments: masks (N, h · w), shares of cells in [0, 1]; classes (N,) int64; areas (N,) in cells."""

    masks: Tensor
    classes: Tensor
    areas: Tensor

    @classmethod
    def of(cls, masks: Tensor, classes: Tensor, size_hw: tuple[int, int]) -> "Truth":
        """Masks (N, H, W) float shrunk to cells; segments that are left with less than two of them are not taught."""
        shares = F.interpolate(masks[None], size_hw, mode="area")[0].flatten(1)
        areas = shares.sum(1)
        kept = areas >= _SMALLEST
        return cls(shares[kept], classes[kept], areas[kept])


def set_prediction_loss(layers: Sequence[Answers], pixels: Tensor, truths: Sequence[Truth]) -> Tensor:
    """The loss, a float32 scalar, of what the queries say after each layer, summed over the layers.

    pixels: embeddings (B, D, h, w).
    """
    segments = max(1, sum(len(truth.classes) for truth in truths))
    total = pixels.new_zeros((), dtype=torch.float32)
    for answers in layers:
        classes = answers.classes.float()
        wanted = torch.full(classes.shape[:2], classes.shape[2] - 1, device=classes.device)
        for i, truth in enumerate(truths):
            picture = pixels[i].flatten(1)
            query, segment = _matched(classes[i], answers.embeddings[i], picture, truth)
            wanted[i, query] = truth.classes[segment]
            logits = (answers.embeddings[i, query] @ picture).float()
            total = total + _mask_loss(logits, truth.masks[segment], truth.areas[segment]) / segments
        weights = classes.new_ones(classes.shape[2])
        weights[-1] = _NO_OBJECT
        total = total + _CLASS * F.cross_entropy(classes.flatten(0, 1), wanted.flatten(), weight=weights)
    return total


@torch.no_grad()
def _matched(classes: Tensor, embeddings: Tensor, pixels: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """Which query answers for which segment: the cheapest pairs by class and Dice. Two (N,) int64."""
    found = (embeddings @ pixels).sigmoid().float()  # (Q, h · w)
    common = found @ truth.masks.T
    dice = (2 * common + 1) / (found.sum(1, keepdim=True) + truth.areas + 1)
    cost = -_CLASS * classes.softmax(-1)[:, truth.classes] - _DICE * dice
    finite = cost.nan_to_num(_NEVER)  # the training loop passes over a batch that overflowed; no pairs would end it
    query, segment = linear_sum_assignment(finite.cpu().numpy())
    return torch.as_tensor(query, device=pixels.device), torch.as_tensor(segment, device=pixels.device)


def _mask_loss(logits: Tensor, masks: Tensor, areas: Tensor) -> Tensor:
    """Dice loss, and the quality focal loss (https://arxiv.org/abs/2006.04388) of all cells over the area of mask and
    segment: a small segment counts as much as a large one. logits and masks: (N, h · w).
    """
    found = logits.sigmoid()
    both = found.sum(1) + areas + 1
    dice = 1 - (2 * (found * masks).sum(1) + 1) / both
    far = (found - masks).abs().detach()
    cells = (far * F.binary_cross_entropy_with_logits(logits, masks, reduction="none")).sum(1) / both.detach()
    return (_DICE * dice + _CELLS * cells).sum()
