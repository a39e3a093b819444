import pytest
import torch
from torch import nn

from segdemo import devices, models
from segdemo.models import catalog
from segdemo.models.footprint import Footprint, footprint
from segdemo.models.placing import autocast

HW = (64, 96)
STARTERS = [row.key for row in catalog.CATALOG if row.source == "starter" and row.task == "semantic"]


def convolution(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)


def test_a_convolution_holds_what_goes_in_and_what_comes_out():
    assert footprint(convolution(3, 5), HW, "cpu") == Footprint(held=4 * (3 + 5), given=4 * 5)


def test_what_is_no_longer_needed_is_not_held():
    network = nn.Sequential(convolution(3, 5), convolution(5, 7), convolution(7, 2))
    assert footprint(network, HW, "cpu") == Footprint(held=4 * (3 + 5 + 7), given=4 * 2)


def test_views_and_what_changes_in_place_hold_nothing_of_their_own():
    network = nn.Sequential(convolution(3, 4), nn.ReLU(inplace=True), nn.Flatten(2), nn.Unflatten(2, HW))
    assert footprint(network, HW, "cpu") == Footprint(held=4 * (3 + 4), given=4 * 4)


def test_it_is_found_in_the_contexts_in_which_networks_run():
    network = convolution(3, 5).bfloat16()
    with devices.inference("cpu"), autocast("cpu", "bf16"):
        found = footprint(network, HW, "cpu")
    assert found is not None
    assert found.held < 4 * (3 + 5)
    assert found.given == 4 * 5


def test_a_network_that_asks_for_values_has_none():
    def network(inputs):
        return inputs if inputs.sum() > 0 else inputs + 1

    assert footprint(network, HW, "cpu") is None


@pytest.mark.parametrize("key", STARTERS)
def test_starters_have_one_that_is_in_proportion_to_the_input(key):
    model = models.load(key, "cpu")
    with torch.inference_mode():
        small, large = (
            footprint(model.logits if hasattr(model, "logits") else model._logits, hw, "cpu")
            for hw in ((384, 384), (768, 384))
        )
    assert small.given == large.given
    assert large.held == pytest.approx(small.held, rel=0.5)


def test_a_part_may_have_what_the_whole_input_and_its_output_leave():
    takes = Footprint(held=100, given=20)
    assert takes.most_seen(132_000_000) == 1_320_000
    assert takes.most_seen(132_000_000, 1_000_000) == 1_000_000
    assert takes.most_seen(31_000_000, 1_000_000) == 0
