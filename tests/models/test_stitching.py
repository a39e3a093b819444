import numpy as np
import pytest

from segdemo.labels import VOID
from segdemo.models import Answer
from segdemo.models.stitching import Piece, stitched
from segdemo.models.tiling import spans
from segdemo.prediction import Segments

SIZE_HW = (100, 180)
TILE = 96


def answer(rows, columns, boxes):
    """What a tile says that sees boxes (x1, y1, x2, y2, class, score) of the picture, each cut off at its border."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    labels, confidence = np.full((height, width), VOID, np.uint8), np.zeros((height, width), np.float16)
    kept = []
    for x1, y1, x2, y2, class_id, score in sorted(boxes, key=lambda box: box[-1]):
        left, right = (min(max(x - columns.start, 0), width) for x in (x1, x2))
        top, bottom = (min(max(y - rows.start, 0), height) for y in (y1, y2))
        if left < right and top < bottom:
            labels[top:bottom, left:right], confidence[top:bottom, left:right] = class_id, score
            kept.insert(0, ((left, top, right, bottom), class_id, score))
    segments = Segments(
        np.array([box for box, _, _ in kept], np.int32).reshape(-1, 4),
        tuple(np.ones((y2 - y1, x2 - x1), bool) for (x1, y1, x2, y2), _, _ in kept),
        np.array([class_id for _, class_id, _ in kept], np.uint8),
        np.array([score for _, _, score in kept], np.float32),
    )
    return Answer(labels, confidence, segments)


def pieces(*seen, size_hw=SIZE_HW):
    """seen: the boxes that each tile sees; for one only, all see the same."""
    places = [(r, c) for r in spans(size_hw[0], TILE) for c in spans(size_hw[1], TILE)]
    return [Piece.of(r, c, answer(r, c, seen[i % len(seen)])) for i, (r, c) in enumerate(places)]


def full(segments, i, size_hw=SIZE_HW):
    x1, y1, x2, y2 = segments.boxes_xyxy[i]
    whole = np.zeros(size_hw, bool)
    whole[y1:y2, x1:x2] = segments.masks[i]
    return whole


@pytest.mark.parametrize("things", [None, frozenset({8, 9})])
def test_things_across_tiles_are_one_each(things):
    boxes = [(20, 20, 170, 60, 8, 0.9), (60, 70, 130, 95, 8, 0.8), (5, 5, 15, 15, 9, 0.7)]
    found = stitched(pieces(boxes), SIZE_HW, things)
    assert found.segments.boxes_xyxy.tolist() == [list(box[:4]) for box in boxes]
    assert found.segments.class_ids.tolist() == [8, 8, 9]
    assert found.segments.scores == pytest.approx([0.9, 0.8, 0.7])
    assert all(mask.all() for mask in found.segments.masks)


def test_labels_and_confidence_are_those_of_the_segments():
    boxes = [(20, 20, 170, 60, 8, 0.9), (60, 40, 130, 95, 7, 0.8)]
    found = stitched(pieces(boxes), SIZE_HW, None)
    expected = np.full(SIZE_HW, VOID)
    expected[40:95, 60:130], expected[20:60, 20:170] = 7, 8
    np.testing.assert_array_equal(found.labels, expected)
    np.testing.assert_allclose(found.confidence[expected == 8], 0.9, atol=1e-3)
    np.testing.assert_allclose(found.confidence[expected == 7], 0.8, atol=1e-3)
    assert (found.confidence[expected == VOID] == 0).all()


def test_the_best_of_a_things_scores_is_its_score_and_decides_what_lies_on_top():
    left = [(20, 20, 170, 60, 8, 0.6), (60, 40, 130, 95, 7, 0.7)]
    right = [(20, 20, 170, 60, 8, 0.9), (60, 40, 130, 95, 7, 0.7)]
    found = stitched(pieces(left, right), SIZE_HW, None)
    assert found.segments.scores == pytest.approx([0.9, 0.7])
    assert (found.labels[20:60, 20:170] == 8).all()


def test_two_things_side_by_side_stay_two():
    boxes = [(70, 20, 90, 60, 8, 0.9), (90, 20, 110, 60, 8, 0.8)]  # both in the overlap
    found = stitched(pieces(boxes), SIZE_HW, None)
    assert found.segments.boxes_xyxy.tolist() == [list(box[:4]) for box in boxes]


def test_a_neighbours_other_class_is_another_thing():
    found = stitched(pieces([(20, 20, 170, 60, 8, 0.9)], [(20, 20, 170, 60, 7, 0.8)]), SIZE_HW, None)
    assert found.segments.class_ids.tolist() == [8, 7]
    assert not (full(found.segments, 0) & full(found.segments, 1)).any()
    assert np.count_nonzero(found.labels != VOID) == 150 * 40


def test_what_is_no_thing_is_one_segment_wherever_it_is():
    boxes = [(0, 0, 30, 30, 1, 0.9), (150, 70, 180, 100, 1, 0.85), (40, 0, 60, 20, 8, 0.95), (100, 0, 120, 20, 8, 0.82)]
    found = stitched(pieces(boxes), SIZE_HW, frozenset({8}))
    assert found.segments.class_ids.tolist() == [8, 1, 8]
    assert found.segments.boxes_xyxy[1].tolist() == [0, 0, 180, 100]
    assert np.count_nonzero(found.segments.masks[1]) == 2 * 30 * 30


def test_a_thing_across_four_tiles_and_more_is_one():
    size_hw = (300, 300)
    found = stitched(pieces([(10, 10, 290, 290, 8, 0.9)], size_hw=size_hw), size_hw, None)
    assert len(found.segments) == 1
    assert found.segments.boxes_xyxy.tolist() == [[10, 10, 290, 290]]
    assert found.segments.masks[0].all()


def test_doubtful_things_are_segments_but_not_painted():
    found = stitched(pieces([(20, 20, 170, 60, 8, 0.3)]), SIZE_HW, None)
    assert len(found.segments) == 1
    assert (found.labels == VOID).all()


def test_a_picture_without_a_thing_has_none():
    found = stitched(pieces([]), SIZE_HW, None)
    assert len(found.segments) == 0
    assert (found.labels == VOID).all()
