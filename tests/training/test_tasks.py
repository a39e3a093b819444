import dataclasses

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
