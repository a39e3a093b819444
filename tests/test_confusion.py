import math

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from segdemo.confusion import ClassCounts, count
from segdemo.labels import VOID


def maps(*rows: list[list[int]]) -> list[np.ndarray]:
    return [np.array(row, np.uint8) for row in rows]


def golden() -> ClassCounts:
    """The worked example of metric_definitions.md: two pictures, four classes."""
    truth_1, pred_1 = maps([[0, 0, 1, 1], [0, 0, 1, 255]], [[0, 0, 1, 2], [0, 1, 1, 3]])
    truth_2, pred_2 = maps([[0] * 4] * 2, [[0, 0, 0, 0], [0, 0, 0, 2]])
    return count(truth_1, pred_1, 4) + count(truth_2, pred_2, 4)


def test_the_worked_example_gives_its_matrix():
    np.testing.assert_array_equal(
        golden().counts, [[10, 1, 1, 0, 0], [0, 2, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    )


def test_the_worked_example_gives_its_scores():
    counts = golden()

    np.testing.assert_allclose(counts.iou(), [10 / 12, 2 / 4, 0.0, np.nan])
    score = counts.mean_iou()
    assert score.value == pytest.approx(0.4444, abs=5e-5)
    assert (score.classes, score.convention) == (3, "mmsegmentation")
    assert counts.accuracy() == pytest.approx(0.8)


def test_the_hugging_face_metric_card_gives_its_scores():
    pictures = [
        maps([[0, 3], [5, 4], [6, 255]], [[1, 2], [3, 4], [5, 255]]),
        maps([[1, 7], [9, 2], [3, 6]], [[2, 7], [9, 2], [3, 6]]),
        maps([[1, 2, 2], [8, 2, 1], [3, 255, 1]], [[2, 2, 3], [8, 2, 4], [3, 255, 2]]),
    ]
    first, *others = [count(truth, prediction, 10) for truth, prediction in pictures]
    counts = sum(others, start=first)

    np.testing.assert_allclose(counts.iou(), [0, 0, 0.375, 0.4, 0.5, 0, 0.5, 1, 1, 1])
    assert counts.mean_iou().value == pytest.approx(0.4775)
    assert counts.accuracy() == pytest.approx(0.526316, abs=5e-7)
    recall = counts.recall()
    np.testing.assert_allclose(recall, [0, 0, 0.75, 2 / 3, 1, 0, 0.5, 1, 1, 1])


def test_iou_agrees_with_torchmetrics_on_random_maps():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, (50, 60), dtype=np.uint8)
    prediction = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 7, truth.shape)).astype(np.uint8)
    truth[:5] = VOID

    jaccard = MulticlassJaccardIndex(7, average=None, ignore_index=VOID)
    expected = jaccard(torch.from_numpy(prediction.astype(np.int64)), torch.from_numpy(truth.astype(np.int64)))

    np.testing.assert_allclose(count(truth, prediction, 7).iou(), expected.numpy(), rtol=1e-6)


def test_all_scores_follow_from_right_true_and_predicted():
    counts = ClassCounts(np.array([[6, 2, 0], [1, 3, 4]], np.int64))  # 4 pixels of class 1 got no class

    np.testing.assert_array_equal(counts.support(), [8, 8])
    np.testing.assert_allclose(counts.iou(), [6 / 9, 3 / 10])
    np.testing.assert_allclose(counts.dice(), [12 / 15, 6 / 13])
    np.testing.assert_allclose(counts.precision(), [6 / 7, 3 / 5])
    np.testing.assert_allclose(counts.recall(), [6 / 8, 3 / 8])
    assert counts.accuracy() == 9 / 16


def test_what_is_predicted_where_the_truth_is_void_is_not_wrong():
    truth, prediction = maps([[0, 255]], [[0, 1]])

    counts = count(truth, prediction, 2)

    assert counts.counts.sum() == 1
    np.testing.assert_array_equal(counts.iou(), [1.0, np.nan])


def test_predicting_no_class_where_there_is_one_is_wrong():
    truth, prediction = maps([[0, 0]], [[0, 255]])

    counts = count(truth, prediction, 2)

    np.testing.assert_array_equal(counts.counts, [[1, 0, 1], [0, 0, 0]])
    assert counts.iou()[0] == 0.5


def test_a_class_that_is_nowhere_is_nan_and_not_averaged():
    truth, prediction = maps([[0, 0]], [[0, 0]])
    counts = count(truth, prediction, 3)

    for score in (counts.iou(), counts.dice(), counts.precision(), counts.recall()):
        np.testing.assert_array_equal(score, [1.0, np.nan, np.nan])
    assert (counts.mean_iou().value, counts.mean_iou().classes) == (1.0, 1)


def test_a_class_that_is_only_predicted_counts_as_0():
    truth, prediction = maps([[0, 0]], [[0, 1]])
    counts = count(truth, prediction, 3)

    np.testing.assert_array_equal(counts.iou(), [0.5, 0.0, np.nan])
    assert (counts.mean_iou().value, counts.mean_iou().classes) == (0.25, 2)
    np.testing.assert_array_equal(counts.recall(), [0.5, np.nan, np.nan])


def test_a_picture_without_truth_scores_nan_without_a_warning(recwarn):
    counts = count(*maps([[255, 255]], [[0, 1]]), 2)

    assert math.isnan(counts.mean_iou().value)
    assert counts.mean_iou().classes == 0
    assert math.isnan(counts.accuracy())
    assert not recwarn


def test_counts_of_many_large_pictures_do_not_overflow():
    counts = ClassCounts(np.full((1, 2), 2**40, np.int64))

    assert (counts + counts).support()[0] == 2**42


@pytest.mark.parametrize("strange", [11, 100, 254])
def test_an_id_that_is_no_class_is_named(strange):
    good, bad = maps([[0, 1]], [[0, strange]])

    with pytest.raises(ValueError, match=f"truth holds the id {strange}, expected 0 to 10"):
        count(bad, good, 11)
    with pytest.raises(ValueError, match=f"prediction holds the id {strange}, expected 0 to 10"):
        count(good, bad, 11)


def test_a_strange_prediction_is_named_even_where_the_truth_is_void():
    with pytest.raises(ValueError, match="prediction holds the id 7"):
        count(*maps([[255]], [[7]]), 3)


def test_maps_of_different_sizes_or_types_are_refused():
    truth, prediction = maps([[0, 1]], [[0], [1]])

    with pytest.raises(ValueError, match=r"\(1, 2\).*\(2, 1\)"):
        count(truth, prediction, 2)
    with pytest.raises(ValueError, match="int64"):
        count(truth.astype(np.int64), truth, 2)


def test_counts_of_different_classes_do_not_add_up():
    with pytest.raises(ValueError, match="2 and 3 classes"):
        ClassCounts(np.zeros((2, 3), np.int64)) + ClassCounts(np.zeros((3, 4), np.int64))


def test_counting_leaves_the_maps_as_they_were():
    truth, prediction = maps([[0, 255]], [[0, 1]])
    before = truth.copy(), prediction.copy()

    count(truth, prediction, 2)

    np.testing.assert_array_equal((truth, prediction), before)


def test_an_unknown_convention_is_named():
    with pytest.raises(ValueError, match="'mine'"):
        golden().mean_iou("mine")
