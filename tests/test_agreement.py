"""Agreement of models, without labels."""

from dataclasses import replace

import numpy as np
import pytest

from segdemo import agreement
from segdemo.agreement import OUTSIDE
from segdemo.labels import ADE20K, CAMVID, CITYSCAPES, VOC, VOID
from segdemo.models import catalog
from segdemo.overlay import UNASSIGNED
from segdemo.prediction import Prediction, StageTimes

SEMANTIC = "starter/fcn"
INSTANCE = "starter/maskrcnn"


def says(labels, space=CAMVID, model=SEMANTIC):
    return Prediction(model, space, np.array(labels, np.uint8), None, None, StageTimes(0, 0, 0, 0))


def ids(space, *names):
    return [space.classes.index(name) for name in names]


def test_two_answers_are_scored_against_each_other_by_hand():
    sky, building, road, car = ids(CAMVID, "sky", "building", "road", "car")
    first = says([[sky, sky, road, road], [building, building, car, VOID]])
    second = says([[sky, sky, road, car], [sky, building, car, VOID]])
    found = agreement.compare(first, second)
    assert found.share() == 5 / 7  # where both see nothing there is nothing to agree on
    iou = dict(zip(found.names, found.iou(), strict=True))
    assert (iou["sky"], iou["building"], iou["road"], iou["car"]) == (2 / 3, 1 / 2, 1 / 2, 1 / 2)
    assert np.isnan(iou["tree"])
    assert found.mean_iou() == pytest.approx((2 / 3 + 3 / 2) / 4)
    assert found.largest(5) == [("building", "sky", 1), ("road", "car", 1)]


def test_agreement_is_the_same_in_both_directions():
    rng = np.random.default_rng(0)
    first, second = says(rng.integers(0, 11, (30, 40))), says(rng.integers(0, 11, (30, 40)))
    there, back = agreement.compare(first, second), agreement.compare(second, first)
    np.testing.assert_array_equal(there.counts, back.counts.T)
    assert there.mean_iou() == back.mean_iou()


def test_equal_answers_agree_and_nothing_is_contested():
    answer = says(np.arange(88).reshape(8, 11) % 11)
    found = agreement.compare(answer, answer)
    assert (found.share(), found.mean_iou(), found.largest(3)) == (1, 1, [])
    assert agreement.regions([answer, answer], 3) == []


def test_label_sets_meet_in_the_classes_that_both_know():
    road, car, bicyclist, building = ids(CAMVID, "road", "car", "bicyclist", "building")
    first = says([[road, car, bicyclist, building]])
    truck, rider, street = ids(CITYSCAPES, "truck", "rider", "road")
    second = says([[street, truck, rider, street]], CITYSCAPES)
    found = agreement.compare(first, second)
    assert found.share() == 3 / 4
    assert found.largest(1) == [("building", "road", 1)]


def test_a_class_that_the_other_does_not_know_contradicts_nothing_but_a_background_does():
    sky, car = ids(CAMVID, "sky", "car")
    background, cat = ids(VOC, "background", "cat")
    first = says([[sky, sky, car, car]])
    second = says([[background, cat, background, cat]], VOC)
    common = agreement.shared(first, second)
    contradicts = common.contradicting()[first.labels, second.labels]
    assert contradicts.tolist() == [[False, False, True, False]]
    assert agreement.compare(first, second).largest(1) == [("car", UNASSIGNED, 1)]


def test_a_model_of_instances_is_held_to_things_alone():
    sky, car = ids(CAMVID, "sky", "car")
    first = says([[sky, car, car]])
    second = says([[VOID, VOID, car]], model=INSTANCE)
    assert agreement.shared(first, second).contradicting()[first.labels, second.labels].tolist() == [
        [False, True, False]
    ]
    assert agreement.compare(first, second).share() == 1 / 2


def test_models_with_no_class_in_common_are_not_compared():
    other = replace(CAMVID, name="cells", classes=tuple(f"cell {i}" for i in range(11)))
    assert agreement.shared(says([[0]]), says([[0]], other)) is None
    assert agreement.compare(says([[0]]), says([[0]], other)) is None
    assert agreement.regions([says([[0]]), says([[0]], other)], 3) == []


def test_labels_judge_what_a_model_could_have_said():
    sky, car, road = ids(CAMVID, "sky", "car", "road")
    truth = np.array([[sky, car, car, VOID]], np.uint8)
    semantic = says([[sky, car, road, road]])
    wrong = agreement.judged(CAMVID, semantic).contradicting()[truth, semantic.labels]
    assert wrong.tolist() == [[False, False, True, False]]
    instance = says([[VOID, car, VOID, car]], model=INSTANCE)
    common = agreement.judged(CAMVID, instance)
    assert common.contradicting()[truth, instance.labels].tolist() == [[False, False, True, False]]
    assert common.first[sky] == OUTSIDE


def test_judging_counts_a_class_of_the_models_own_as_wrong_where_it_knew_the_right_one():
    truth = np.array(ids(CAMVID, "car", "sky"), np.uint8)[None]
    answer = says([ids(VOC, "cat", "cat")], VOC)
    assert agreement.judged(CAMVID, answer).contradicting()[truth, answer.labels].tolist() == [[True, False]]


def test_regions_lie_on_the_contradictions_the_worst_first_and_apart():
    road, car, tree = ids(CAMVID, "road", "car", "tree")
    first = np.full((600, 800), road)
    second = first.copy()
    second[50:180, 100:270] = car  # nearly a window
    second[400:470, 500:600] = tree
    large, small = agreement.regions([says(first), says(second)], 6)
    assert large.says == ((0, "road"), (1, "car"))
    assert small.says == ((0, "road"), (1, "tree"))
    assert large.share > small.share > 0.2
    left, top, right, bottom = large.box_xyxy
    assert left <= 100 + 10
    assert top <= 50 + 10
    assert right >= 270 - 10
    assert bottom >= 180 - 10
    assert small.box_xyxy[0] >= right or small.box_xyxy[1] >= bottom


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 500), (2000, 7)])
def test_regions_stay_inside_pictures_of_any_shape(size_hw):
    first, second = says(np.zeros(size_hw)), says(np.ones(size_hw))
    for region in agreement.regions([first, second], 6):
        left, top, right, bottom = region.box_xyxy
        assert 0 <= left < right <= size_hw[1]
        assert 0 <= top < bottom <= size_hw[0]


def test_a_region_names_the_two_models_of_many_that_contradict_each_other_most():
    road, tree = ids(ADE20K, "road", "tree")
    same = says(np.full((80, 100), road), ADE20K, next(s.key for s in catalog.CATALOG if s.space is ADE20K))
    other = replace(same, labels=np.where(np.arange(100) < 50, tree, same.labels).astype(np.uint8))
    [region, *_] = agreement.regions([same, same, other], 1)
    assert {region.says[0][1], region.says[1][1]} == {"road", "tree"}
