"""The numbers of the worked example are known from other systems' formulas."""

import math

import numpy as np
import pytest

from segdemo import worked_example
from segdemo.labels import VOID
from segdemo.worked_example import EXAMPLES, SPACE


def arrays(grids):
    return [np.array(grid, np.uint8) for grid in grids]


def scores(example, change=None):
    truths, predictions = arrays(example.truths), arrays(example.predictions)
    if change:
        change(truths, predictions)
    return {verdict.name: verdict for verdict in worked_example.judge(truths, predictions)}


def named(title):
    [example] = [one for one in EXAMPLES if one.title == title]
    return example


def test_one_answer_has_the_scores_that_the_systems_give_it():
    found = scores(EXAMPLES[0])
    assert math.isnan(found["torchvision"].value)
    expected = {
        "MMSegmentation, Hugging Face": (0.4444, 3),
        "Cityscapes": (0.4444, 3),
        "ADE20K, official": (0.3333, 4),
        "Detectron2": (0.6667, 2),
        "Mean of the pictures": (0.4271, 3),
        "Pixel accuracy": (0.8, None),
    }
    for name, (value, classes) in expected.items():
        assert found[name].value == pytest.approx(value, abs=5e-5), name
        assert found[name].classes == classes
    np.testing.assert_allclose(
        worked_example.class_ious(arrays(EXAMPLES[0].truths), arrays(EXAMPLES[0].predictions)),
        [10 / 12, 0.5, 0, np.nan],
    )


def test_a_perfect_answer_scores_one_by_every_rule_that_has_a_score():
    def repair(truths, predictions):
        predictions[:] = [np.where(truth == VOID, 0, truth).astype(np.uint8) for truth in truths]

    for example in EXAMPLES:
        found = scores(example, repair)
        assert {round(v.value, 9) for v in found.values() if v.name not in ("torchvision", "ADE20K, official")} == {1}


def test_two_cars_painted_into_one_cost_panoptic_quality_what_mean_iou_hardly_notices():
    found = scores(named("Two cars that touch"))
    road = 29 / 32
    assert found["MMSegmentation, Hugging Face"].value == pytest.approx((road + 18 / 21) / 2)
    assert found["Panoptic quality"].value == pytest.approx(road / 2)  # neither car is met by more than half


def test_a_small_one_missed_costs_its_class_and_hardly_a_pixel():
    found = scores(named("A small one missed"))
    assert found["Pixel accuracy"].value == pytest.approx(58 / 60)
    assert found["Detectron2"].value == pytest.approx((46 / 48 + 1 + 0) / 3)


def test_an_outline_one_pixel_off_costs_boundary_iou_most():
    found = scores(named("An outline one pixel off"))
    assert found["Boundary IoU"].value < found["MMSegmentation, Hugging Face"].value - 0.2


def test_what_is_predicted_where_the_truth_is_void_never_counts():
    def change(truths, predictions):
        predictions[0][1, 3] = 0

    assert {n: v.value for n, v in scores(EXAMPLES[0], change).items() if n != "torchvision"} == pytest.approx(
        {n: v.value for n, v in scores(EXAMPLES[0]).items() if n != "torchvision"}
    )


def test_every_example_is_two_grids_of_one_size_in_known_labels():
    for example in EXAMPLES:
        for truth, prediction in zip(arrays(example.truths), arrays(example.predictions), strict=True):
            assert truth.shape == prediction.shape
            assert set(np.unique(prediction)) <= set(range(len(SPACE.classes)))
