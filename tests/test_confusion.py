import math

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from segdemo.confusion import (
    CONVENTIONS,
    ClassCounts,
    count,
    image_mean_ious,
    per_image_mean_iou,
    pooled_mean_iou,
)
from segdemo.labels import VOID


def maps(*rows: list[list[int]]) -> list[np.ndarray]:
    return [np.array(row, np.uint8) for row in rows]


def golden_pictures() -> list[ClassCounts]:
    """A worked example that tells the conventions apart: two pictures, four classes, the last one nowhere."""
    truth_1, pred_1 = maps([[0, 0, 1, 1], [0, 0, 1, 255]], [[0, 0, 1, 2], [0, 1, 1, 3]])
    truth_2, pred_2 = maps([[0] * 4] * 2, [[0, 0, 0, 0], [0, 0, 0, 2]])
    return [count(truth_1, pred_1, 4), count(truth_2, pred_2, 4)]


def golden() -> ClassCounts:
    first, second = golden_pictures()
    return first + second


def hugging_face_pictures() -> list[ClassCounts]:
    """The example of the Hugging Face `mean_iou` metric card: three pictures, ten classes."""
    pictures = [
        maps([[0, 3], [5, 4], [6, 255]], [[1, 2], [3, 4], [5, 255]]),
        maps([[1, 7], [9, 2], [3, 6]], [[2, 7], [9, 2], [3, 6]]),
        maps([[1, 2, 2], [8, 2, 1], [3, 255, 1]], [[2, 2, 3], [8, 2, 4], [3, 255, 2]]),
    ]
    return [count(truth, prediction, 10) for truth, prediction in pictures]


def tallies(pictures: list[ClassCounts]) -> np.ndarray:
    return np.stack([picture.tally() for picture in pictures])


def random_maps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction in which classes 0 to 2 are ordinary, 3 is missed, and 4 is only predicted."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (40, 50), dtype=np.uint8)
    invented = rng.choice(np.array([0, 1, 2, 4], np.uint8), truth.shape)
    prediction = np.where((rng.random(truth.shape) < 0.6) & (truth != 3), truth, invented)
    truth[:4] = VOID
    return truth, prediction


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
    first, *others = hugging_face_pictures()
    counts = sum(others, start=first)

    np.testing.assert_allclose(counts.iou(), [0, 0, 0.375, 0.4, 0.5, 0, 0.5, 1, 1, 1])
    assert counts.mean_iou().value == pytest.approx(0.4775)
    assert counts.accuracy() == pytest.approx(0.526316, abs=5e-7)
    recall = counts.recall()
    np.testing.assert_allclose(recall, [0, 0, 0.75, 2 / 3, 1, 0, 0.5, 1, 1, 1])


def jaccard(truth: np.ndarray, prediction: np.ndarray, classes: int, average: str | None) -> np.ndarray:
    """torchmetrics' IoU; it divides in float32 unless `Tensor.float` is `double`."""
    metric = MulticlassJaccardIndex(classes, average=average, ignore_index=VOID)
    return metric(torch.from_numpy(prediction.astype(np.int64)), torch.from_numpy(truth.astype(np.int64))).numpy()


@pytest.mark.parametrize("classes", [5, 8])
@pytest.mark.parametrize("seed", range(3))
def test_iou_agrees_with_torchmetrics(monkeypatch, seed, classes):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    truth, prediction = random_maps(seed)
    counts = count(truth, prediction, classes)

    expected = jaccard(truth, prediction, classes, average=None)
    np.testing.assert_allclose(np.nan_to_num(counts.iou()), expected, rtol=0, atol=1e-9)
    expected = jaccard(truth, prediction, classes, average="macro")
    assert counts.mean_iou().value == pytest.approx(float(expected), abs=1e-9)


def test_a_perfect_prediction_scores_1_as_with_torchmetrics():
    truth, _ = random_maps(0)
    counts = count(truth, truth, 8)

    assert counts.mean_iou().value == float(jaccard(truth, truth, 8, average="macro")) == 1
    assert counts.accuracy() == counts.frequency_weighted_iou() == counts.mean_accuracy().value == 1


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


@pytest.mark.parametrize(
    ("convention", "value", "classes"),
    [
        ("torchvision", math.nan, 4),
        ("mmsegmentation", 0.4444, 3),
        ("cityscapes", 0.4444, 3),
        ("ade20k", 0.3333, 4),
        ("detectron2", 0.6667, 2),
    ],
)
def test_one_prediction_scores_differently_under_each_convention(convention, value, classes):
    score = golden().mean_iou(convention)

    assert score.value == pytest.approx(value, abs=5e-5, nan_ok=True)
    assert (score.classes, score.convention) == (classes, convention)


def test_the_mean_over_pictures_of_the_worked_examples():
    score = per_image_mean_iou(tallies(golden_pictures()))
    assert score.value == pytest.approx(0.4271, abs=5e-5)
    assert (score.classes, score.convention) == (3, "per_image")

    score = per_image_mean_iou(tallies(hugging_face_pictures()))
    assert score.value == pytest.approx(0.4243, abs=5e-5)
    assert score.classes == 10


def test_a_picture_of_void_is_not_averaged():
    void = count(*maps([[255, 255]], [[0, 1]]), 4)

    pictures = tallies([*golden_pictures(), void])

    np.testing.assert_array_equal(np.isnan(image_mean_ious(pictures)), [False, False, True])
    assert per_image_mean_iou(pictures) == per_image_mean_iou(pictures[:2])
    assert math.isnan(per_image_mean_iou(pictures[2:]).value)


def test_a_class_can_be_left_out_of_the_mean():
    assert golden().mean_iou(without=[0]).value == pytest.approx(0.25)
    assert golden().mean_iou(without=[0]).classes == 2
    assert golden().mean_iou("torchvision", without=[3]).value == pytest.approx(0.4444, abs=5e-5)
    # Picture 1: (2/4 + 0/1) / 2; picture 2: 0/1.
    assert per_image_mean_iou(tallies(golden_pictures()), without=[0]).value == pytest.approx((0.25 + 0) / 2)


def matrix_without_void(counts: ClassCounts) -> np.ndarray:
    return counts.counts[:, :-1].astype(float)


def torchvision_mean(matrix: np.ndarray) -> float:
    """references/segmentation/utils.py, ConfusionMatrix.compute; rows are the truth."""
    mat = torch.from_numpy(matrix)
    return (torch.diag(mat) / (mat.sum(1) + mat.sum(0) - torch.diag(mat))).mean().item()


def ade20k_mean(matrix: np.ndarray) -> float:
    """evaluationCode/utils_eval.py of CSAILVision/sceneparsing: intersection / (union + eps), a plain mean."""
    intersection = matrix.diagonal()
    union = matrix.sum(axis=1) + matrix.sum(axis=0) - intersection
    return float(np.mean(intersection / (union + np.spacing(1))))


def detectron2_mean(matrix: np.ndarray) -> float:
    """SemSegEvaluator.evaluate: classes of the truth alone."""
    right, true, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    valid = true > 0
    return float((right[valid] / (true + predicted - right)[valid]).mean())


def hugging_face_mean(matrix: np.ndarray) -> float:
    """metrics/mean_iou/mean_iou.py of evaluate."""
    with np.errstate(invalid="ignore"):
        iou = matrix.diagonal() / (matrix.sum(axis=1) + matrix.sum(axis=0) - matrix.diagonal())
    return float(np.nanmean(iou))


@pytest.mark.parametrize("classes", [5, 8])
@pytest.mark.parametrize(
    ("convention", "theirs"),
    [
        ("torchvision", torchvision_mean),
        ("ade20k", ade20k_mean),
        ("detectron2", detectron2_mean),
        ("mmsegmentation", hugging_face_mean),
    ],
)
def test_each_convention_agrees_with_its_own_code(convention, theirs, classes):
    for seed in range(5):
        counts = count(*random_maps(seed), classes)
        expected = theirs(matrix_without_void(counts))
        assert counts.mean_iou(convention).value == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_many_sums_are_scored_at_once_as_each_alone():
    counts = [count(*random_maps(seed), 8) for seed in range(6)]
    for convention in CONVENTIONS.keys() - {"per_image"}:
        values, classes = pooled_mean_iou(tallies(counts).reshape(2, 3, 3, 8), convention, without=[1])
        alone = [c.mean_iou(convention, without=[1]) for c in counts]
        np.testing.assert_array_equal(values.ravel(), [score.value for score in alone])
        np.testing.assert_array_equal(classes.ravel(), [score.classes for score in alone])


def test_frequency_weighted_iou_weighs_by_the_truth():
    # Class 0: 12 of 15 pixels, IoU 10/12; class 1: 3 of 15, IoU 2/4; class 2 is not in the truth.
    assert golden().frequency_weighted_iou() == pytest.approx(12 / 15 * 10 / 12 + 3 / 15 * 2 / 4)
    assert math.isnan(count(*maps([[255]], [[0]]), 2).frequency_weighted_iou())


def test_mean_accuracy_is_over_the_classes_of_the_truth():
    score = golden().mean_accuracy()

    assert score.value == pytest.approx((10 / 12 + 2 / 3) / 2)
    assert score.classes == 2


def test_tensors_are_counted_as_arrays_are():
    rng = np.random.default_rng(3)
    truth, prediction = rng.integers(0, 6, (2, 3, 20, 30), dtype=np.uint8)
    truth[0, :5] = prediction[1, :3] = VOID

    counts = count(torch.from_numpy(truth), torch.from_numpy(prediction), 6)

    np.testing.assert_array_equal(counts.counts, count(truth, prediction, 6).counts)
    assert isinstance(counts.counts, np.ndarray)


def test_tensors_are_checked_as_arrays_are():
    truth = torch.tensor([[0, 1]], dtype=torch.uint8)

    with pytest.raises(ValueError, match="prediction holds the id 7"):
        count(truth, truth * 7, 3)
    with pytest.raises(ValueError, match="int64"):
        count(truth.long(), truth, 2)
    with pytest.raises(ValueError, match="both be numpy arrays or both be tensors"):
        count(truth.numpy(), truth, 2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_labels_on_a_gpu_are_counted_there():
    rng = np.random.default_rng(4)
    truth, prediction = rng.integers(0, 150, (2, 200, 300), dtype=np.uint8)
    on_gpu = (torch.from_numpy(labels).cuda() for labels in (truth, prediction))

    np.testing.assert_array_equal(count(*on_gpu, 150).counts, count(truth, prediction, 150).counts)


def test_maps_larger_than_one_block_are_counted_to_the_last_pixel():
    rng = np.random.default_rng(5)
    truth, prediction = rng.integers(0, 3, (2, 601, 997), dtype=np.uint8)

    counts = count(truth[:, ::-1], prediction[:, ::-1], 3).counts

    expected = [[np.count_nonzero((truth == t) & (prediction == p)) for p in (0, 1, 2, VOID)] for t in range(3)]
    np.testing.assert_array_equal(counts, expected)


def test_every_convention_explains_itself_in_one_sentence():
    for rule in CONVENTIONS.values():
        assert rule.explanation.endswith(".")
        assert rule.explanation.count(". ") == 0


def test_an_unknown_convention_is_named():
    with pytest.raises(ValueError, match="'mine'"):
        golden().mean_iou("mine")


def test_the_mean_over_pictures_is_not_taken_from_a_sum():
    with pytest.raises(ValueError, match="per_image_mean_iou"):
        golden().mean_iou("per_image")


@pytest.mark.parametrize("run", [1, 3, 50, 10**6])
def test_smooth_and_restless_labels_are_counted_alike(run):
    rng = np.random.default_rng(run)
    truth, prediction = (np.repeat(rng.integers(0, 9, 300_000 // run + 2, np.uint8), run)[:300_001] for _ in range(2))
    expected = np.zeros((9, 10), np.int64)
    np.add.at(expected, (truth, prediction), 1)
    np.testing.assert_array_equal(count(truth, prediction, 9).counts, expected)
