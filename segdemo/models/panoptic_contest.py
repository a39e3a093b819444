"""Queries to panoptic segments: a contest for every pixel, by the rules of Mask2Former
(https://arxiv.org/abs/2112.01527).

Masks reach the picture's size in blocks of rows, and in each block only those that can win a pixel there. transformers'
image processors do otherwise than the authors' code, which is followed here: they measure the area of a mask where
score × mask is 0.5 or more, and keep pixels whose mask is below 0.5; the authors measure and keep what lies above 0.5
in the mask alone. Their usual score threshold is 0.5.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.labels import VOID
from segdemo.models import Answer
from segdemo.models.mask_queries import MaskQueries, chosen, each
from segdemo.models.resizing import Blend, linear_shares, resized_shares, rows_per_band, widened
from segdemo.models.upsampling import first_maximum_
from segdemo.prediction import Segments

PANOPTIC_RULE = "panoptic_rule"  # in a checkpoint's config.json: the fields of its `PanopticRule`

_ROWS_OF_MASKS = 4  # that a block of the picture is made of on a CPU: few masks reach into so few rows
_NEARLY = 1 - 1e-5  # interpolation rounds


@dataclass(frozen=True)
class PanopticRule:
    """Which queries become segments; what is not told otherwise is as in the authors' code.

    threshold: the class probability that a query must exceed. overlap_mask_area_threshold: the share of its own mask
    that it must win. Both in [0, 1], under transformers' names.
    """

    threshold: float = 0.8
    overlap_mask_area_threshold: float = 0.8

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, float) or not 0 <= value <= 1:
                raise ValueError(f"{name} must be a number from 0 to 1, got {value!r}")


def panoptic(
    queries: MaskQueries, size_hw: tuple[int, int], things: frozenset[int], rule: PanopticRule = PanopticRule()
) -> list[Answer]:
    """Segments that do not overlap, best first, and the label map that they make.

    Every pixel goes to the query with the largest score × mask probability. A query that wins too little of its own
    mask by the rule is dropped, and so is a pixel where the winner's mask is below 0.5: both are VOID. Segments of one
    class that is not among `things` are fused and keep the best score. Confidence is the winner's score × mask
    probability, 0 in VOID.
    """
    return [_panoptic(*one, size_hw, things, rule) for one in each(queries)]


def _panoptic(
    probabilities: Tensor, queries: MaskQueries, size_hw: tuple[int, int], things: frozenset[int], rule: PanopticRule
) -> Answer:
    scores, class_ids = probabilities.max(-1)
    kept = (class_ids != probabilities.shape[1] - 1) & (scores > rule.threshold)
    order = scores[kept].argsort(descending=True, stable=True)[:VOID]
    scores, class_ids, queries = scores[kept][order], class_ids[kept][order], chosen(queries, kept.nonzero()[order, 0])
    owned, confidence, share = _contest(queries, scores, size_hw)

    owners = owned.cpu().numpy()
    visible = np.bincount(owners.ravel(), minlength=len(scores))[: len(scores)] > 0
    class_of = np.full(VOID + 1, VOID, np.uint8)
    class_of[: len(class_ids)] = class_ids.cpu().numpy()
    won = (share >= rule.overlap_mask_area_threshold).cpu().numpy()
    segments = _fuse(class_of, visible & won, things)[owners]
    labels = class_of[segments]
    certainty = confidence.cpu().numpy()
    certainty[labels == VOID] = 0
    return Answer(labels, certainty, _cut(segments, class_of, scores.cpu().numpy()))


def _contest(queries: MaskQueries, scores: Tensor, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Who owns which pixel.

    queries: of one picture, K at most 255. scores: (K,).
    Returns each pixel's winner (H, W) uint8, VOID where its mask is below 0.5; score × mask probability of the winner
    (H, W) float16; and the share of its own mask, cut at 0.5, that each query wins (K,), no number where it has none.
    """
    count = len(scores)
    owners = torch.full(size_hw, VOID, dtype=torch.uint8, device=scores.device)
    confidence = torch.zeros(size_hw, dtype=torch.float16, device=scores.device)
    own, won = torch.zeros((2, count), dtype=torch.long, device=scores.device)
    if not count:
        return owners, confidence, won / own
    limits, blend = _limits(queries, scores), _blend(queries, size_hw[0])
    for block in _blocks(queries, size_hw[0]):
        rivals, masks = _rivals(queries, limits, size_hw[1], blend.sources(block))
        height = rows_per_band(masks, size_hw[1])
        for top in range(block.start, block.stop, height):
            rows = slice(top, min(top + height, block.stop))
            band = blend.rows(masks, blend.starts[block.start], rows)
            # Ones as floats add up five times faster than booleans.
            inside = torch.ge(band, 0, out=torch.empty_like(band)).sum((0, 2, 3))
            own.index_add_(0, rivals, inside.long())
            band = band.sigmoid_().mul_(scores[rivals].view(-1, 1, 1))
            best, winner = (one[0] for one in first_maximum_(band))
            won.index_add_(0, rivals, torch.bincount(winner.flatten(), minlength=len(rivals)))
            winner = rivals[winner.long()]
            certain = best >= 0.5 * scores[winner]
            owners[rows] = winner.masked_fill_(~certain, VOID)
            confidence[rows] = best
    return owners, confidence, won / own


def _blocks(queries: MaskQueries, height: int) -> list[slice]:
    """The picture's rows in blocks that few of the masks reach: a few rows of the masks each, on a GPU all of them."""
    masks = queries.mask_logits
    blocks = max(1, masks.shape[2] // _ROWS_OF_MASKS) if masks.device.type == "cpu" else 1
    size = math.ceil(height / blocks)
    return [slice(top, min(top + size, height)) for top in range(0, height, size)]


@dataclass(frozen=True)
class _Limits:
    """What a block's rivals are told from, for each row of the masks as the network gives them.

    highest: the largest logit of each query, (K, h). most: the same as score × mask probability. surely: what the
    winner of any place around has at least, (h,).
    """

    highest: Tensor
    most: Tensor
    surely: Tensor


def _limits(queries: MaskQueries, scores: Tensor) -> _Limits:
    """What is interpolated lies between its neighbours, which lie side by side."""
    masks, input_hw = queries.mask_logits[0].float(), queries.input_hw
    span = max(1, *(math.ceil(m / i) for m, i in zip(masks.shape[1:], input_hw, strict=True)))
    lowest = _lowest_around(_lowest_around(masks, span, 1), span, 2)
    highest = masks.amax(2)
    surely = (lowest.sigmoid_() * scores.view(-1, 1, 1)).amax(0).amin(1)
    return _Limits(highest, highest.sigmoid() * scores[:, None], surely)


def _lowest_around(masks: Tensor, span: int, dim: int) -> Tensor:
    """The least of each place and `span` neighbours on both sides of it, along one dimension."""
    padding = (span, span) if dim == masks.ndim - 1 else (0, 0, span, span)
    padded = F.pad(masks, padding, value=math.inf)
    return reduce(torch.minimum, (padded.narrow(dim, i, masks.shape[dim]) for i in range(2 * span + 1)))


def _blend(queries: MaskQueries, height: int) -> Blend:
    """From the masks' rows to the network's input, and from those that the picture fills to the picture's."""
    to_input = linear_shares(queries.mask_logits.shape[2], queries.input_hw[0])
    return Blend.of(resized_shares(to_input[: queries.content_hw[0]], height))


def _rivals(queries: MaskQueries, limits: _Limits, width: int, rows: slice) -> tuple[Tensor, Tensor]:
    """Those queries that count where a block of the picture is made of these rows of the masks, and their masks there.

    Others neither win a pixel of it nor have one in their mask.
    Returns the queries (R,) int64, ascending, and their logits (1, R, rows, width), as wide as the picture.
    """
    inside = limits.highest[:, rows].amax(1) >= 0
    ahead = limits.most[:, rows].amax(1) >= _NEARLY * limits.surely[rows].amin()
    rivals = (inside | ahead).nonzero()[:, 0]
    wide = widened(queries.mask_logits[:, rivals, rows], queries.input_hw[1])
    return rivals, widened(wide[..., : queries.content_hw[1]], width)


def _fuse(class_of: np.ndarray, accepted: np.ndarray, things: frozenset[int]) -> np.ndarray:
    """A table (256,) uint8 from query to segment, which bears the number of its best query; VOID for dropped ones."""
    segment_of = np.full(VOID + 1, VOID, np.uint8)
    stuff: dict[int, int] = {}
    for query in np.flatnonzero(accepted).tolist():
        class_id = int(class_of[query])
        segment_of[query] = query if class_id in things else stuff.setdefault(class_id, query)
    return segment_of


def _cut(segments: np.ndarray, class_of: np.ndarray, scores: np.ndarray) -> Segments:
    """The segments of a map (H, W) uint8 of their numbers, which rank them by score."""
    rows, columns = _occupied(segments, 0), _occupied(segments, 1)
    present = np.flatnonzero(rows[:VOID].any(1))
    boxes, masks = [], []
    for number in present:
        y, x = np.flatnonzero(rows[number]), np.flatnonzero(columns[number])
        box = (x[0], y[0], x[-1] + 1, y[-1] + 1)
        boxes.append(box)
        masks.append(segments[box[1] : box[3], box[0] : box[2]] == number)
    return Segments(
        boxes_xyxy=np.array(boxes, np.int32).reshape(-1, 4),
        masks=tuple(masks),
        class_ids=class_of[present],
        scores=scores[present].astype(np.float32),
    )


def _occupied(numbers: np.ndarray, axis: int) -> np.ndarray:
    """(256, side) bool: whether a number occurs in each row (axis 0) or column (axis 1)."""
    side = numbers.shape[axis]
    positions = np.arange(side, dtype=np.int32)[:, None] if axis == 0 else np.arange(side, dtype=np.int32)
    packed = numbers.astype(np.int32) * side + positions
    return np.bincount(packed.ravel(), minlength=(VOID + 1) * side).reshape(VOID + 1, side) > 0
