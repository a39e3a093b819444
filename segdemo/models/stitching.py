"""The segments that tiles find, as those of the whole picture: a thing across tiles is one thing.

Every pixel is answered by one tile, the one whose middle is nearest. Two tiles see their overlap both: segments of one
class whose masks agree there are parts of one thing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from segdemo.bit_masks import BitMask, BitMasks
from segdemo.labels import VOID
from segdemo.models import SCORE_THRESHOLD, Answer
from segdemo.models.tiling import Span
from segdemo.prediction import Segments

_AGREEMENT = 0.5  # IoU in the overlap, above which two masks are of one thing; only one other mask can have as much

_Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels of the picture, right and bottom exclusive


@dataclass(frozen=True)
class _Part:
    """A tile's segment in the picture: its box there, its mask in the box, and the pixels that its tile answers."""

    box: _Box
    mask: BitMask
    class_id: int
    score: float
    own: _Box

    def within(self, box: _Box) -> np.ndarray:
        """The part of the mask inside a box that the segment's box touches or not."""
        x1, y1, x2, y2 = _common(self.box, box)
        left, top = self.box[:2]
        return self.mask.window(slice(y1 - top, max(y1, y2) - top), slice(x1 - left, max(x1, x2) - left))


@dataclass(frozen=True)
class Piece:
    """What a tile found.

    seen: the whole tile. own: the pixels that it answers. labels, confidence: of those.
    """

    seen: _Box
    own: _Box
    labels: np.ndarray
    confidence: np.ndarray | None
    parts: tuple[_Part, ...]

    @classmethod
    def of(cls, rows: Span, columns: Span, answer: Answer) -> "Piece":
        """That of a tile with this answer."""
        seen = columns.start, rows.start, columns.stop, rows.stop
        own = columns.first, rows.first, columns.last, rows.last
        inner = np.s_[
            rows.first - rows.start : rows.last - rows.start,
            columns.first - columns.start : columns.last - columns.start,
        ]
        sure = None if answer.confidence is None else answer.confidence[inner].copy()
        return cls(seen, own, answer.labels[inner].copy(), sure, tuple(_parts(seen, own, answer)))


def stitched(pieces: Sequence[Piece], size_hw: tuple[int, int], things: frozenset[int] | None) -> Answer:
    """The tiles' answers as one.

    things: the classes whose segments are single things; those of another class are one segment. None: all are.
    A thing has the best of its parts' scores. The label map is painted worst first from those scored 0.5 or more;
    confidence is that of the tile which answers the pixel, the thing's score where that tile sees another class there,
    and 0 in VOID.
    """
    parts = [piece.parts for piece in pieces]
    first = np.cumsum([0, *map(len, parts)]).tolist()  # the number of each tile's first part
    everything = [part for of_tile in parts for part in of_tile]
    group = list(range(len(everything)))
    for a, b in combinations(range(len(pieces)), 2):
        overlap = _common(pieces[a].seen, pieces[b].seen)
        for i, j in _same(parts[a], parts[b], overlap):
            _join(group, first[a] + i, first[b] + j)
    if things is not None:
        one_of: dict[int, int] = {}
        for i, part in enumerate(everything):
            if part.class_id not in things:
                _join(group, one_of.setdefault(part.class_id, i), i)
    members: dict[int, list[_Part]] = {}
    for i, part in enumerate(everything):
        members.setdefault(_root(group, i), []).append(part)
    segments = _segments([found for one in members.values() if (found := _united(one)) is not None])
    return Answer(*_painted(segments, pieces, size_hw), segments)


def _parts(seen: _Box, own: _Box, answer: Answer) -> Iterator[_Part]:
    segments = answer.segments
    if segments is None:
        return
    left, top = seen[:2]
    rows = zip(segments.boxes_xyxy.tolist(), segments.masks, segments.class_ids, segments.scores, strict=True)
    for (x1, y1, x2, y2), mask, class_id, score in rows:
        box = left + x1, top + y1, left + x2, top + y2
        yield _Part(box, BitMask.of(mask), int(class_id), float(score), own)


def _same(ones: Sequence[_Part], others: Sequence[_Part], overlap: _Box) -> Iterator[tuple[int, int]]:
    """Which parts of two tiles are of one thing, each of one at most; the best scored choose first."""
    inside = [j for j, other in enumerate(others) if _area(_common(other.box, overlap))]
    for i, one in enumerate(ones if _area(overlap) else ()):
        agreement = {j: _iou(one, others[j], overlap) for j in inside if others[j].class_id == one.class_id}
        best = max(agreement, key=agreement.__getitem__, default=None)
        if best is not None and agreement[best] > _AGREEMENT:
            inside.remove(best)
            yield i, best


def _iou(one: _Part, other: _Part, overlap: _Box) -> float:
    """Intersection over union of two masks within a box; 0 where neither has a pixel there."""
    shared = _common(_common(one.box, other.box), overlap)
    if not _area(shared):
        return 0.0
    both = np.count_nonzero(one.within(shared) & other.within(shared))
    either = np.count_nonzero(one.within(overlap)) + np.count_nonzero(other.within(overlap)) - both
    return both / either if either else 0.0


@dataclass(frozen=True)
class _Thing:
    box: _Box
    mask: BitMask
    class_id: int
    score: float


def _united(parts: Sequence[_Part]) -> _Thing | None:
    """One thing, made of what each part has where its tile answers; None where that is nothing."""
    boxes = np.array([part.box for part in parts])
    left, top = boxes[:, :2].min(0).tolist()
    right, bottom = boxes[:, 2:].max(0).tolist()
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for part in parts:
        x1, y1, x2, y2 = _common(part.box, part.own)
        if x1 < x2 and y1 < y2:
            mask[y1 - top : y2 - top, x1 - left : x2 - left] |= part.within(part.own)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return None
    y1, y2, x1, x2 = (int(side) for side in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
    box = (left + x1, top + y1, left + x2, top + y2)
    return _Thing(box, BitMask.of(mask[y1:y2, x1:x2]), parts[0].class_id, max(part.score for part in parts))


def _segments(things: Sequence[_Thing]) -> Segments:
    best_first = sorted(things, key=lambda one: -one.score)
    return Segments(
        boxes_xyxy=np.array([one.box for one in best_first], np.int32).reshape(-1, 4),
        masks=BitMasks(one.mask for one in best_first),
        class_ids=np.array([one.class_id for one in best_first], np.uint8),
        scores=np.array([one.score for one in best_first], np.float32),
    )


def _painted(segments: Segments, pieces: Sequence[Piece], size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The label map and its confidence."""
    labels, confidence = np.full(size_hw, VOID, np.uint8), np.zeros(size_hw, np.float16)
    for i in reversed(range(len(segments))):
        if segments.scores[i] >= SCORE_THRESHOLD:
            x1, y1, x2, y2 = segments.boxes_xyxy[i].tolist()
            mask = segments.masks[i]
            np.copyto(labels[y1:y2, x1:x2], segments.class_ids[i], where=mask)
            np.copyto(confidence[y1:y2, x1:x2], np.float16(segments.scores[i]), where=mask)
    for piece in pieces:
        x1, y1, x2, y2 = piece.own
        if piece.confidence is not None:
            agreed = piece.labels == labels[y1:y2, x1:x2]
            np.copyto(confidence[y1:y2, x1:x2], piece.confidence, where=agreed)
    return labels, confidence


def _join(group: list[int], a: int, b: int) -> None:
    group[_root(group, b)] = _root(group, a)


def _root(group: Sequence[int], i: int) -> int:
    while group[i] != i:
        i = group[i]
    return i


def _common(a: _Box, b: _Box) -> _Box:
    """What two boxes share; without area where that is nothing."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _area(box: _Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])
