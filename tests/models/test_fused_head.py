"""The fused head answers as the published one does."""

import copy

import pytest
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from segdemo.models.fused_head import FusedHead, fuse_head


def network(**options):
    """A small SegFormer with no weight, bias or running mean that is 0 or 1."""
    torch.manual_seed(0)
    sizes = {"hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 2, 3, 4], "decoder_hidden_size": 20}
    made = SegformerForSemanticSegmentation(SegformerConfig(num_labels=7, depths=[1] * 4, **sizes, **options)).eval()
    for parameter in made.parameters():
        parameter.data.normal_(0, (2 / max(1, parameter[0].numel())) ** 0.5 if parameter.ndim > 1 else 0.3)
    made.decode_head.batch_norm.running_mean.normal_()
    made.decode_head.batch_norm.running_var.uniform_(0.5, 2)
    return made


@pytest.mark.parametrize("size_hw", [(64, 64), (96, 160), (65, 127)])
@torch.no_grad()
def test_logits_are_those_of_the_published_head(size_hw):
    plain = network()
    fused = copy.deepcopy(plain)
    fuse_head(fused)
    pictures = torch.randn(2, 3, *size_hw)
    expected = plain(pictures).logits
    assert isinstance(fused.decode_head, FusedHead)
    assert expected.std() > 0.1
    torch.testing.assert_close(fused(pictures).logits, expected, rtol=1e-4, atol=1e-4)


def test_the_parameters_are_the_published_ones():
    plain = network()
    before = sum(parameter.numel() for parameter in plain.parameters())
    fuse_head(plain)
    assert sum(parameter.numel() for parameter in plain.parameters()) == before


def test_a_head_that_orders_its_last_scale_otherwise_is_left_alone():
    other = network(reshape_last_stage=False)
    fuse_head(other)
    assert not isinstance(other.decode_head, FusedHead)
