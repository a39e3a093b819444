import numpy as np
import pytest
import torch
from torchmetrics.detection import PanopticQuality as Reference

from segdemo.images import InputImage
from segdemo.labels import CAMVID, VOID
from segdemo.matching import PanopticCounts, count_segments
from segdemo.prediction import Segments
from segdemo.sample import Sample, TrueSegments

ROAD, CAR, PEDESTRIAN = 3, 8, 9
THINGS = set(CAMVID.things)
STUFF = set(range(11)) - THINGS


def cut(ids: np.ndarray, classes: dict[int, int]) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
    """Boxes, masks and classes of the numbers in a segment map, ascending; 0 is none."""
    boxes, masks, class_ids = [], [], []
    for number in sorted(classes):
        y, x = np.nonzero(ids == number)
        if y.size:
            box = (x.min(), y.min(), x.max() + 1, y.max() + 1)
            boxes.append(box)
            masks.append(ids[box[1] : box[3], box[0] : box[2]] == number)
            class_ids.append(classes[number])
    return np.array(boxes, np.int32).reshape(-1, 4), tuple(masks), np.array(class_ids, np.uint8)


def found(ids: np.ndarray, classes: dict[int, int]) -> Segments:
    boxes, masks, class_ids = cut(ids, classes)
    return Segments(boxes, masks, class_ids, np.linspace(1, 0.9, len(masks), dtype=np.float32))


def truth(labels: np.ndarray, ids: np.ndarray, classes: dict[int, int], crowd: tuple[int, ...] = ()) -> Sample:
    boxes, masks, class_ids = cut(ids, classes)
    flags = np.array([number in crowd for number in sorted(classes) if (ids == number).any()], bool)
    image = InputImage(np.zeros((*labels.shape, 3), np.uint8), "", "")
    return Sample("picture", image, labels.astype(np.uint8), TrueSegments(boxes, masks, class_ids, flags))


def blocks(rng: np.random.Generator, size: int = 48) -> np.ndarray:
    """A map of 12-pixel blocks, each with a random number."""
    return np.kron(rng.integers(0, 6, (size // 12, size // 12)), np.ones((12, 12), np.int64))


def test_counts_equal_torchmetrics_on_random_pictures():
    rng = np.random.default_rng(0)
    reference = Reference(
        THINGS, STUFF, allow_unknown_preds_category=True, return_sq_and_rq=True, return_per_class=True
    )
    total: PanopticCounts | None = None
    for _ in range(30):
        true_ids = blocks(rng)
        true_classes = {n: (CAR, PEDESTRIAN)[n % 2] for n in range(1, 4)}
        labels = np.select([true_ids == n for n in true_classes], list(true_classes.values()), ROAD)
        labels[true_ids == 5] = VOID
        true_things = np.where(true_ids < 4, true_ids, 0)
        shift = rng.integers(0, 4)
        found_ids = np.roll(true_ids, shift, rng.integers(0, 2))
        # No pixel without an answer: torchmetrics leaves those out of the union, the authors' code does not.
        found_ids[(found_ids == 0) | (found_ids == 4)] = 5
        found_classes = {n: int(rng.choice([CAR, PEDESTRIAN])) for n in range(1, 4)} | {5: ROAD}
        counts = count_segments(truth(labels, true_things, true_classes), found(found_ids, found_classes), CAMVID)
        total = counts if total is None else total + counts
        found_map = np.select([found_ids == n for n in found_classes], list(found_classes.values()), VOID)
        reference.update(
            torch.from_numpy(np.stack([found_map, np.where(found_ids < 4, found_ids, 0)], -1))[None],
            torch.from_numpy(np.stack([labels, true_things], -1))[None],
        )
    expected = reference.compute().numpy()  # (classes, 3): PQ, SQ, RQ in the order things, stuff; 0 for absent ones
    order = sorted(THINGS) + sorted(STUFF)
    ours = total.per_class()[order]
    present = ~np.isnan(ours[:, 0])
    assert present.sum() == 3
    np.testing.assert_allclose(ours[present], expected[present], atol=1e-9)


def test_a_perfect_answer_has_quality_one():
    ids = np.zeros((20, 20), np.int64)
    ids[2:8, 2:8], ids[10:18, 10:18] = 1, 2
    labels = np.where(ids == 0, ROAD, CAR)
    answer = found(np.where(ids == 0, 3, ids), {1: CAR, 2: CAR, 3: ROAD})
    counts = count_segments(truth(labels, ids, {1: CAR, 2: CAR}), answer, CAMVID)
    assert counts.quality() == counts.quality([ROAD, CAR])
    assert (counts.quality().pq, counts.quality().classes) == (1.0, 2)
    assert counts.quality(THINGS).classes == 1


def test_half_is_no_match_and_a_little_more_is():
    ids = np.zeros((10, 20), np.int64)
    ids[:, :10] = 1
    labels = np.where(ids == 1, CAR, VOID)
    for width, matched in ((5, 0), (6, 1)):
        answer = np.zeros_like(ids)
        answer[:, :width] = 1
        counts = count_segments(truth(labels, ids, {1: CAR}), found(answer, {1: CAR}), CAMVID)
        assert counts.matched[CAR] == matched
        assert counts.missed[CAR] == counts.invented[CAR] == 1 - matched


def test_void_takes_no_part_in_the_union_and_excuses_what_lies_in_it():
    ids = np.zeros((10, 20), np.int64)
    ids[:, :10] = 1
    labels = np.where(ids == 1, CAR, VOID)
    everywhere = np.ones_like(ids)
    counts = count_segments(truth(labels, ids, {1: CAR}), found(everywhere, {1: CAR}), CAMVID)
    assert counts.iou[CAR] == 1
    in_void = np.zeros_like(ids)
    in_void[:, 9:] = 1
    counts = count_segments(truth(labels, ids, {1: CAR}), found(in_void, {1: CAR}), CAMVID)
    assert (counts.missed[CAR], counts.invented[CAR]) == (1, 0)


def test_a_crowd_is_never_missed_and_excuses_its_own_class_alone():
    ids = np.ones((10, 20), np.int64)
    labels = np.full(ids.shape, CAR)
    crowd = truth(labels, ids, {1: CAR}, crowd=(1,))
    part = np.zeros_like(ids)
    part[:, :4] = 1
    cars = count_segments(crowd, found(part, {1: CAR}), CAMVID)
    assert (cars.matched.sum(), cars.missed.sum(), cars.invented.sum()) == (0, 0, 0)
    people = count_segments(crowd, found(part, {1: PEDESTRIAN}), CAMVID)
    assert people.invented[PEDESTRIAN] == 1


def test_a_mean_of_nothing_is_no_number():
    nothing = np.zeros((4, 4), np.int64)
    counts = count_segments(truth(np.full((4, 4), VOID), nothing, {}), found(nothing, {}), CAMVID)
    assert np.isnan(counts.quality().pq)
    assert counts.quality().classes == 0


def test_a_sample_without_a_label_map_is_refused():
    image = InputImage(np.zeros((4, 4, 3), np.uint8), "", "")
    with pytest.raises(ValueError, match="no label map"):
        count_segments(Sample("a", image, None, None), found(np.zeros((4, 4), np.int64), {}), CAMVID)
