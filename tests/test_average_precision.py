import numpy as np
import pytest
from pycocotools import mask as coco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segdemo import rle
from segdemo.average_precision import InstanceAnswers, average_precision, instance_answers
from segdemo.prediction import Segments
from segdemo.sample import TrueSegments

SIZE = (160, 200)


def rectangles(rng: np.random.Generator, n: int, holes: bool = True) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    corner = np.stack([rng.integers(0, SIZE[1] - 120, n), rng.integers(0, SIZE[0] - 120, n)], 1)
    boxes = np.concatenate([corner, corner + rng.integers(8, 120, (n, 2))], 1).astype(np.int32)
    masks = tuple(rng.random((y2 - y1, x2 - x1)) > 0.1 if holes else np.ones((y2 - y1, x2 - x1), bool)
                  for x1, y1, x2, y2 in boxes)  # fmt: skip
    return boxes, masks


def random_picture(rng: np.random.Generator) -> InstanceAnswers:
    n = int(rng.integers(0, 6))
    boxes, masks = rectangles(rng, n)
    truth = TrueSegments(boxes, masks, rng.integers(0, 3, n).astype(np.uint8), rng.random(n) < 0.15)
    moved = np.clip(boxes + rng.integers(-6, 7, (n, 1)), 0, None).astype(np.int32)
    invented, more = rectangles(rng, 2)
    boxes = np.concatenate([moved, invented])
    boxes[:, 2] = np.minimum(boxes[:, 2], SIZE[1])
    boxes[:, 3] = np.minimum(boxes[:, 3], SIZE[0])
    masks = tuple(m[: y2 - y1, : x2 - x1] for m, (x1, y1, x2, y2) in zip(masks + more, boxes, strict=True))
    classes = np.concatenate([truth.class_ids, rng.integers(0, 4, 2)]).astype(np.uint8)
    scores = np.sort(rng.random(n + 2).astype(np.float32))[::-1]
    return instance_answers(truth, Segments(boxes, masks, classes, scores), SIZE)


def test_scores_are_those_of_pycocotools_own_summary():
    rng = np.random.default_rng(1)
    pictures = [random_picture(rng) for _ in range(25)]
    ours = average_precision(pictures, 5)

    truth, numbers = COCO(), iter(range(1, 10_000))
    truth.dataset = {
        "images": [{"id": i, "height": SIZE[0], "width": SIZE[1]} for i in range(25)],
        "categories": [{"id": c} for c in range(3)],
        "annotations": [row | {"id": next(numbers), "image_id": i} for i, p in enumerate(pictures) for row in p.truths],
    }
    truth.createIndex()
    results = truth.loadRes([row | {"image_id": i} for i, p in enumerate(pictures) for row in p.found])
    reference = COCOeval(truth, results, "segm")
    reference.evaluate()
    reference.accumulate()
    reference.summarize()
    expected = reference.stats[:6]
    assert 0.1 < expected[0] < 0.9
    np.testing.assert_allclose(
        [ours.ap, ours.ap50, ours.ap75, ours.small, ours.medium, ours.large], expected, atol=1e-9
    )
    assert np.isnan(ours.per_class[3:]).all()
    assert np.nanmean(ours.per_class) == pytest.approx(ours.ap)


def test_perfect_masks_score_one_and_half_of_them_half():
    boxes, masks = rectangles(np.random.default_rng(2), 2, holes=False)
    truth = TrueSegments(boxes, masks, np.array([0, 1], np.uint8), np.zeros(2, bool))
    scores = np.array([0.9, 0.8], np.float32)
    perfect = instance_answers(truth, Segments(boxes, masks, truth.class_ids, scores), SIZE)
    half = instance_answers(truth, Segments(boxes[:1], masks[:1], truth.class_ids[:1], scores[:1]), SIZE)
    assert average_precision([perfect], 2).ap == pytest.approx(1)
    assert average_precision([half], 2).ap50 == pytest.approx(0.5)


def test_a_class_that_is_found_nowhere_scores_zero_and_without_truth_there_is_no_score():
    boxes, masks = rectangles(np.random.default_rng(3), 2)
    none = Segments(np.zeros((0, 4), np.int32), (), np.zeros(0, np.uint8), np.zeros(0, np.float32))
    truth = TrueSegments(boxes, masks, np.zeros(2, np.uint8), np.zeros(2, bool))
    assert average_precision([instance_answers(truth, none, SIZE)], 2).ap == 0
    empty = TrueSegments(none.boxes_xyxy, (), none.class_ids, np.zeros(0, bool))
    found = Segments(boxes, masks, np.zeros(2, np.uint8), np.array([0.9, 0.8], np.float32))
    assert np.isnan(average_precision([instance_answers(empty, found, SIZE)], 2).ap)
    assert np.isnan(average_precision([], 2).ap50)


def test_instances_below_the_smallest_area_count_neither_way():
    boxes = np.array([[0, 0, 5, 5], [20, 20, 60, 60]], np.int32)
    masks = (np.ones((5, 5), bool), np.ones((40, 40), bool))
    truth = TrueSegments(boxes, masks, np.zeros(2, np.uint8), np.zeros(2, bool))
    large = Segments(boxes[1:], masks[1:], np.zeros(1, np.uint8), np.array([0.9], np.float32))
    answers = [instance_answers(truth, large, SIZE)]
    assert average_precision(answers, 1).ap50 < 0.6
    assert average_precision(answers, 1, smallest_area=100).ap50 == pytest.approx(1)


def test_run_lengths_of_a_cropped_mask_are_those_of_the_full_one():
    rng = np.random.default_rng(4)
    boxes, masks = rectangles(rng, 6)
    boxes = np.concatenate([boxes, [[0, 0, SIZE[1], SIZE[0]]]]).astype(np.int32)
    masks = (*masks, np.ones(SIZE, bool))
    for mask, (x1, y1, x2, y2), ours in zip(masks, boxes, rle.encode(boxes, masks, SIZE), strict=True):
        full = np.zeros(SIZE, np.uint8, order="F")
        full[y1:y2, x1:x2] = mask
        assert ours["counts"] == coco.encode(full)["counts"].decode()
        np.testing.assert_array_equal(coco.decode(ours), full)
