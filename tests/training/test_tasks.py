import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

from segdemo.labels import CAMVID
from segdemo.training import data, recipe, tasks


class Constant(nn.Module):
    """Sees nothing: the same logits for every pixel of every picture."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, rgb: Tensor) -> Tensor:
        return self.logits.view(1, -1, 1, 1).expand(len(rgb), -1, *rgb.shape[-2:])


@pytest.mark.parametrize(("strength", "answered"), [(0.0, 0.0), (0.2, 0.2), (0.25, 0.25), (0.5, 0.25), (1.0, 0.25)])
def test_however_strongly_rare_classes_are_taught_answers_prefer_them_by_a_quarter_at_most(strength, answered):
    """A network that knows no more than how often classes occur is at its best with their weighted frequencies."""
    scenes = data.from_scenes(0, 4, (64, 96))
    settings = dataclasses.replace(recipe.read(recipe.bundled("fcn")), class_weighting=strength)
    labels = scenes.labels.long()
    frequencies = torch.bincount(labels.flatten(), minlength=256)[:11].float().clamp(min=1)
    network = Constant((frequencies * data.class_weights(scenes.labels, 11, answered)).log())
    task = tasks.make(settings, network, CAMVID, scenes)
    task.loss(network, scenes.rgb.float(), labels, scenes.instances.long()).backward()
    assert network.logits.grad.abs().max() < 1e-4


def two_cars_on_a_road() -> Tensor:
    """Masks (3, 8, 16) of the road and of a car on each side."""
    masks = torch.zeros(3, 8, 16)
    masks[1, 2:6, 1:5] = masks[2, 2:6, 10:15] = 1
    masks[0] = 1 - masks[1] - masks[2]
    return masks


def test_embeddings_that_differ_by_segment_are_discriminated_and_those_by_class_are_not():
    masks = two_cars_on_a_road()
    by_segment = torch.einsum("nhw,nc->chw", masks, torch.eye(3))
    by_class = torch.einsum("nhw,nc->chw", masks, torch.tensor([[1.0, 0], [0, 1], [0, 1]]))
    apart, alike = (tasks.segment_discrimination(one[None], [masks]) for one in (by_segment, by_class))
    assert apart < 1e-3
    assert alike == pytest.approx(2 / 3 * math.log(2), abs=1e-3)  # a car's pixel may be of either; the road's is clear


def test_embeddings_learn_to_discriminate_segments_of_their_own_resolution_or_a_finer_one():
    masks = two_cars_on_a_road()
    for size_hw in ((8, 16), (4, 8)):
        embeddings = torch.randn(1, 6, *size_hw, generator=torch.Generator().manual_seed(1)).requires_grad_()
        before = tasks.segment_discrimination(embeddings, [masks])
        optimiser = torch.optim.Adam([embeddings], 0.1)
        for _ in range(30):
            optimiser.zero_grad()
            tasks.segment_discrimination(embeddings, [masks]).backward()
            optimiser.step()
        assert tasks.segment_discrimination(embeddings, [masks]) < before / 2


def test_where_nothing_is_to_be_discriminated_nothing_is_lost():
    embeddings = torch.randn(2, 4, 4, 8)
    assert tasks.segment_discrimination(embeddings, [torch.zeros(0, 8, 16)] * 2) == 0
    everywhere, nowhere = torch.ones(1, 8, 16), torch.zeros(1, 8, 16)
    assert tasks.segment_discrimination(embeddings, [everywhere, nowhere]) == 0
