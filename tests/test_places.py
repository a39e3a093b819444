import numpy as np

from segdemo import places
from segdemo.labels import CAMVID, VOID
from segdemo.prediction import Prediction, Segments, StageTimes

CAR, ROAD = CAMVID.classes.index("car"), CAMVID.classes.index("road")
# Two cars that touch, a third that does not; road around them.
LABELS = np.full((6, 12), ROAD, np.uint8)
LABELS[1:4, 1:7] = CAR
LABELS[4:6, 9:11] = CAR
NUMBERS = np.zeros((6, 12), np.uint16)
NUMBERS[1:4, 1:4], NUMBERS[1:4, 4:7], NUMBERS[4:6, 9:11] = 1, 2, 3


def answers():
    return places.true_answers(LABELS, NUMBERS, (CAR, CAR, CAR), CAMVID)


def test_two_things_that_touch_are_one_area_to_one_and_two_objects_to_the_other():
    semantic, instance, panoptic = answers()
    here = places.look(semantic, (2, 2))
    assert (here.class_id, here.number, here.mask) == (CAR, 0, None)
    assert here.area.sum() == 18
    assert places.objects_in(here.area, instance) == 2
    for answer in (instance, panoptic):
        one, other = places.look(answer, (2, 2)), places.look(answer, (2, 5))
        assert one.number != other.number
        assert one.mask.sum() == other.mask.sum() == 9


def test_what_is_no_thing_has_an_area_where_it_is_named_and_nothing_where_it_is_not():
    _, instance, panoptic = answers()
    assert places.look(instance, (0, 0)).class_id == VOID
    stuff = places.look(panoptic, (0, 0))
    assert (stuff.class_id, stuff.number, stuff.mask) == (ROAD, 0, None)
    assert stuff.area.sum() == (LABELS == ROAD).sum()


def test_areas_hang_together_by_sides_not_by_corners():
    labels = np.array([[1, 0], [0, 1]], np.uint8)
    assert places.area(labels, (0, 0)).tolist() == [[True, False], [False, False]]


def test_the_telling_place_lies_in_the_area_with_most_objects():
    semantic, instance, _ = answers()
    row, column = places.telling(semantic.labels, instance)
    assert NUMBERS[row, column] in (1, 2)
    assert row == 2


def test_without_objects_the_telling_place_is_the_middle():
    semantic, _, _ = answers()
    empty = Segments(np.zeros((0, 4), np.int32), (), np.zeros(0, np.uint8), np.zeros(0, np.float32))
    nothing = Prediction("none", CAMVID, semantic.labels, None, empty, StageTimes(0, 0, 0, 0))
    assert places.telling(semantic.labels, nothing) == (3, 6)
    assert places.telling(semantic.labels, semantic) == (3, 6)
