"""The light decoder answers as transformers' does."""

import copy

import pytest
import torch
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

from segdemo.labels import CAMVID
from segdemo.models.masked_decoder import MaskedDecoder, decode_lightly
from tests.models.tiny_networks import resnet, tiny_mask2former


@pytest.mark.parametrize("backbone", ["swin", "resnet"])
@pytest.mark.parametrize("size_hw", [(64, 64), (96, 160)])
@torch.no_grad()
def test_queries_and_masks_are_those_of_transformers(backbone, size_hw):
    network = tiny_mask2former(CAMVID, backbone)
    light = copy.deepcopy(network)
    decode_lightly(light)
    pictures = torch.randn(2, 3, *size_hw, generator=torch.Generator().manual_seed(0))
    expected, answer = network(pixel_values=pictures), light(pixel_values=pictures)
    assert isinstance(light.model.transformer_module.decoder, MaskedDecoder)
    for name in ("masks_queries_logits", "class_queries_logits"):
        spread = float(expected[name].std())
        assert spread > 0.1
        torch.testing.assert_close(answer[name], expected[name], rtol=1e-3, atol=1e-3 * spread)


def test_every_layers_queries_and_what_they_learn_are_those_of_transformers():
    network = tiny_mask2former(CAMVID, "resnet")
    light = copy.deepcopy(network)
    decode_lightly(light)
    pictures = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    states, gradients = [], []
    for one in (network, light):
        output = one.model(pixel_values=pictures, output_hidden_states=True)
        states.append(torch.stack(output.transformer_decoder_intermediate_states))
        wanted = torch.randn(states[-1].shape, generator=torch.Generator().manual_seed(1))
        (states[-1] * wanted).sum().backward()
        gradients.append({name: p.grad for name, p in one.model.transformer_module.named_parameters()})
    torch.testing.assert_close(states[1], states[0], rtol=1e-3, atol=1e-3)
    learned = {name: gradient for name, gradient in gradients[0].items() if gradient is not None}
    assert len(learned) > 40
    largest = max(float(gradient.abs().max()) for gradient in learned.values())
    for name, gradient in learned.items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-2, atol=1e-4 * largest)


@torch.no_grad()
def test_a_query_whose_mask_is_empty_looks_at_everything():
    """As in transformers: attention over nothing would be no number."""
    network = tiny_mask2former(CAMVID, "resnet")
    embedder = network.model.transformer_module.decoder.mask_predictor.mask_embedder
    embedder.layers[-1].layers[0].weight.zero_()
    embedder.layers[-1].layers[0].bias.fill_(-1)
    network.model.pixel_level_module.decoder.mask_projection.weight.zero_()
    network.model.pixel_level_module.decoder.mask_projection.bias.fill_(1)  # every mask is below 0 everywhere
    light = copy.deepcopy(network)
    decode_lightly(light)
    pictures = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected, answer = network(pixel_values=pictures), light(pixel_values=pictures)
    assert expected.masks_queries_logits.max() < 0
    torch.testing.assert_close(answer.class_queries_logits, expected.class_queries_logits, rtol=1e-3, atol=1e-3)


def test_the_parameters_are_the_published_ones_and_another_order_of_layers_is_left_alone():
    network = tiny_mask2former(CAMVID, "resnet")
    before = sum(parameter.numel() for parameter in network.parameters())
    decode_lightly(network)
    assert sum(parameter.numel() for parameter in network.parameters()) == before
    widths = dict.fromkeys(("feature_size", "mask_feature_size", "hidden_dim", "dim_feedforward"), 32)
    other = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(backbone_config=resnet(), pre_norm=True, **widths))
    decode_lightly(other)
    assert not isinstance(other.model.transformer_module.decoder, MaskedDecoder)
