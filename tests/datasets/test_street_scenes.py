"""Generated street scenes: labels that fit the picture, the same scene for the same seed, any size."""

import numpy as np
import pytest

from segdemo.datasets.street_scenes import Scene, StreetClass, street_scene

SMALL = (90, 120)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [street_scene(seed, SMALL) for seed in range(12)]


def test_the_same_seed_gives_the_same_scene():
    first, second = street_scene(7, SMALL), street_scene(7, SMALL)
    np.testing.assert_array_equal(first.rgb, second.rgb)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.instances, second.instances)
    assert first.instance_classes == second.instance_classes


def test_different_seeds_give_different_scenes(scenes):
    for one, other in zip(scenes[:-1], scenes[1:], strict=True):
        assert (one.labels != other.labels).mean() > 0.1


def test_shapes_and_types_are_as_promised(scenes):
    for scene in scenes:
        assert scene.rgb.shape == (*SMALL, 3)
        assert scene.labels.shape == scene.instances.shape == SMALL
        assert scene.rgb.dtype == scene.labels.dtype == np.uint8
        assert scene.instances.dtype == np.uint16


def test_every_class_appears_in_a_batch_of_scenes(scenes):
    seen = set(np.unique(np.concatenate([scene.labels.ravel() for scene in scenes])).tolist())
    assert seen == {int(label) for label in StreetClass}


def test_road_and_sky_are_where_a_driver_sees_them(scenes):
    bottom = np.concatenate([scene.labels[-10:].ravel() for scene in scenes])
    top = np.concatenate([scene.labels[:10].ravel() for scene in scenes])
    assert np.bincount(bottom, minlength=11).argmax() == StreetClass.ROAD
    assert not (bottom == StreetClass.SKY).any()
    assert not (top == StreetClass.ROAD).any()


def test_every_instance_is_visible_and_lies_on_its_class(scenes):
    for scene in scenes:
        numbers = np.unique(scene.instances)
        assert numbers[numbers > 0].tolist() == list(range(1, len(scene.instance_classes) + 1))
        class_of = np.array([0, *scene.instance_classes])
        inside = scene.instances > 0
        np.testing.assert_array_equal(scene.labels[inside], class_of[scene.instances[inside]])


def test_every_car_and_person_pixel_belongs_to_an_instance(scenes):
    things = [StreetClass.CAR, StreetClass.PEDESTRIAN, StreetClass.BICYCLIST]
    for scene in scenes:
        np.testing.assert_array_equal(np.isin(scene.labels, things), scene.instances > 0)


def test_the_picture_changes_where_the_labels_change(scenes):
    """Colour steps between neighbours are larger across label borders than within a class."""
    across, within = [], []
    for scene in scenes:
        step = np.abs(np.diff(scene.rgb.astype(int), axis=1)).sum(axis=-1)
        border = np.diff(scene.labels.astype(int), axis=1) != 0
        across.append(step[border].mean())
        within.append(step[~border].mean())
    assert np.mean(across) > 2 * np.mean(within)


@pytest.mark.parametrize("size_hw", [(33, 47), (1, 1), (2, 300), (240, 20), (101, 64)])
def test_any_size_can_be_drawn(size_hw):
    scene = street_scene(3, size_hw)
    assert scene.rgb.shape == (*size_hw, 3)
    assert scene.labels.shape == scene.instances.shape == size_hw
    assert scene.labels.max() <= max(StreetClass)


@pytest.mark.parametrize("seed", [0, 5, 9])
def test_a_larger_picture_shows_the_same_scene(seed):
    small, large = street_scene(seed, SMALL), street_scene(seed, (2 * SMALL[0], 2 * SMALL[1]))
    assert (large.labels[::2, ::2] == small.labels).mean() > 0.9
    assert abs(float(large.rgb.mean()) - float(small.rgb.mean())) < 4


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None])
def test_a_seed_that_is_not_a_whole_number_is_refused(seed):
    with pytest.raises(ValueError, match="whole number from 0"):
        street_scene(seed, SMALL)


@pytest.mark.parametrize("size_hw", [(0, 10), (10, -1), (10.0, 10), (10,), (10, 10, 3), (10, 9000), 10])
def test_a_size_that_cannot_be_drawn_is_refused(size_hw):
    with pytest.raises(ValueError, match="height, width"):
        street_scene(1, size_hw)
