"""Queries to labels or instances, by the rules of Mask2Former (https://arxiv.org/abs/2112.01527); to panoptic segments:
`panoptic_contest`.

MaskFormer, OneFormer and EoMT are read by the same rules. Each query is a class distribution and a mask. Masks are
resized to the network's input, then what the picture fills of it to the picture, as in the authors' code; both steps
run in bands of rows, so that no stack of full-size masks ever exists.

Where transformers' image processors do otherwise, the authors' code is followed:
- Mask2Former's resizes masks to 384×384 first, whatever the input (transformers#44901): the same for the published
  checkpoints, whose input has that size, and coarser for any other. MaskFormer's and OneFormer's leave out the input's
  size: they weigh classes at a quarter of it and enlarge the sums.
- Instances: it enlarges binary masks without interpolation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.models import SCORE_THRESHOLD, Answer
from segdemo.models.painting import Instance, paint
from segdemo.models.resizing import Blend, blocks_of_rows, linear_shares, numbered, reach, resized_rows, resized_window
from segdemo.models.upsampling import first_maximum_, id_dtype

SETTLED = 20  # queries that find something where postprocessing is timed
MOST_INSTANCES = 100  # of a picture, as in COCO's evaluation

_ONE = 2.0**100  # unit of the semantic sums: where no mask is, sums of 1e-40 still differ


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
    """Labels (N, H, W) of `id_dtype` and their confidence, float16."""
    count, device = len(queries.class_logits) // max(1, len(queries.starts)), queries.class_logits.device
    labels = torch.empty((count, *size_hw), dtype=id_dtype(queries.class_logits.shape[2] - 1), device=device)
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
    return resized_rows(sums, Blend.of(linear_shares(queries.content_hw[0], size_hw[0])), size_hw[1:])


def instances(queries: MaskQueries, size_hw: tuple[int, int], score_threshold: float = SCORE_THRESHOLD) -> list[Answer]:
    """Instances, best first, and the label map that those scored 0.5 or more make.

    A score is class probability × the mean mask probability inside the mask, taken at the network's input size; only
    instances above the threshold are brought to the picture, each in its own window. At thresholds below 0.5 one mask
    may be an instance of several classes; the 100 most probable are looked at.
    """
    return [_instances(*one, size_hw, score_threshold) for one in each(queries)]


def each(queries: MaskQueries) -> Iterator[tuple[Tensor, MaskQueries]]:
    """Per picture: class probabilities (Q, C + 1), and its queries."""
    for i, probabilities in enumerate(queries.class_logits.float().softmax(-1)):
        yield probabilities, replace(queries, mask_logits=queries.mask_logits[i : i + 1])


def chosen(queries: MaskQueries, query: Tensor) -> MaskQueries:
    """One picture's queries with these masks only."""
    return replace(queries, mask_logits=queries.mask_logits[:, query])


def _instances(probabilities: Tensor, queries: MaskQueries, size_hw: tuple[int, int], threshold: float) -> Answer:
    query, class_ids = (probabilities[:, :-1] > threshold).nonzero(as_tuple=True)
    probable = probabilities[query, class_ids].argsort(descending=True, stable=True)[:MOST_INSTANCES]
    query, class_ids = query[probable], class_ids[probable]
    queries = chosen(queries, query)
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


def _at_input_size(queries: MaskQueries) -> Iterator[Tensor]:
    """Bands (N, Q, rows, w) of the masks at the size of the network's input, without what the picture does not fill."""
    masks, input_hw = queries.mask_logits, queries.input_hw
    blend = Blend.of(linear_shares(masks.shape[2], input_hw[0]))
    bands = resized_rows(blocks_of_rows(masks, input_hw[1]), blend, input_hw[1:])
    if queries.starts or queries.filled_hw is None:
        yield from bands
        return
    height, width = queries.filled_hw
    for rows, band in numbered(bands):
        if rows.start < height:
            yield band[:, :, : height - rows.start, :width]
