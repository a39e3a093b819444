import pytest
import torch
from torch import nn
from torch.nn import functional as F

from segdemo.models.pooling import Pooling
from segdemo.models.tiling import spans

SIZE_HW = (12, 20)  # cells, of which each has so many places
PLACES = 4


class Excited(nn.Module):
    """Places times what all of them are in the mean, in each of the ways in which networks ask for it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, maps):
        ways = {
            "module": lambda: nn.AdaptiveAvgPool2d(1)(maps),
            "function": lambda: F.adaptive_avg_pool2d(maps, (1, 1)),
            "method": lambda: maps.mean((2, 3), keepdim=True),
            "flat": lambda: torch.mean(maps, dim=[-2, -1])[..., None, None],
            "by name": lambda: torch.mean(input=maps, dim=(2, 3), keepdim=True),
        }
        return maps * ways[self.way]()


def parts_of(network, maps):
    """What parts give, seen twice, where each is nearer to its own middle."""
    cut = [(down, along) for down in spans(SIZE_HW[0], 8) for along in spans(SIZE_HW[1], 8)]

    def look(whole):
        given, pooled = torch.full_like(maps, torch.nan), []
        for part in cut:
            rows, columns = (slice(PLACES * span.start, PLACES * span.stop) for span in part)
            with Pooling(part, whole) as pooling:
                seen = network(maps[..., rows, columns])
            share = (part[0].last - part[0].first) * (part[1].last - part[1].first) / (SIZE_HW[0] * SIZE_HW[1])
            pooled.append([share * one for one in pooling.pooled])
            top, left, bottom, right = (
                PLACES * end for end in (part[0].first, part[1].first, part[0].last, part[1].last)
            )
            given[..., top:bottom, left:right] = seen[
                ..., top - rows.start : bottom - rows.start, left - columns.start : right - columns.start
            ]
        return given, [sum(ones) for ones in zip(*pooled, strict=True)]

    _, pooled = look(None)
    return look(pooled)[0]


@pytest.fixture
def maps():
    torch.manual_seed(0)
    gradient = torch.linspace(0, 3, PLACES * SIZE_HW[1])  # parts differ in their means
    return torch.rand(2, 6, PLACES * SIZE_HW[0], PLACES * SIZE_HW[1]) * gradient


@pytest.mark.parametrize("way", ["module", "function", "method", "flat", "by name"])
def test_a_mean_over_all_places_is_that_of_the_whole(maps, way):
    network = Excited(way)
    torch.testing.assert_close(parts_of(network, maps), network(maps))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("groups", [1, 3, 6])
def test_a_group_is_normalised_by_the_whole(maps, groups, affine):
    network = nn.GroupNorm(groups, 6, affine=affine)
    if affine:
        nn.init.normal_(network.weight)
        nn.init.normal_(network.bias)
    torch.testing.assert_close(parts_of(network, maps), network(maps))


@pytest.mark.parametrize(
    "asked",
    [
        lambda maps: F.adaptive_avg_pool2d(maps, 2),
        lambda maps: maps.mean(1),
        lambda maps: maps.mean((1, 2)),
        lambda maps: maps.mean(),
        lambda maps: maps.flatten(2).mean((1, 2)),
        lambda maps: maps[..., :3].mean((2, 3)),
    ],
)
def test_what_is_no_mean_over_the_part_stays_as_it_is(maps, asked):
    part = spans(SIZE_HW[0], 8)[0], spans(SIZE_HW[1], 8)[0]
    with Pooling(part, None) as pooling:
        found = asked(maps)
    assert torch.equal(found, asked(maps))
    assert not pooling.pooled


def test_half_precision_stays(maps):
    part = spans(SIZE_HW[0], 8)[0], spans(SIZE_HW[1], 8)[0]
    with Pooling(part, None):
        found = nn.GroupNorm(2, 6).bfloat16()(maps[..., :32, :32].bfloat16())
        mean = maps[..., :32, :32].bfloat16().mean((2, 3))
    assert found.dtype == mean.dtype == torch.bfloat16
