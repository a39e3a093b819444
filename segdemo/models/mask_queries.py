"""Mask2Former's queries to labels and segments, by the rules of the paper (https://arxiv.org/abs/2112.01527).

Each query is a class distribution and a mask. Masks are resized to the network's input, then to the picture, as in the
authors' code; both steps run in bands of rows, so that no stack of full-size masks ever exists.

Where transformers' `Mask2FormerImageProcessor` does otherwise, the authors' code is followed:
- It resizes masks to 384×384 first, whatever the input (transformers#44901): the same for the published checkpoints,
  whose input has that size, and coarser for any other.
- Panoptic: it measures the area of a mask where score × mask is 0.5 or more, and keeps pixels whose mask is below 0.5;
  the authors measure and keep what lies above 0.5 in the mask alone. Its usual score threshold is 0.5.
- Instances: it enlarges binary masks without interpolation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.labels import VOID
from segdemo.models import SCORE_THRESHOLD, Answer
from segdemo.models.painting import Instance, paint
from segdemo.models.upsampling import blocks_of_rows, first_maximum_, numbered, reach, resized_rows, resized_window
from segdemo.prediction import Segments

PANOPTIC_SCORE = 0.8  # of a query's class, below which it takes no part
PANOPTIC_OVERLAP = 0.8  # share of its mask that a query must win
SETTLED = 20  # queries that find something where postprocessing is timed
MOST_INSTANCES = 100  # of a picture, as in COCO's evaluation

_ONE = 2.0**100  # unit of the semantic sums: where no mask is, sums of 1e-40 still differ


@dataclass(frozen=True)
class MaskQueries:
    """What the network says of N pictures of one size.

    class_logits: (N, Q, C + 1), the last one "no object". mask_logits: (N, Q, h, w). Any float dtype.
    input_hw: the size of the network's input.
    """

    class_logits: Tensor
    mask_logits: Tensor
    input_hw: tuple[int, int]


def settled(queries: MaskQueries) -> MaskQueries:
    """The same masks; the first `SETTLED` queries are sure of a class, each of another, the rest of "no object"."""
    logits = torch.zeros_like(queries.class_logits)
    n = min(SETTLED, logits.shape[1])
    found = torch.arange(n, device=logits.device)
    logits[:, n:, -1] = 50
    logits[:, found, found % (logits.shape[2] - 1)] = 50
    return MaskQueries(logits, queries.mask_logits, queries.input_hw)


def semantic(queries: MaskQueries, size_hw: tuple[int, int]) -> list[Answer]:
    """The class with the largest sum over queries of class probability × mask probability, for every pixel.

    Its confidence is that sum; where the sums of all classes together exceed 1, its share of them.
    """
    n, device = len(queries.class_logits), queries.class_logits.device
    labels = torch.empty((n, *size_hw), dtype=torch.uint8, device=device)
    confidence = torch.empty_like(labels, dtype=torch.float16)
    for rows, band in numbered(_class_sums(queries, size_hw)):
        classes, together = band[:, :-1], band[:, -1]
        best, labels[:, rows] = first_maximum_(classes)
        confidence[:, rows] = best / together.clamp(min=_ONE)
    return [Answer(*maps, None) for maps in zip(labels.cpu().numpy(), confidence.cpu().numpy(), strict=True)]


def class_probabilities(queries: MaskQueries, size_hw: tuple[int, int]) -> Iterator[Tensor]:
    """The confidence in every class, of which `semantic` takes the best, in bands (N, C, rows, W) float32."""
    for band in _class_sums(queries, size_hw):
        classes, together = band[:, :-1], band[:, -1:]
        yield classes.div_(together.clamp(min=_ONE))


def _class_sums(queries: MaskQueries, size_hw: tuple[int, int]) -> Iterator[Tensor]:
    """Bands (N, C + 1, rows, W): the sum of class × mask probability of each class, then of all, in units of `_ONE`."""
    weights = queries.class_logits.float().softmax(-1)[..., :-1]  # (N, Q, C)
    weights = _ONE * torch.cat([weights, weights.sum(-1, keepdim=True)], -1)
    sums = (
        torch.einsum("nqc,nqrw->ncrw", weights, masks.sigmoid_())
        for masks in _at_input_size(queries.mask_logits, queries.input_hw)
    )
    return resized_rows(sums, queries.input_hw[0], size_hw)


def instances(queries: MaskQueries, size_hw: tuple[int, int], score_threshold: float = SCORE_THRESHOLD) -> list[Answer]:
    """Instances, best first, and the label map that those scored 0.5 or more make.

    A score is class probability × the mean mask probability inside the mask, taken at the network's input size; only
    instances above the threshold are brought to the picture, each in its own window. At thresholds below 0.5 one mask
    may be an instance of several classes; the 100 most probable are looked at.
    """
    return [_instances(*one, queries.input_hw, size_hw, score_threshold) for one in _each(queries)]


def panoptic(queries: MaskQueries, size_hw: tuple[int, int], things: frozenset[int]) -> list[Answer]:
    """Segments that do not overlap, best first, and the label map that they make.

    Every pixel goes to the query with the largest score × mask probability. A query that wins less than 0.8 of its own
    mask is dropped, and so is a pixel where the winner's mask is below 0.5: both are VOID. Segments of one class that
    is not among `things` are fused and keep the best score. Confidence is the winner's score × mask probability, 0 in
    VOID.
    """
    return [_panoptic(*one, queries.input_hw, size_hw, things) for one in _each(queries)]


def _each(queries: MaskQueries) -> Iterator[tuple[Tensor, Tensor]]:
    """Per picture: class probabilities (Q, C + 1) and mask logits (Q, h, w)."""
    yield from zip(queries.class_logits.float().softmax(-1), queries.mask_logits, strict=True)


def _instances(
    probabilities: Tensor, masks: Tensor, input_hw: tuple[int, int], size_hw: tuple[int, int], threshold: float
) -> Answer:
    query, class_ids = (probabilities[:, :-1] > threshold).nonzero(as_tuple=True)
    probable = probabilities[query, class_ids].argsort(descending=True, stable=True)[:MOST_INSTANCES]
    query, class_ids = query[probable], class_ids[probable]
    masks = masks[query]
    scores = (probabilities[query, class_ids] * _quality(masks, input_hw)).cpu().numpy()
    ids = class_ids.cpu().numpy()
    bounds = _bounds(masks > 0).cpu().numpy()

    def worst_first() -> Iterator[Instance]:
        for i in np.argsort(scores, kind="stable"):
            if scores[i] > threshold:
                rows, columns = (_window(masks.shape[1 + k], input_hw[k], size_hw[k], *bounds[i, k]) for k in (0, 1))
                logits = F.interpolate(masks[None, None, i].float(), input_hw, mode="bilinear", align_corners=False)
                logits = resized_window(logits[0, 0], size_hw, rows, columns)
                yield Instance(rows.start, columns.start, logits > 0, logits.sigmoid(), int(ids[i]), float(scores[i]))

    return paint(worst_first(), size_hw, masks.device)


def _quality(masks: Tensor, input_hw: tuple[int, int]) -> Tensor:
    """Mean probability inside each mask of (K, h, w) logits at the network's input size; (K,)."""
    total, area = torch.zeros((2, len(masks)), device=masks.device)
    if len(masks):
        for band in _at_input_size(masks[None], input_hw):
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


def _window(source: int, middle: int, target: int, first: int, last: int) -> slice:
    """What two resizings, of a side `source` to `middle` to `target`, make of the pixels `first` to `last`."""
    inner = reach(source, middle, first, last)
    return reach(middle, target, inner.start, inner.stop - 1)


def _panoptic(
    probabilities: Tensor,
    masks: Tensor,
    input_hw: tuple[int, int],
    size_hw: tuple[int, int],
    things: frozenset[int],
) -> Answer:
    scores, class_ids = probabilities.max(-1)
    kept = (class_ids != probabilities.shape[1] - 1) & (scores > PANOPTIC_SCORE)
    order = scores[kept].argsort(descending=True, stable=True)[:VOID]
    scores, class_ids, masks = scores[kept][order], class_ids[kept][order], masks[kept][order]
    owned, confidence, share = _contest(masks, scores, input_hw, size_hw)

    owners = owned.cpu().numpy()
    visible = np.bincount(owners.ravel(), minlength=len(scores))[: len(scores)] > 0
    class_of = np.full(VOID + 1, VOID, np.uint8)
    class_of[: len(class_ids)] = class_ids.cpu().numpy()
    segments = _fuse(class_of, visible & (share >= PANOPTIC_OVERLAP).cpu().numpy(), things)[owners]
    labels = class_of[segments]
    certainty = confidence.cpu().numpy()
    certainty[labels == VOID] = 0
    return Answer(labels, certainty, _cut(segments, class_of, scores.cpu().numpy()))


def _contest(
    masks: Tensor, scores: Tensor, input_hw: tuple[int, int], size_hw: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Who owns which pixel.

    masks: (K, h, w) logits, K at most 255. scores: (K,).
    Returns each pixel's winner (H, W) uint8, VOID where its mask is below 0.5; score × mask probability of the winner
    (H, W) float16; and the share of its own mask, cut at 0.5, that each query wins (K,), no number where it has none.
    """
    count = len(scores)
    owners = torch.full(size_hw, VOID, dtype=torch.uint8, device=masks.device)
    confidence = torch.zeros(size_hw, dtype=torch.float16, device=masks.device)
    own, won = torch.zeros((2, count), dtype=torch.long, device=masks.device)
    if count:
        for rows, band in numbered(resized_rows(_at_input_size(masks[None], input_hw), input_hw[0], size_hw)):
            own += (band >= 0).sum((0, 2, 3))
            band = band.sigmoid_().mul_(scores.view(-1, 1, 1))
            best, winner = (one[0] for one in first_maximum_(band))
            won += torch.bincount(winner.flatten(), minlength=count)
            certain = best >= 0.5 * scores[winner.long()]
            owners[rows] = winner.masked_fill_(~certain, VOID)
            confidence[rows] = best
    return owners, confidence, won / own


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


def _at_input_size(mask_logits: Tensor, input_hw: tuple[int, int]) -> Iterator[Tensor]:
    """Bands (N, Q, rows, w) of the masks (N, Q, h, w) resized to the network's input."""
    return resized_rows(blocks_of_rows(mask_logits, input_hw[1]), mask_logits.shape[2], input_hw)
