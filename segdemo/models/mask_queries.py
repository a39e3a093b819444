"""Queries to labels and segments, by the rules of Mask2Former (https://arxiv.org/abs/2112.01527).

MaskFormer, OneFormer and EoMT are read by the same rules. Each query is a class distribution and a mask. Masks are
resized to the network's input, then what the picture fills of it to the picture, as in the authors' code; both steps
run in bands of rows, so that no stack of full-size masks ever exists.

Where transformers' image processors do otherwise, the authors' code is followed:
- Mask2Former's resizes masks to 384×384 first, whatever the input (transformers#44901): the same for the published
  checkpoints, whose input has that size, and coarser for any other. MaskFormer's and OneFormer's leave out the input's
  size: they weigh classes at a quarter of it and enlarge the sums.
- Panoptic: it measures the area of a mask where score × mask is 0.5 or more, and keeps pixels whose mask is below 0.5;
  the authors measure and keep what lies above 0.5 in the mask alone. Its usual score threshold is 0.5.
- Instances: it enlarges binary masks without interpolation.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.labels import VOID
from segdemo.models import SCORE_THRESHOLD, Answer
from segdemo.models.painting import Instance, paint
from segdemo.models.resizing import (
    blended_rows,
    blocks_of_rows,
    numbered,
    reach,
    resized_rows,
    resized_window,
    rows_per_band,
    source_rows,
    widened,
)
from segdemo.models.upsampling import first_maximum_
from segdemo.prediction import Segments

PANOPTIC_RULE = "panoptic_rule"  # in a checkpoint's config.json: the fields of its `PanopticRule`
SETTLED = 20  # queries that find something where postprocessing is timed
MOST_INSTANCES = 100  # of a picture, as in COCO's evaluation

_ROWS_OF_MASKS = 4  # that a block of the picture is made of on a CPU: few masks reach into so few rows
_NEARLY = 1 - 1e-5  # interpolation rounds

_ONE = 2.0**100  # unit of the semantic sums: where no mask is, sums of 1e-40 still differ


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


@dataclass(frozen=True)
class MaskQueries:
    """What the network says of N pictures of one size.

    class_logits: (N, Q, C + 1), the last one "no object". mask_logits: (N, Q, h, w). Any float dtype.
    input_hw: the size of the network's input. filled_hw: of its part, from the upper left corner, that the picture
    fills; None: all of it. starts: where, along the longer side of that part, the picture's windows begin, each an
    input of its own; those of a picture follow each other in the batch.
    """

    class_logits: Tensor
    mask_logits: Tensor
    input_hw: tuple[int, int]
    filled_hw: tuple[int, int] | None = None
    starts: tuple[int, ...] = ()

    @property
    def content_hw(self) -> tuple[int, int]:
        """The size of the input that the picture fills."""
        return self.filled_hw or self.input_hw


def settled(queries: MaskQueries) -> MaskQueries:
    """The same masks; the first `SETTLED` queries are sure of a class, each of another, the rest of "no object"."""
    logits = torch.zeros_like(queries.class_logits)
    n = min(SETTLED, logits.shape[1])
    found = torch.arange(n, device=logits.device)
    logits[:, n:, -1] = 50
    logits[:, found, found % (logits.shape[2] - 1)] = 50
    return replace(queries, class_logits=logits)


def semantic(queries: MaskQueries, size_hw: tuple[int, int]) -> list[Answer]:
    """The class with the largest sum over queries of class probability × mask probability, for every pixel.

    Its confidence is that sum; where the sums of all classes together exceed 1, its share of them. Where windows of the
    picture overlap, the sums are their mean.
    """
    tall = bool(queries.starts) and queries.content_hw[0] > queries.content_hw[1]
    maps = _semantic(_on_its_side(queries), size_hw[::-1]) if tall else _semantic(queries, size_hw)
    labels, confidence = ((one.mT.contiguous() if tall else one).cpu().numpy() for one in maps)
    return [Answer(*maps, None) for maps in zip(labels, confidence, strict=True)]


def _semantic(queries: MaskQueries, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Labels (N, H, W) uint8 and their confidence, float16."""
    count, device = len(queries.class_logits) // max(1, len(queries.starts)), queries.class_logits.device
    labels = torch.empty((count, *size_hw), dtype=torch.uint8, device=device)
    confidence = torch.empty_like(labels, dtype=torch.float16)
    for rows, band in numbered(_class_sums(queries, size_hw)):
        classes, together = band[:, :-1], band[:, -1]
        best, labels[:, rows] = first_maximum_(classes)
        confidence[:, rows] = best / together.clamp(min=_ONE)
    return labels, confidence


def _on_its_side(queries: MaskQueries) -> MaskQueries:
    """Windows of a tall picture, turned so that they lie side by side."""
    return replace(
        queries,
        mask_logits=queries.mask_logits.mT,
        input_hw=queries.input_hw[::-1],
        filled_hw=queries.content_hw[::-1],
    )


def _joined(bands: Iterable[Tensor], queries: MaskQueries) -> Iterator[Tensor]:
    """Bands (N · windows, C, rows, w) of windows side by side to bands (N, C, rows, W) of the whole, their mean where
    windows overlap.
    """
    side, width, starts = queries.input_hw[1], queries.content_hw[1], queries.starts
    for band in bands:
        windows = band.unflatten(0, (-1, len(starts))).unbind(1)
        whole = windows[0].new_zeros((*windows[0].shape[:3], width))
        covered = whole.new_zeros(width)
        for start, window in zip(starts, windows, strict=True):
            whole[..., start : start + side] += window
            covered[start : start + side] += 1
        yield whole / covered


def class_probabilities(queries: MaskQueries, size_hw: tuple[int, int]) -> Iterator[Tensor]:
    """The confidence in every class, of which `semantic` takes the best, in bands (N, C, rows, W) float32."""
    if queries.starts and queries.content_hw[0] > queries.content_hw[1]:
        turned = class_probabilities(_on_its_side(queries), size_hw[::-1])
        yield torch.cat([band.clone() for band in turned], 2).mT
        return
    for band in _class_sums(queries, size_hw):
        classes, together = band[:, :-1], band[:, -1:]
        yield classes.div_(together.clamp(min=_ONE))


def _class_sums(queries: MaskQueries, size_hw: tuple[int, int]) -> Iterator[Tensor]:
    """Bands (N, C + 1, rows, W): the sum of class × mask probability of each class, then of all, in units of `_ONE`."""
    weights = queries.class_logits.float().softmax(-1)[..., :-1]  # (N, Q, C)
    weights = _ONE * torch.cat([weights, weights.sum(-1, keepdim=True)], -1)
    sums: Iterator[Tensor] = (
        torch.einsum("nqc,nqrw->ncrw", weights, masks.sigmoid_()) for masks in _at_input_size(queries)
    )
    if queries.starts:
        sums = _joined(sums, queries)
    return resized_rows(sums, queries.content_hw[0], size_hw)


def instances(queries: MaskQueries, size_hw: tuple[int, int], score_threshold: float = SCORE_THRESHOLD) -> list[Answer]:
    """Instances, best first, and the label map that those scored 0.5 or more make.

    A score is class probability × the mean mask probability inside the mask, taken at the network's input size; only
    instances above the threshold are brought to the picture, each in its own window. At thresholds below 0.5 one mask
    may be an instance of several classes; the 100 most probable are looked at.
    """
    return [_instances(*one, size_hw, score_threshold) for one in _each(queries)]


def panoptic(
    queries: MaskQueries, size_hw: tuple[int, int], things: frozenset[int], rule: PanopticRule = PanopticRule()
) -> list[Answer]:
    """Segments that do not overlap, best first, and the label map that they make.

    Every pixel goes to the query with the largest score × mask probability. A query that wins too little of its own
    mask by the rule is dropped, and so is a pixel where the winner's mask is below 0.5: both are VOID. Segments of one
    class that is not among `things` are fused and keep the best score. Confidence is the winner's score × mask
    probability, 0 in VOID.
    """
    return [_panoptic(*one, size_hw, things, rule) for one in _each(queries)]


def _each(queries: MaskQueries) -> Iterator[tuple[Tensor, MaskQueries]]:
    """Per picture: class probabilities (Q, C + 1), and its queries."""
    for i, probabilities in enumerate(queries.class_logits.float().softmax(-1)):
        yield probabilities, replace(queries, mask_logits=queries.mask_logits[i : i + 1])


def _chosen(queries: MaskQueries, query: Tensor) -> MaskQueries:
    """One picture's queries with these masks only."""
    return replace(queries, mask_logits=queries.mask_logits[:, query])


def _instances(probabilities: Tensor, queries: MaskQueries, size_hw: tuple[int, int], threshold: float) -> Answer:
    query, class_ids = (probabilities[:, :-1] > threshold).nonzero(as_tuple=True)
    probable = probabilities[query, class_ids].argsort(descending=True, stable=True)[:MOST_INSTANCES]
    query, class_ids = query[probable], class_ids[probable]
    queries = _chosen(queries, query)
    masks, input_hw, filled_hw = queries.mask_logits[0], queries.input_hw, queries.content_hw
    scores = (probabilities[query, class_ids] * _quality(queries)).cpu().numpy()
    ids = class_ids.cpu().numpy()
    bounds = _bounds(masks > 0).cpu().numpy()

    def worst_first() -> Iterator[Instance]:
        for i in np.argsort(scores, kind="stable"):
            if scores[i] > threshold:
                rows, columns = (
                    _window(masks.shape[1 + k], input_hw[k], filled_hw[k], size_hw[k], *bounds[i, k]) for k in (0, 1)
                )
                logits = F.interpolate(masks[None, None, i].float(), input_hw, mode="bilinear", align_corners=False)
                filled = logits[0, 0, : filled_hw[0], : filled_hw[1]]
                logits = resized_window(filled, size_hw, rows, columns)
                yield Instance(rows.start, columns.start, logits > 0, logits.sigmoid(), int(ids[i]), float(scores[i]))

    return paint(worst_first(), size_hw, masks.device)


def _quality(queries: MaskQueries) -> Tensor:
    """Mean probability inside each of one picture's masks (1, K, h, w) at the network's input size; (K,)."""
    total, area = torch.zeros((2, queries.mask_logits.shape[1]), device=queries.mask_logits.device)
    if len(total):
        for band in _at_input_size(queries):
            inside = band > 0
            area += inside.sum((0, 2, 3))
            total += (band.sigmoid_() * inside).sum((0, 2, 3))
    return total / (area + 1e-6)


def _bounds(masks: Tensor) -> Tensor:
    """Of masks (K, h, w) bool the first and last row, and the first and last column: (K, 2, 2). Any, where empty."""
    sides = []
    for dim in (2, 1):
        occupied = masks.any(dim).byte()
        sides += [occupied.argmax(1), occupied.shape[1] - 1 - occupied.flip(1).argmax(1)]
    return torch.stack(sides, 1).view(-1, 2, 2)


def _window(source: int, middle: int, filled: int, target: int, first: int, last: int) -> slice:
    """What two resizings, of a side `source` to `middle` and of its first `filled` pixels to `target`, make of the
    pixels `first` to `last`.
    """
    inner = reach(source, middle, first, last)
    if inner.start >= filled:
        return slice(0, 0)
    return reach(filled, target, inner.start, min(inner.stop, filled) - 1)


def _panoptic(
    probabilities: Tensor, queries: MaskQueries, size_hw: tuple[int, int], things: frozenset[int], rule: PanopticRule
) -> Answer:
    scores, class_ids = probabilities.max(-1)
    kept = (class_ids != probabilities.shape[1] - 1) & (scores > rule.threshold)
    order = scores[kept].argsort(descending=True, stable=True)[:VOID]
    scores, class_ids, queries = scores[kept][order], class_ids[kept][order], _chosen(queries, kept.nonzero()[order, 0])
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
    limits = _limits(queries, scores)
    for block in _blocks(queries, size_hw[0]):
        rivals, masks, first = _rivals(queries, limits, size_hw, block)
        height = rows_per_band(masks, size_hw[1])
        for top in range(block.start, block.stop, height):
            rows = slice(top, min(top + height, block.stop))
            band = blended_rows(masks, first, queries.content_hw[0], size_hw[0], rows)
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


def _rivals(queries: MaskQueries, limits: _Limits, size_hw: tuple[int, int], rows: slice) -> tuple[Tensor, Tensor, int]:
    """Those queries that count in rows of the picture, and their masks there.

    Others neither win a pixel of them nor have one in their mask.
    Returns the queries (R,) int64, ascending; their logits (1, R, any, W), as wide as the picture, in the rows of the
    network's input that these are made of; and the first of those rows.
    """
    masks, input_hw, (filled_height, filled_width) = queries.mask_logits, queries.input_hw, queries.content_hw
    inner = source_rows(filled_height, size_hw[0], rows)
    outer = source_rows(masks.shape[2], input_hw[0], inner)
    inside = limits.highest[:, outer].amax(1) >= 0
    ahead = limits.most[:, outer].amax(1) >= _NEARLY * limits.surely[outer].amin()
    rivals = (inside | ahead).nonzero()[:, 0]
    wide = widened(masks[:, rivals, outer], input_hw[1])
    at_input = blended_rows(wide, outer.start, masks.shape[2], input_hw[0], inner)
    return rivals, widened(at_input[..., :filled_width], size_hw[1]), inner.start


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


def _at_input_size(queries: MaskQueries) -> Iterator[Tensor]:
    """Bands (N, Q, rows, w) of the masks at the size of the network's input, without what the picture does not fill."""
    masks, input_hw = queries.mask_logits, queries.input_hw
    bands = resized_rows(blocks_of_rows(masks, input_hw[1]), masks.shape[2], input_hw)
    if queries.starts or queries.filled_hw is None:
        yield from bands
        return
    height, width = queries.filled_hw
    for rows, band in numbered(bands):
        if rows.start < height:
            yield band[:, :, : height - rows.start, :width]
