"""On small networks whose receptive fields are known by hand, and on real starters."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from segdemo import models
from segdemo.datasets.street_scenes import street_scene
from segdemo.errors import ModelError
from segdemo.images import InputImage
from segdemo.models import catalog, checked_convolutions
from segdemo.models.mask_queries import MaskQueries
from segdemo.models.receptive_field import reach, receptive_field

NOISE = InputImage(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8), "noise", "noise")


def small(network, forward=None):
    """A network without any preparation behind the stages."""

    def preprocess(pictures):
        return torch.from_numpy(pictures[0].rgb.copy()).permute(2, 0, 1)[None].float()

    return SimpleNamespace(
        spec=catalog.find("starter/fcn"), device="cpu", precision="fp32", module=network, transfer=list,
        preprocess=preprocess, forward=forward or network,
    )  # fmt: skip


def ones(*layers):
    network = nn.Sequential(*layers).requires_grad_(False)
    for parameter in network.parameters():
        parameter.fill_(1.0)
    return network


def footprint(field):
    return set(zip(*(axis.tolist() for axis in np.nonzero(field)), strict=True))


def square(y, x, radius, step=1):
    reached = range(-radius, radius + 1, step)
    return {(y + dy, x + dx) for dy in reached for dx in reached}


def test_a_convolution_looks_at_its_kernel_and_at_nothing_else():
    field = receptive_field(small(ones(nn.Conv2d(3, 2, 3, padding=1))), NOISE, (10, 12))
    assert footprint(field) == square(10, 12, 1)
    assert field.dtype == np.float32
    np.testing.assert_allclose(field[field > 0], 1 / 9, rtol=1e-5)


def test_convolutions_in_a_row_add_up_and_weigh_the_middle_most():
    field = receptive_field(small(ones(nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1))), NOISE, (10, 12))
    assert footprint(field) == square(10, 12, 2)
    assert np.unravel_index(field.argmax(), field.shape) == (10, 12)
    np.testing.assert_allclose(field[10, 12], 9 / 81, rtol=1e-5)


def test_a_dilated_convolution_looks_past_its_neighbours():
    field = receptive_field(small(ones(nn.Conv2d(3, 2, 3, padding=4, dilation=4))), NOISE, (10, 12))
    assert footprint(field) == square(10, 12, 4, step=4)


def test_another_place_shifts_the_field():
    model = small(ones(nn.Conv2d(3, 2, 5, padding=2)))
    here, there = (receptive_field(model, NOISE, place) for place in ((8, 9), (13, 20)))
    np.testing.assert_array_equal(np.roll(here, (5, 11), (0, 1)), there)


def test_a_pixel_between_two_points_of_a_coarse_grid_looks_at_both():
    model = small(ones(nn.Conv2d(3, 2, 4, stride=4)))
    assert footprint(receptive_field(model, NOISE, (10, 12))) == {(y, x) for y in range(8, 16) for x in range(8, 16)}


def test_only_the_class_that_wins_is_followed():
    network = ones(nn.Conv2d(3, 2, 3, padding=1))
    network[0].weight[0].zero_()
    network[0].weight[0, :, 1, 1] = 9.5  # of the middle pixel alone; noise around it adds up to more where it is dark
    light = NOISE.rgb.astype(int).sum(2)
    bright, dark = (
        np.unravel_index(at, light[1:-1, 1:-1].shape) for at in (light[1:-1, 1:-1].argmax(), light[1:-1, 1:-1].argmin())
    )
    model = small(network)
    assert len(footprint(receptive_field(model, NOISE, (int(bright[0]) + 1, int(bright[1]) + 1)))) == 1
    assert len(footprint(receptive_field(model, NOISE, (int(dark[0]) + 1, int(dark[1]) + 1)))) == 9


def test_of_queries_the_winning_mask_is_followed():
    masks = ones(nn.Conv2d(3, 2, 3, padding=1))
    masks[0].weight[1].zero_()
    masks[0].weight[1, :, 1, 1] = 1.0
    sure_of_second = torch.tensor([[[0.0, 0.0, 9.0], [9.0, 0.0, 0.0]]])
    model = small(masks, lambda inputs: MaskQueries(sure_of_second, masks(inputs), inputs.shape[2:]))
    assert footprint(receptive_field(model, NOISE, (10, 12))) == {(10, 12)}


def test_a_picture_that_the_network_shrinks_has_a_field_of_its_own_size():
    model = small(ones(nn.Conv2d(3, 2, 3, padding=1)))
    prepare = model.preprocess
    model.preprocess = lambda pictures: nn.functional.avg_pool2d(prepare(pictures), 2)
    field = receptive_field(model, NOISE, (10, 12))
    assert field.shape == (24, 32)
    assert field.sum() == pytest.approx(1, abs=1e-5)
    assert footprint(field) <= square(10, 12, 5)


@pytest.mark.parametrize("outputs", [{"boxes": 1}, [1], torch.zeros(3)])
def test_a_model_without_scores_for_every_pixel_is_refused(outputs):
    with pytest.raises(ModelError, match="no score of every class"):
        receptive_field(small(nn.Identity(), lambda _: outputs), NOISE, (1, 1))


def test_an_answer_that_does_not_depend_on_the_picture_is_refused():
    network = ones(nn.Conv2d(3, 2, 1))
    network[0].weight.zero_()
    with pytest.raises(ModelError, match="no gradient at this place"):
        receptive_field(small(network), NOISE, (1, 1))


def test_reach_is_the_radius_that_holds_a_share():
    field = np.zeros((9, 9), np.float32)
    field[4, 4], field[4, 7], field[0, 4] = 0.5, 0.3, 0.2
    assert reach(field, (4, 4), 0.4) == 0
    assert reach(field, (4, 4), 0.7) == 3
    assert reach(field, (4, 4), 1.0) == 4


def test_convolutions_that_were_replaced_for_a_processor_can_be_followed_back(monkeypatch):
    monkeypatch.setattr(checked_convolutions, "_is_faulty", lambda convolution: True)
    network = ones(nn.Conv2d(3, 2, 3, padding=1)).to(torch.bfloat16)
    assert checked_convolutions.replace_faulty(network) == ["0"]
    assert footprint(receptive_field(small(network), NOISE, (10, 12))) == square(10, 12, 1)


@pytest.mark.parametrize("key", ["starter/segformer", "starter/mask2former"])
def test_a_shared_model_is_left_as_it_was(key):
    image = InputImage(street_scene(37, (120, 160)).rgb, "scene", "scene")
    model = models.load(key, "cpu")
    [before] = models.predict(model, [image])
    kept = {name: value.clone() for name, value in model.module.state_dict().items()}
    hooks = [len(part._forward_hooks) for part in model.module.modules()]
    field = receptive_field(model, image, (90, 80))
    assert field.shape == (120, 160)
    assert field.min() >= 0
    assert field.sum() == pytest.approx(1, abs=1e-4)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.module.parameters())
    assert [len(part._forward_hooks) for part in model.module.modules()] == hooks
    assert all(torch.equal(value, kept[name]) for name, value in model.module.state_dict().items())
    [after] = models.predict(model, [image])
    np.testing.assert_array_equal(before.labels, after.labels)


def test_an_instance_model_is_refused_by_its_name():
    with pytest.raises(ModelError, match="Mask R-CNN starter has no score"):
        receptive_field(models.load("starter/maskrcnn", "cpu"), NOISE, (1, 1))
