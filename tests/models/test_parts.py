import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from segdemo import models
from segdemo.datasets.street_scenes import street_scene
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.models import parts
from segdemo.models.footprint import Footprint
from segdemo.models.parts import in_parts

USUAL = (64, 64)
MOST = 256 * 256  # pixels that are seen at once
SIZES = [(300, 400), (256, 1000), (257, 511), (33, 3000), (640, 353)]


def small():
    """The footprint of a network that holds much for every pixel."""
    return Footprint(held=parts.MOST_HELD / MOST, given=0)


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("size_hw", SIZES)
def test_a_network_that_sees_single_cells_says_the_same_in_parts(size_hw, stride):
    torch.manual_seed(0)
    inputs, seen = torch.rand(2, 3, *size_hw), []

    def network(pictures):
        seen.append(pictures.shape[-2] * pictures.shape[-1])
        return F.avg_pool2d(pictures, stride, ceil_mode=True, count_include_pad=False)

    found = in_parts(network, inputs, USUAL, small)
    assert max(seen) <= MOST
    assert len(seen) > 1
    torch.testing.assert_close(found, network(inputs))


def test_logits_in_half_precision_keep_it_where_parts_fade():
    inputs = torch.rand(1, 3, 300, 700)
    found = in_parts(lambda pictures: pictures.bfloat16(), inputs, USUAL, small)
    torch.testing.assert_close(found, inputs.bfloat16().float())


def test_what_fits_is_seen_at_once():
    inputs, seen = torch.rand(1, 3, 128, 500), []
    in_parts(lambda pictures: seen.append(pictures) or pictures, inputs, USUAL, small)
    assert [one.shape for one in seen] == [inputs.shape]


def test_what_is_given_for_the_whole_leaves_less_for_a_part():
    inputs, seen = torch.rand(1, 3, 600, 700), []
    for given in (0, 0.7 * parts.MOST_HELD / (600 * 700)):
        takes = Footprint(held=parts.MOST_HELD / (400 * 400), given=given)
        in_parts(lambda pictures: seen.append(pictures) or pictures, inputs, USUAL, lambda takes=takes: takes)
    assert seen[0].numel() > 2 * seen[-1].numel()


def test_a_network_without_a_footprint_sees_two_usual_inputs_at_once():
    inputs, seen = torch.rand(1, 3, 256, 300), []
    in_parts(lambda pictures: seen.append(pictures) or pictures, inputs, (200, 200), lambda: None)
    in_parts(lambda pictures: seen.append(pictures) or pictures, inputs, (100, 200), lambda: None)
    assert seen[0].shape == inputs.shape
    assert len(seen) > 2


def test_two_usual_inputs_are_seen_at_once_however_large():
    inputs, seen = torch.rand(1, 3, 400, 700), []
    for usual_hw in ((400, 400), (300, 400)):
        in_parts(lambda pictures: seen.append(pictures) or pictures, inputs, usual_hw, small)
    assert seen[0].shape == inputs.shape
    assert len(seen) > 2


@torch.inference_mode()
def test_convolutions_that_look_less_far_than_parts_overlap_say_the_same_in_parts():
    """Parts begin where a cell of the network's grid does, and what lies next to their borders does not count."""
    torch.manual_seed(0)
    convs = [nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 5, 3, 2, 1)]
    network, inputs = nn.Sequential(*convs), torch.rand(1, 3, 500, 700)
    torch.testing.assert_close(in_parts(network, inputs, USUAL, small), network(inputs))


@pytest.mark.parametrize(
    ("key", "share"),
    [
        ("starter/fcn", 0.985),
        ("starter/deeplabv3", 0.99),
        ("starter/efficientnet_unet", 0.98),
        ("starter/segformer", 0.96),
    ],
)
def test_pictures_that_are_cut_get_nearly_the_labels_of_the_whole(key, share, monkeypatch):
    model = models.load(key, "cpu")
    rgbs = [street_scene(seed, (480, 640)).rgb for seed in range(800_000, 800_004)]
    pictures = [InputImage(rgb, str(i), str(i)) for i, rgb in enumerate(rgbs)]

    def labels(most_held):
        monkeypatch.setattr(parts, "MOST_HELD", most_held)
        return np.stack([one.labels for one in models.predict(model, pictures, extras=Extras(320))])

    assert share < np.mean(labels(0) == labels(10**12)) < 1
