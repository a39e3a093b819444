import numpy as np
import torch

from segdemo.datasets.street_scenes import street_scene
from segdemo.labels import VOID
from segdemo.training.examples import augmented
from segdemo.training.recipe import Recipe

SCENE = street_scene(37, (120, 160))


def test_the_same_seed_draws_the_same_and_another_another():
    first, again, other = (augmented(SCENE.rgb, SCENE.labels, seed, 2) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.any(first[0] != other[0])
    assert first[0].shape == (2, *Recipe("", 0).crop_hw, 3)
    assert np.any(first[0][0] != first[0][1])


def test_labels_are_bent_with_the_picture_and_stay_labels():
    _, labels = augmented(SCENE.rgb, SCENE.labels, 0, 4)
    assert set(np.unique(labels)) <= {*np.unique(SCENE.labels), VOID}
    _, none = augmented(SCENE.rgb, None, 0, 4)
    assert set(np.unique(none)) == {VOID}


def test_looking_draws_nothing_from_a_training_run():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    augmented(SCENE.rgb, None, 0, 1)
    assert torch.equal(torch.rand(3), expected)
