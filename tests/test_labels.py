"""The label spaces against what the libraries and data sets say of themselves, and the palettes."""

import numpy as np
import pytest
from torchvision.models._meta import _COCO_CATEGORIES, _VOC_CATEGORIES

from segdemo import labels, palettes
from segdemo.labels import VOID, LabelSpace

SPACES = {
    "CamVid-11": (labels.CAMVID, 11, 3),
    "VOC-21": (labels.VOC, 21, 20),
    "Cityscapes-19": (labels.CITYSCAPES, 19, 8),
    "COCO-80": (labels.COCO_THINGS, 80, 80),
    "COCO-133": (labels.COCO_PANOPTIC, 133, 80),
    "ADE20K-150": (labels.ADE20K, 150, 0),
}

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB: not the palette's own simulation.
MACHADO = {
    "with all cones": np.eye(3),
    "without green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


def neighbour_differences(colors, sight):
    """CIELAB distance between each colour and the next, seen through one kind of sight."""
    linear = palettes._linear(colors.astype(float)) @ np.array(MACHADO[sight]).T
    return np.linalg.norm(np.diff(palettes._lab(linear), axis=0), axis=1)


@pytest.mark.parametrize("name", SPACES)
def test_a_space_has_its_classes_once_each_and_its_things(name):
    space, classes, things = SPACES[name]
    assert space.name == name
    assert len(space.classes) == len(set(space.classes)) == len(space.colors) == classes
    assert len(space.things) == things
    assert all(0 <= i < classes for i in space.things)
    assert all(c == c.strip() for c in space.classes)
    assert all(len(c) == 3 and all(0 <= v <= 255 for v in c) for c in space.colors)


@pytest.mark.parametrize("name", ["CamVid-11", "VOC-21", "Cityscapes-19", "COCO-80", "COCO-133"])
def test_no_two_classes_share_a_colour(name):
    space = SPACES[name][0]
    assert len(set(space.colors)) == len(space.colors)


def test_only_road_and_skyscraper_share_a_colour_in_ade20k():
    space = labels.ADE20K
    shared = [n for n, c in zip(space.classes, space.colors, strict=True) if space.colors.count(c) > 1]
    assert shared == ["road", "skyscraper"]


def test_voc_is_torchvisions_list():
    assert labels.VOC.classes == ("background", *_VOC_CATEGORIES[1:])
    assert labels.VOC.background == 0


def test_coco_is_torchvisions_list_without_its_empty_slots():
    known = [name for name in _COCO_CATEGORIES if name not in ("__background__", "N/A")]
    assert labels.COCO_THINGS.classes == tuple(known)


def test_panoptic_coco_begins_with_the_things():
    panoptic, things = labels.COCO_PANOPTIC, labels.COCO_THINGS
    assert panoptic.classes[:80] == things.classes
    assert panoptic.colors[:80] == things.colors
    assert panoptic.things == things.things


@pytest.mark.parametrize(
    ("space", "class_id", "name", "color"),
    [
        (labels.VOC, 15, "person", (192, 128, 128)),
        (labels.VOC, 20, "tvmonitor", (0, 64, 128)),
        (labels.CITYSCAPES, 0, "road", (128, 64, 128)),
        (labels.CITYSCAPES, 11, "person", (220, 20, 60)),
        (labels.CITYSCAPES, 18, "bicycle", (119, 11, 32)),
        (labels.COCO_THINGS, 79, "toothbrush", (191, 162, 208)),
        (labels.COCO_PANOPTIC, 80, "banner", (255, 255, 128)),
        (labels.COCO_PANOPTIC, 119, "sky-other-merged", (70, 130, 180)),
        (labels.COCO_PANOPTIC, 132, "rug-merged", (250, 141, 255)),
        (labels.ADE20K, 0, "wall", (120, 120, 120)),
        (labels.ADE20K, 12, "person", (150, 5, 61)),
        (labels.ADE20K, 87, "streetlight", (0, 71, 255)),
        (labels.ADE20K, 149, "flag", (92, 0, 255)),
    ],
)
def test_ids_names_and_colours_belong_together(space, class_id, name, color):
    assert space.classes[class_id] == name
    assert space.colors[class_id] == color


def test_the_cityscapes_things_are_people_and_vehicles():
    names = {labels.CITYSCAPES.classes[i] for i in labels.CITYSCAPES.things}
    assert names == {"person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"}


@pytest.mark.parametrize("name", SPACES)
def test_the_data_sets_palette_has_a_row_per_id_and_black_for_void(name):
    space = SPACES[name][0]
    table = space.palette()
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert [tuple(row) for row in table[: len(space.classes)].tolist()] == list(space.colors)
    assert not table[len(space.classes) :].any()


@pytest.mark.parametrize("name", SPACES)
def test_the_colour_blind_palette_gives_each_class_its_own_colour(name):
    space = SPACES[name][0]
    table = space.palette("colorblind")
    count = len(space.classes)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert len(np.unique(table[:count], axis=0)) == count
    assert not table[count:].any()
    assert table[VOID].tolist() == [0, 0, 0]


def test_the_background_keeps_its_colour_in_the_colour_blind_palette():
    table = labels.VOC.palette("colorblind")
    assert table[0].tolist() == [0, 0, 0]
    assert table[1].tolist() == [230, 159, 0]


@pytest.mark.parametrize("sight", MACHADO)
@pytest.mark.parametrize(("count", "at_least"), [(7, 40), (21, 25), (150, 8)])
def test_neighbouring_classes_look_different_to_everybody(sight, count, at_least):
    assert neighbour_differences(palettes.colorblind()[:count], sight).min() > at_least


def test_the_data_sets_own_colours_would_fail_that_check():
    colors = np.array(labels.CITYSCAPES.colors)
    assert neighbour_differences(colors, "without red cones").min() < 25


def test_a_palette_belongs_to_its_caller():
    table = labels.CAMVID.palette("colorblind")
    table[:] = 0
    assert labels.CAMVID.palette("colorblind")[:11].any()
    with pytest.raises(ValueError, match="read-only"):
        palettes.colorblind()[0] = 0


@pytest.mark.parametrize("count", [0, 256])
def test_a_space_without_classes_or_with_too_many_is_refused(count):
    with pytest.raises(ValueError, match="1 to 255 classes"):
        LabelSpace("odd", tuple(map(str, range(count))), ((0, 0, 0),) * count)


def test_a_space_needs_a_colour_for_every_class():
    with pytest.raises(ValueError, match="2 classes but 1 colours"):
        LabelSpace("odd", ("a", "b"), ((0, 0, 0),))
