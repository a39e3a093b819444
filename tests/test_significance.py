import math

import numpy as np
import pytest

from segdemo.confusion import ClassCounts, image_mean_ious, pooled_mean_iou
from segdemo.significance import Interval, bootstrap

CLASSES = 6


def pictures(quality: float, number: int = 60, seed: int = 0) -> np.ndarray:
    """(N, 3, C) tallies of pictures of the same truth, some harder than others; one class is in every second."""
    truth = np.random.default_rng(100)
    true = truth.integers(50, 500, (number, CLASSES))
    true[::2, 4] = 0
    hardness = truth.normal(0, 0.08, (number, 1))
    share = np.clip(quality + hardness + np.random.default_rng(seed).normal(0, 0.02, true.shape), 0, 1)
    right = np.round(true * share).astype(np.int64)
    return np.stack([right, true, true], axis=1)


def test_intervals_are_those_of_samples_drawn_and_scored_one_by_one():
    models = {"a": pictures(0.7), "b": pictures(0.72, seed=1)}

    result = bootstrap(models, resamples=400, seed=5)

    rng = np.random.default_rng(5)
    drawn = [rng.integers(60, size=60) for _ in range(400)]
    scores = {
        name: np.array([pooled_mean_iou(tallies[sample].sum(axis=0))[0] for sample in drawn])
        for name, tallies in models.items()
    }
    for name, interval in result.models.items():
        low, high = np.quantile(scores[name], [0.025, 0.975])
        assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
        assert interval.value == pytest.approx(float(pooled_mean_iou(models[name].sum(axis=0))[0]))
    low, high = np.quantile(scores["a"] - scores["b"], [0.025, 0.975])
    difference = result.differences["a", "b"]
    assert (difference.low, difference.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert difference.value == pytest.approx(result.models["a"].value - result.models["b"].value)


def test_a_small_steady_difference_is_found_though_the_models_intervals_overlap():
    result = bootstrap({"a": pictures(0.7), "b": pictures(0.72, seed=1)})

    a, b, difference = result.models["a"], result.models["b"], result.differences["a", "b"]
    assert a.low < b.low < a.high < b.high
    assert difference.low < difference.value < difference.high < 0


def test_equal_models_differ_by_nothing():
    result = bootstrap({"a": pictures(0.7), "b": pictures(0.7)})

    assert result.differences == {("a", "b"): Interval(0, 0, 0)}


def test_the_interval_of_a_share_of_pictures_is_the_binomial_one():
    # One class; a picture is all right or all wrong, so the score is the mean of 200 coin tosses.
    heads = np.arange(200) % 5 < 3
    tallies = np.stack([heads * 10, np.full(200, 10), heads * 10], axis=1)[:, :, None].astype(np.int64)

    interval = bootstrap({"coin": tallies}).models["coin"]

    error = math.sqrt(0.6 * 0.4 / 200)
    assert interval.value == 0.6
    assert interval.low == pytest.approx(0.6 - 1.96 * error, abs=0.006)
    assert interval.high == pytest.approx(0.6 + 1.96 * error, abs=0.006)


def test_all_pairs_are_compared_in_the_order_given():
    result = bootstrap({"c": pictures(0.5), "a": pictures(0.6), "b": pictures(0.7)}, resamples=50)

    assert list(result.models) == ["c", "a", "b"]
    assert list(result.differences) == [("c", "a"), ("c", "b"), ("a", "b")]
    assert all(difference.value < 0 for difference in result.differences.values())


def test_one_model_has_an_interval_and_nothing_to_differ_from():
    result = bootstrap({"a": pictures(0.7)}, resamples=50)

    assert list(result.models) == ["a"]
    assert result.differences == {}


def test_the_same_seed_gives_the_same_intervals_whatever_the_memory(monkeypatch):
    models = {"a": pictures(0.7), "b": pictures(0.72, seed=1)}
    one = bootstrap(models, resamples=100, seed=3)
    monkeypatch.setattr("segdemo.significance._CELLS", 7 * 60)

    assert bootstrap(models, resamples=100, seed=3) == one
    assert bootstrap(models, resamples=100, seed=4) != one


@pytest.mark.parametrize("convention", ["torchvision", "ade20k", "detectron2", "cityscapes"])
def test_every_convention_can_be_compared(convention):
    tallies = pictures(0.7)
    total = ClassCounts(np.zeros((CLASSES, CLASSES + 1), np.int64))
    total.counts[np.arange(CLASSES), np.arange(CLASSES)] = tallies[:, 0].sum(axis=0)
    total.counts[:, -1] = (tallies[:, 1] - tallies[:, 0]).sum(axis=0)  # all misses are void here
    tallies[:, 2] = tallies[:, 0]

    interval = bootstrap({"a": tallies}, convention, without=[2], resamples=50).models["a"]

    assert interval.value == pytest.approx(total.mean_iou(convention, without=[2]).value)
    assert interval.low < interval.value < interval.high


def test_the_mean_over_pictures_leaves_out_pictures_of_void():
    tallies = pictures(0.7)
    tallies[7] = 0

    interval = bootstrap({"a": tallies}, "per_image", resamples=300, seed=2).models["a"]

    values = image_mean_ious(tallies)
    rng = np.random.default_rng(2)
    means = [np.nanmean(values[rng.integers(60, size=60)]) for _ in range(300)]
    assert interval.value == pytest.approx(np.nanmean(values))
    low, high = np.quantile(means, [0.025, 0.975])
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))


def test_one_picture_has_a_score_and_no_interval():
    result = bootstrap({"a": pictures(0.7, number=1), "b": pictures(0.7, number=1)}, resamples=20)

    assert 0 < result.models["a"].value < 1
    for interval in (*result.models.values(), *result.differences.values()):
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)


def test_sums_beyond_float32_stay_exact():
    tallies = np.full((3, 3, 1), 2**40, np.int64)
    tallies[:, 0] -= 1

    interval = bootstrap({"a": tallies}, resamples=20).models["a"]

    assert interval == Interval(*[(2**40 - 1) / (2**40 + 1)] * 3)


def test_models_scored_on_different_pictures_are_not_compared():
    with pytest.raises(ValueError, match=r"\(60, 3, 6\) \(a\), \(59, 3, 6\) \(b\)"):
        bootstrap({"a": pictures(0.7), "b": pictures(0.7)[1:]})
    with pytest.raises(ValueError, match="at least one"):
        bootstrap({"a": pictures(0.7)[:0]})
    with pytest.raises(ValueError, match="at least one"):
        bootstrap({})
