import itertools
import math
from collections import Counter

import numpy as np
import pytest

from segdemo.class_mapping import _COLUMNS, _CONCEPTS, Coverage, mapping
from segdemo.confusion import count
from segdemo.errors import SegdemoError
from segdemo.labels import ADE20K, CAMVID, CITYSCAPES, COCO_PANOPTIC, COCO_THINGS, VOC, VOID, LabelSpace

SPACES = (VOC, COCO_PANOPTIC, COCO_THINGS, ADE20K, CITYSCAPES, CAMVID)
PAIRS = [pytest.param(a, b, id=f"{a.name}, {b.name}") for a, b in itertools.permutations(SPACES, 2)]


def members(table: np.ndarray, space: LabelSpace, common: LabelSpace) -> dict[str, set[str]]:
    """The classes of a space that each common class is made of."""
    return {
        name: {c for i, c in enumerate(space.classes) if table[i] == number}
        for number, name in enumerate(common.classes)
    }


def both(truth: LabelSpace, prediction: LabelSpace) -> dict[str, tuple[set[str], set[str]]]:
    common = mapping(truth, prediction)
    of_truth = members(common.truth_ids, truth, common.space)
    of_prediction = members(common.prediction_ids, prediction, common.space)
    return {name: (of_truth[name], of_prediction[name]) for name in common.space.classes}


# The table


def test_every_name_of_the_table_is_a_class_of_its_data_set():
    for column, space in enumerate((VOC, COCO_PANOPTIC, ADE20K, CITYSCAPES, CAMVID)):
        assert _COLUMNS[space.classes] == column
        named = {names[column].strip("()") for names in _CONCEPTS.values()} - {""}
        assert named <= set(space.classes)


def test_every_concept_is_known_to_two_data_sets_and_every_class_is_mostly_something():
    for concept, names in _CONCEPTS.items():
        assert sum(name != "" for name in names) >= 2, concept
    for column in range(5):
        cells = {names[column] for names in _CONCEPTS.values()} - {""}
        assert {cell.strip("()") for cell in cells if cell.startswith("(")} <= cells


def test_all_of_camvid_and_what_streets_hold_is_known():
    assert set(CAMVID.classes) == {names[4].strip("()") for names in _CONCEPTS.values()} - {""}
    assert set(CITYSCAPES.classes) == {names[3].strip("()") for names in _CONCEPTS.values()} - {""}
    assert set(VOC.classes) - {"background"} == {names[0].strip("()") for names in _CONCEPTS.values()} - {""}


# Any two label sets


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_every_common_class_has_members_on_both_sides_and_no_class_is_in_two(a, b):
    groups = both(a, b)

    assert groups
    for of_a, of_b in groups.values():
        assert of_a
        assert of_b
    for side in (0, 1):
        assert max(Counter(itertools.chain(*(group[side] for group in groups.values()))).values()) == 1


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_there_and_back_the_same_classes_meet(a, b):
    there = {(frozenset(x), frozenset(y)) for x, y in both(a, b).values()}
    back = {(frozenset(y), frozenset(x)) for x, y in both(b, a).values()}

    assert there == back
    assert mapping(a, b).truth_only == mapping(b, a).prediction_only


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_class_is_covered_or_named_as_not_covered(a, b):
    common = mapping(a, b)

    for table, only, space in (
        (common.truth_ids, common.truth_only, a),
        (common.prediction_ids, common.prediction_only, b),
    ):
        ids = np.arange(len(space.classes))
        assert {i for i in ids.tolist() if table[i] == VOID} == only
        assert table[VOID] == VOID
        covered = table[ids][table[ids] != VOID]
        assert sorted(set(covered.tolist())) == list(range(len(common.space.classes)))


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_perfect_model_scores_1_in_its_own_words(a, b):
    """Every class of the truth, answered with a class of the prediction's side that it is compared with."""
    common = mapping(a, b)
    truth = np.arange(len(a.classes), dtype=np.uint8)[None]
    answers = {int(number): i for i, number in reversed(list(enumerate(common.prediction_ids[: len(b.classes)])))}
    prediction = np.array([[answers[int(common.truth_ids[i])] if i not in common.truth_only else 0 for i in truth[0]]])

    counts = count(common.truth(truth), common.prediction(prediction.astype(np.uint8)), len(common.space.classes))

    np.testing.assert_array_equal(counts.iou(), np.ones(len(common.space.classes)))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_equal_classes_are_mapped_to_themselves(space):
    common = mapping(space, LabelSpace("renamed", space.classes, space.colors))

    assert common.space is space
    np.testing.assert_array_equal(common.truth_ids, np.arange(256))
    np.testing.assert_array_equal(common.prediction_ids, np.arange(256))
    assert common.truth_only == common.prediction_only == frozenset()


# Pairs that are easy to get wrong


def test_cityscapes_and_camvid():
    assert both(CITYSCAPES, CAMVID) == {
        "road": ({"road"}, {"road"}),
        "sidewalk": ({"sidewalk"}, {"pavement"}),
        "building": ({"building", "wall"}, {"building"}),
        "fence": ({"fence"}, {"fence"}),
        "pole": ({"pole"}, {"pole"}),
        "sign": ({"traffic light", "traffic sign"}, {"sign"}),
        "tree": ({"vegetation", "terrain"}, {"tree"}),
        "sky": ({"sky"}, {"sky"}),
        "person": ({"person"}, {"pedestrian"}),
        "bicyclist": ({"rider", "motorcycle", "bicycle"}, {"bicyclist"}),
        "car": ({"car", "truck", "bus"}, {"car"}),
    }
    assert mapping(CITYSCAPES, CAMVID).truth_only == {CITYSCAPES.classes.index("train")}


def test_a_rider_is_a_person_where_riders_have_no_class():
    for space in (VOC, COCO_PANOPTIC, COCO_THINGS, ADE20K):
        assert both(CITYSCAPES, space)["person"] == ({"person", "rider"}, {"person"})
    # CamVid's bicyclist is the rider and the bicycle: with persons and bicycles apart, only all of them together meet.
    assert both(CAMVID, COCO_THINGS)["pedestrian + bicyclist"] == (
        {"pedestrian", "bicyclist"},
        {"person", "bicycle", "motorcycle"},
    )


def test_a_class_of_which_the_other_side_knows_only_a_lesser_part_is_not_covered():
    assert "traffic sign" not in both(CITYSCAPES, ADE20K)  # ADE20K's signboards hang on shops
    assert "sign" not in both(CAMVID, COCO_PANOPTIC)  # COCO knows traffic lights alone
    assert "diningtable" not in both(VOC, ADE20K)
    assert both(CAMVID, ADE20K)["sign"] == ({"sign"}, {"traffic light", "signboard"})


def test_parts_that_the_other_side_lacks_do_not_hinder():
    assert both(VOC, CAMVID)["car"] == ({"car", "bus"}, {"car"})  # there are trucks among CamVid's cars
    assert both(VOC, ADE20K)["animal"] == ({"bird", "cat", "cow", "dog", "horse", "sheep"}, {"animal"})


def test_voc_background_is_no_class_that_others_know():
    for space in SPACES[1:]:
        assert 0 in mapping(VOC, space).truth_only


def test_the_two_coco_sets_meet_in_all_things():
    common = mapping(COCO_PANOPTIC, COCO_THINGS)

    assert common.space.classes == COCO_THINGS.classes
    assert common.space.things == frozenset(range(80))
    np.testing.assert_array_equal(common.truth_ids[:133], [*range(80), *[VOID] * 53])


def test_ids_start_at_0_in_all_sets():
    """ADE20K's files number classes from 1 and Cityscapes' label ids are not train ids; label maps hold neither."""
    common = mapping(ADE20K, CITYSCAPES)

    def name(table: np.ndarray, class_id: int) -> str:
        return common.space.classes[table[class_id]]

    assert [name(common.truth_ids, i) for i in (0, 1, 2, 6, 20)] == ["wall", "building", "sky", "road", "car"]
    assert [name(common.prediction_ids, i) for i in (3, 2, 10, 0, 13)] == ["wall", "building", "sky", "road", "car"]
    assert {
        3,
        5,
        7,
        19,
        21,
    } <= common.truth_only  # the neighbours of sky, road and car: floor, ceiling, bed, chair, water
    assert common.prediction_ids[16] == VOID  # train
    assert name(common.prediction_ids, 18) == "bicycle"


# Scoring


def test_what_is_not_covered_is_not_scored_in_the_truth_and_wrong_in_the_prediction():
    names = CITYSCAPES.classes.index
    truth = np.array([[names("train"), names("road"), names("road"), VOID]], np.uint8)
    prediction = np.array([[ADE20K.classes.index(c) for c in ("road", "road", "floor", "road")]], np.uint8)
    common = mapping(CITYSCAPES, ADE20K)

    counts = count(common.truth(truth), common.prediction(prediction), len(common.space.classes))

    road = common.space.classes.index("road")
    assert counts.counts.sum() == 2
    assert (counts.counts[road, road], counts.counts[road, -1]) == (1, 1)
    assert counts.iou()[road] == 0.5
    assert common.coverage(truth) == Coverage(covered=2, labelled=3)


def test_merged_classes_are_not_mistaken_for_each_other():
    names = CITYSCAPES.classes.index
    truth = np.array([[CAMVID.classes.index("bicyclist")] * 4], np.uint8)
    prediction = np.array([[names("rider"), names("bicycle"), names("motorcycle"), names("person")]], np.uint8)
    common = mapping(CAMVID, CITYSCAPES)

    counts = count(common.truth(truth), common.prediction(prediction), len(common.space.classes))

    assert counts.recall()[common.space.classes.index("bicyclist")] == 0.75


def test_coverage_adds_up_over_pictures():
    total = Coverage(30, 40) + Coverage(10, 60)

    assert total == Coverage(40, 100)
    assert total.share() == 0.4
    assert math.isnan(Coverage(0, 0).share())
    assert mapping(VOC, VOC).coverage(np.array([[0, 1, VOID]], np.uint8)).share() == 1


def test_an_id_that_is_no_class_is_not_taken_for_one():
    common = mapping(CAMVID, CITYSCAPES)
    bad, good = np.array([[11]], np.uint8), np.array([[0]], np.uint8)

    with pytest.raises(ValueError, match="truth holds the id 11"):
        count(common.truth(bad), common.prediction(good), len(common.space.classes))


# Label sets that the table does not know


def own(*classes: str) -> LabelSpace:
    return LabelSpace("own", classes, tuple((i, i, i) for i in range(len(classes))))


def test_an_unknown_set_is_compared_by_name():
    common = mapping(own("car", "kerb", "road"), CITYSCAPES)

    assert common.space.classes == ("car", "road")
    assert common.space.colors == ((0, 0, 0), (2, 2, 2))
    assert common.truth_ids[:3].tolist() == [0, VOID, 1]
    assert common.prediction_ids[[13, 0]].tolist() == [0, 1]
    assert common.truth_only == {1}


def test_things_and_background_stay_what_they_are():
    common = mapping(LabelSpace("own", VOC.classes[::-1], VOC.colors, background=20), VOC)
    assert common.space.classes[common.space.background] == "background"

    common = mapping(CITYSCAPES, CAMVID)
    assert {common.space.classes[i] for i in common.space.things} == {"person", "bicyclist", "car"}


def test_sets_without_a_common_class_are_refused_in_a_sentence():
    with pytest.raises(SegdemoError, match=r"own and CamVid-11 have no class in common; choose .*\."):
        mapping(own("cell", "nucleus"), CAMVID)
