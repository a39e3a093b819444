import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from segdemo.calibration import BINS, count_confidence
from segdemo.labels import VOID


def picture(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and confidence of a model that is surer than it is right."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (40, 50), dtype=np.uint8)
    confidence = rng.uniform(0.01, 0.99, truth.shape).astype(np.float16)
    prediction = np.where(rng.random(truth.shape) < confidence**2, truth, (truth + 1) % 3).astype(np.uint8)
    truth[:3] = VOID
    return truth, prediction, confidence


@pytest.mark.parametrize("seed", range(3))
def test_the_error_agrees_with_torchmetrics(seed):
    truth, prediction, confidence = picture(seed)
    labelled = truth != VOID
    sure = torch.from_numpy(confidence[labelled].astype(np.float64))
    right = torch.from_numpy((truth == prediction)[labelled].astype(np.int64))
    expected = binary_calibration_error(sure, right, n_bins=BINS, norm="l1")

    error = count_confidence(truth, prediction, confidence).expected_calibration_error()

    assert error == pytest.approx(expected.item(), abs=1e-9)


def test_three_pixels_worked_by_hand():
    truth = np.array([[0, 1, 1]], np.uint8)
    prediction = np.array([[0, 1, 0]], np.uint8)
    bins = count_confidence(truth, prediction, np.array([[0.5, 1, 1]], np.float16))

    # 0.5 lies in bin 7, from 7/15 to 8/15; 1 in the last.
    assert np.flatnonzero(bins.pixels).tolist() == [7, 14]
    assert (bins.pixels[14], bins.right[14], bins.confidence_sum[14]) == (2, 1, 2.0)
    assert (bins.accuracy()[7], bins.confidence()[7]) == (1.0, 0.5)
    # One pixel of three is 0.5 off, two are 0.5 off.
    assert bins.expected_calibration_error() == pytest.approx(0.5)


def test_a_model_that_is_as_right_as_it_is_sure_has_no_error():
    truth = np.zeros((8, 8), np.uint8)
    prediction = np.repeat(np.array([[0, 1]], np.uint8), 32, axis=0).reshape(8, 8)

    assert count_confidence(truth, prediction, np.full((8, 8), 0.5, np.float16)).expected_calibration_error() == 0
    assert count_confidence(truth, truth, np.ones((8, 8), np.float16)).expected_calibration_error() == 0


def test_every_confidence_finds_its_bin():
    confidence = np.arange(0x3C00 + 1, dtype=np.uint16).view(np.float16)[None]  # all from 0 to 1
    truth = np.zeros(confidence.shape, np.uint8)

    bins = count_confidence(truth, truth, confidence)

    expected, _ = np.histogram(confidence.astype(np.float64), BINS, (0, 1))
    np.testing.assert_array_equal(bins.pixels, expected)
    assert bins.confidence_sum.sum() == confidence.astype(np.float64).sum()


def test_pixels_without_a_class_in_truth_or_prediction_are_left_out():
    truth, prediction, confidence = picture(0)
    prediction[10:15] = VOID
    confidence[10:15] = 0

    bins = count_confidence(truth, prediction, confidence)

    assert bins.pixels.sum() == 32 * 50
    assert bins.right.sum() == np.count_nonzero((truth == prediction) & (truth != VOID))


def test_the_bins_of_pictures_add_up_to_those_of_all_pixels():
    pictures = [picture(seed) for seed in range(3)]
    first, *others = [count_confidence(*one) for one in pictures]

    total = sum(others, start=first)

    together = count_confidence(*(np.vstack(maps) for maps in zip(*pictures, strict=True)))
    for name in ("pixels", "confidence_sum", "right"):
        np.testing.assert_array_equal(getattr(total, name), getattr(together, name))


def test_a_picture_without_labels_has_empty_bins_and_no_error(recwarn):
    _, prediction, confidence = picture(0)
    bins = count_confidence(np.full_like(prediction, VOID), prediction, confidence)

    assert math.isnan(bins.expected_calibration_error())
    assert np.isnan(bins.accuracy()).all()
    assert np.isnan(bins.confidence()).all()
    assert not recwarn


@pytest.mark.parametrize("strange", [1.001, -0.5, math.nan, math.inf])
def test_a_confidence_that_is_no_probability_is_named(strange):
    truth, prediction, confidence = picture(0)
    confidence[20, 20] = strange

    with pytest.raises(ValueError, match=rf"\[0, 1\], got {np.float16(strange)}"):
        count_confidence(truth, prediction, confidence)


def test_confidence_of_another_type_or_shape_is_refused():
    truth, prediction, confidence = picture(0)

    with pytest.raises(ValueError, match="float32"):
        count_confidence(truth, prediction, confidence.astype(np.float32))
    with pytest.raises(ValueError, match=r"\(40, 49\)"):
        count_confidence(truth, prediction, confidence[:, 1:])
