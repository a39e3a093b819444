import math

import numpy as np
import pytest
from scipy import ndimage

from segdemo.boundary import boundary_width, count_boundaries
from segdemo.labels import VOID


def scene(seed: int, size_hw: tuple[int, int] = (60, 80), classes: int = 5) -> np.ndarray:
    """Labels in smooth regions with some speckle."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(size_hw), 5)
    labels = np.digitize(noise, np.quantile(noise, np.linspace(0, 1, classes + 1)[1:-1])).astype(np.uint8)
    labels[3::17, 5::13] = 0
    return labels


def rim_by_erosion(mask: np.ndarray, width: int) -> np.ndarray:
    """The authors' way: one mask, eroded `width` times by 3 × 3, with nothing outside the picture."""
    return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=0)


def by_erosion(truth: np.ndarray, prediction: np.ndarray, classes: int, width: int) -> tuple[list[int], list[int]]:
    """Intersection and union of each class, class by class."""
    labelled = truth != VOID
    intersections, unions = [], []
    for c in range(classes):
        true = rim_by_erosion((truth == c) & labelled, width)
        predicted = rim_by_erosion((prediction == c) & labelled, width)
        intersections.append(np.count_nonzero(true & predicted))
        unions.append(np.count_nonzero(true | predicted))
    return intersections, unions


@pytest.mark.parametrize("width", [1, 2, 3, 7, 29, 30, 100])
@pytest.mark.parametrize("seed", range(3))
def test_all_classes_at_once_give_the_numbers_of_each_class_eroded_alone(seed, width):
    truth, prediction = scene(seed), scene(seed + 100)
    prediction[::2] = truth[::2]
    truth[10:20, 30:50] = VOID
    prediction[40:50, 10:20] = VOID

    counts = count_boundaries(truth, prediction, 6, width)

    intersections, unions = by_erosion(truth, prediction, 6, width)
    np.testing.assert_array_equal(counts.intersection, intersections)
    np.testing.assert_array_equal(counts.union, unions)
    assert counts.intersection.dtype == counts.union.dtype == np.int64


def test_a_shifted_square_worked_by_hand():
    truth, prediction = np.zeros((2, 12, 12), np.uint8)
    truth[2:8, 2:8] = 1
    prediction[2:8, 3:9] = 1

    counts = count_boundaries(truth, prediction, 2, width=1)

    # Rims of 6 × 6 pixels have 20. Shared: 5 in the top row and 5 in the bottom row, none in the columns between.
    assert (counts.intersection[1], counts.union[1]) == (10, 30)
    # IoU of the whole squares would be 30 / 42.
    assert counts.iou()[1] == pytest.approx(1 / 3)


def test_the_width_is_two_percent_of_the_diagonal_and_never_nothing():
    assert boundary_width((360, 480)) == 12
    assert boundary_width((1080, 1920)) == 44
    assert boundary_width((5, 5)) == 1
    truth = scene(0, (90, 120))
    assert count_boundaries(truth, truth, 5).widths == (3, 3)
    np.testing.assert_array_equal(count_boundaries(truth, truth, 5).union, count_boundaries(truth, truth, 5, 3).union)


def test_a_perfect_prediction_scores_1_beside_void_too():
    truth = scene(4)
    truth[20:30] = VOID
    prediction = np.where(truth == VOID, scene(5), truth)

    np.testing.assert_array_equal(count_boundaries(truth, prediction, 5).iou(), np.ones(5))


def test_what_is_predicted_under_void_changes_nothing():
    truth, prediction = scene(6), scene(7)
    truth[5:25, 5:25] = VOID
    other = prediction.copy()
    other[5:25, 5:25] = np.random.default_rng(0).integers(0, 5, (20, 20))

    one, two = count_boundaries(truth, prediction, 5), count_boundaries(truth, other, 5)

    np.testing.assert_array_equal(one.intersection, two.intersection)
    np.testing.assert_array_equal(one.union, two.union)


def test_a_class_that_is_nowhere_is_nan_and_one_that_is_missed_0(recwarn):
    truth, prediction = np.zeros((2, 8, 8), np.uint8)
    truth[:4] = 1

    iou = count_boundaries(truth, prediction, 3).iou()

    assert iou[1] == 0
    assert math.isnan(iou[2])
    assert not recwarn


def test_pictures_of_different_sizes_add_up_and_keep_their_widths():
    small, large = scene(8, (60, 80)), scene(9, (300, 400))

    total = count_boundaries(large, large, 5) + count_boundaries(small, np.zeros_like(small), 5)

    assert total.widths == (2, 10)
    expected = count_boundaries(large, large, 5).union + count_boundaries(small, np.zeros_like(small), 5).union
    np.testing.assert_array_equal(total.union, expected)


def test_maps_of_different_shapes_and_counts_of_different_classes_are_refused():
    with pytest.raises(ValueError, match=r"\(60, 80\) and \(80, 60\)"):
        count_boundaries(scene(0), scene(0).T, 5)
    with pytest.raises(ValueError, match="5 and 6 classes"):
        count_boundaries(scene(0), scene(0), 5) + count_boundaries(scene(0), scene(0), 6)


def test_the_maps_stay_as_they_were():
    truth, prediction = scene(0), scene(1)
    truth[:5] = VOID
    before = truth.copy(), prediction.copy()

    count_boundaries(truth, prediction, 5)

    np.testing.assert_array_equal((truth, prediction), before)
