"""Deformable attention as sums of table rows answers as transformers' does."""

import copy

import pytest
import torch
from transformers.models.mask2former.modeling_mask2former import multi_scale_deformable_attention

from segdemo.labels import CAMVID
from segdemo.models.sampled_attention import SampledAttention, sample_by_rows, weighted_sums
from tests.models.tiny_networks import tiny_mask2former, tiny_oneformer

SHAPES = [(3, 5), (6, 9), (12, 18)]
PLACES = sum(height * width for height, width in SHAPES)


@pytest.mark.parametrize("reach", [0.5, 3.0, 100.0])
def test_samples_are_the_librarys_also_at_the_edge_and_far_outside(reach):
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(2, PLACES, 4, 7, generator=draw)
    where = torch.rand(2, 11, 4, 3, 5, 2, generator=draw) * 2 * reach - reach + 0.5  # as shares of the sides
    shares = torch.rand(2, 11, 4, 3, 5, generator=draw)
    sides = torch.tensor([(width, height) for height, width in SHAPES])[:, None]
    expected = multi_scale_deformable_attention(values, SHAPES, where, shares)
    torch.testing.assert_close(
        weighted_sums(values, SHAPES, *(where * sides).unbind(-1), shares), expected, rtol=1e-4, atol=1e-4
    )


def test_exactly_on_the_borders_and_corners():
    values = torch.randn(1, PLACES, 1, 3, generator=torch.Generator().manual_seed(0))
    at = torch.tensor([-0.5, 0.0, 0.5, 1.0, 17.5, 18.0, 18.5])
    where = torch.stack(torch.meshgrid(at, at, indexing="ij"), -1).view(1, 49, 1, 1, 1, 2).expand(1, 49, 1, 3, 1, 2)
    shares = torch.ones(1, 49, 1, 3, 1)
    sides = torch.tensor([(width, height) for height, width in SHAPES])[:, None]
    expected = multi_scale_deformable_attention(values, SHAPES, where / sides, shares)
    torch.testing.assert_close(weighted_sums(values, SHAPES, *where.unbind(-1), shares), expected, rtol=1e-4, atol=1e-4)


def test_places_that_are_no_numbers_give_none():
    """And no row outside the table: a network that overflows is told from its output."""
    values, shares = torch.ones(1, PLACES, 3, 3), torch.ones(1, 4, 3, 3, 5)
    x = torch.ones_like(shares)
    x[0, 1, 0, 2, 3] = torch.nan
    x[0, 2, 1, 0, 0] = torch.inf
    answer = weighted_sums(values, SHAPES, x, torch.ones_like(x), shares)
    assert answer[0, 1, :3].isnan().all()
    assert answer.isnan().sum() == 3


@pytest.mark.parametrize(
    ("network", "others"),
    [
        (tiny_mask2former(CAMVID), {}),
        (tiny_oneformer(CAMVID, 96), {"task_inputs": torch.ones(2, 77, dtype=torch.long)}),
    ],
    ids=["mask2former", "oneformer"],
)
@torch.no_grad()
def test_networks_answer_as_before(network, others):
    fast = copy.deepcopy(network)
    sample_by_rows(fast)
    pictures = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    expected, answer = network(pixel_values=pictures, **others), fast(pixel_values=pictures, **others)
    assert any(isinstance(module, SampledAttention) for module in fast.modules())
    assert sum(p.numel() for p in fast.parameters()) == sum(p.numel() for p in network.parameters())
    for name in ("masks_queries_logits", "class_queries_logits"):
        assert expected[name].std() > 0.1
        torch.testing.assert_close(answer[name], expected[name], rtol=1e-3, atol=1e-3 * float(expected[name].std()))
