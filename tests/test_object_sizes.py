import numpy as np
import pytest
from scipy import ndimage

from segdemo.labels import VOID
from segdemo.object_sizes import count_by_size


def by_class(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """(3, C, 2): each class's regions labelled and measured one by one."""
    counts = np.zeros((3, classes, 2), np.int64)
    for c in range(classes):
        regions, number = ndimage.label(truth == c)
        for i in range(1, number + 1):
            region = regions == i
            area = np.count_nonzero(region)
            size = 0 if area < 32**2 else 1 if area < 96**2 else 2
            counts[size, c] += np.count_nonzero(prediction[region] == c), area
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_regions_are_those_of_each_class_labelled_alone(seed):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((240, 320)), 6)
    truth = np.digitize(noise, np.quantile(noise, [0.15, 0.3, 0.8])).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.002] = 3
    truth[100:110] = VOID
    prediction = np.where(rng.random(truth.shape) < 0.7, truth, 1).astype(np.uint8)

    counts = count_by_size(truth, prediction, 5).counts

    expected = by_class(truth, prediction, 5)
    np.testing.assert_array_equal(counts, expected)
    assert np.all(expected[:, :4, 1].sum(axis=1) > 0)  # regions of all sizes were there


@pytest.mark.parametrize(
    ("sides", "size"), [((1, 1), 0), ((31, 33), 0), ((32, 32), 1), ((95, 97), 1), ((96, 96), 2), ((100, 200), 2)]
)
def test_the_bounds_are_those_of_coco(sides, size):
    truth = np.full((250, 250), VOID, np.uint8)
    truth[7 : 7 + sides[0], 9 : 9 + sides[1]] = 1

    counts = count_by_size(truth, truth, 2).counts

    assert counts[size, 1].tolist() == [sides[0] * sides[1]] * 2
    assert counts.sum() == counts[size, 1].sum()


def test_regions_that_meet_at_a_corner_or_over_void_are_apart():
    truth = np.zeros((128, 128), np.uint8)
    truth[:30, :30] = truth[30:60, 30:60] = 1  # 900 pixels each, together 1800
    truth[80:110, :30] = truth[80:110, 31:61] = 1
    truth[80:110, 30] = VOID

    counts = count_by_size(truth, truth, 2).counts

    assert counts[:, 1, 1].tolist() == [3600, 0, 0]


def test_a_region_that_winds_is_one():
    truth = np.zeros((140, 140), np.uint8)
    truth[::4] = 1
    truth[:-1, 0] = truth[3::8, -1] = truth[1::8, -1] = truth[2::8, -1] = 1

    counts = count_by_size(truth, truth, 2).counts

    assert counts[1, 1, 1] == np.count_nonzero(truth)


def test_rows_do_not_run_into_each_other():
    truth = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)  # flat: 0 1 1 1 0 0

    counts = count_by_size(np.kron(truth, np.ones((31, 31), np.uint8)), np.zeros((62, 93), np.uint8), 2).counts

    assert counts[:, 1, 1].tolist() == [961, 1922, 0]
    assert counts[:, 0].tolist() == [[961, 961], [1922, 1922], [0, 0]]


def test_recall_is_nan_without_regions_of_the_size():
    truth = np.ones((40, 40), np.uint8)
    prediction = truth.copy()
    prediction[:10] = VOID

    recall = count_by_size(truth, prediction, 2).recall()

    np.testing.assert_array_equal(recall, [[np.nan, np.nan], [np.nan, 0.75], [np.nan, np.nan]])


def test_counts_of_pictures_add_up_and_a_picture_of_void_adds_nothing():
    truth = np.zeros((50, 50), np.uint8)
    one = count_by_size(truth, truth, 3)

    total = one + one + count_by_size(np.full_like(truth, VOID), truth, 3)

    np.testing.assert_array_equal(total.counts, 2 * one.counts)
    assert total.counts.dtype == np.int64


def test_maps_of_different_shapes_and_counts_of_different_classes_are_refused():
    truth = np.zeros((4, 5), np.uint8)
    with pytest.raises(ValueError, match=r"\(4, 5\) and \(5, 4\)"):
        count_by_size(truth, truth.T, 5)
    with pytest.raises(ValueError, match="2 and 3 classes"):
        count_by_size(truth, truth, 2) + count_by_size(truth, truth, 3)
