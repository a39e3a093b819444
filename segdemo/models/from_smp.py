"""Folders that `save_pretrained` of segmentation_models_pytorch writes, behind the four stages.

The library's own `from_pretrained` is not called: it would fetch the encoder's first weights. The class that the
folder names is built from its settings alone, and filled from `model.safetensors`.
"""

from types import SimpleNamespace
from typing import Any, Final

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from segdemo.errors import ModelError
from segdemo.models import SCORE_THRESHOLD, Model, Precision, Progress, checkpoint_config, sidecar, state_dicts, weights
from segdemo.models.catalog import ModelSpec
from segdemo.models.from_transformers import LogitsModel
from segdemo.models.placing import place
from segdemo.models.preprocessing import Preprocessing

_DIVISOR: Final = 32  # the coarsest stride of the encoders


def load(
    spec: ModelSpec, device: str, precision: Precision, trained: bool, progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:  # fmt: skip
    """Build the folder's network, load its weights, make it ready for inference on the device.

    Raises `WeightsError` where the weights cannot be read, `ModelError` where the network cannot be built.
    """
    folder = weights.fetch(spec, progress)
    described = sidecar.read(folder)
    network = _build(spec, checkpoint_config.read(folder), len(described.classes))
    if trained:
        state_dicts.fill(network, state_dicts.read(folder), folder)
    ready = _AsLogits(network)
    place(ready, device, precision)
    prepare = Preprocessing(
        size={"shortest_edge": described.shorter_side}, divisor=_DIVISOR, interpolation=InterpolationMode.BILINEAR,
        mean=tuple(255 * value for value in described.mean), std=tuple(255 * value for value in described.std),
    )  # fmt: skip
    return LogitsModel(spec, spec.space, device, precision, trained, ready, prepare, score_threshold)


class _AsLogits(nn.Module):
    """The network in the form of transformers'; one logit becomes two, so that 0 is where both classes are equal."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor) -> SimpleNamespace:
        logits = self.network(pixel_values)
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        return SimpleNamespace(logits=logits)


def _build(spec: ModelSpec, config: dict[str, Any], classes: int) -> nn.Module:
    settings = {key: value for key, value in config.items() if not key.startswith("_")} | {"encoder_weights": None}
    outputs = settings.get("classes", 1)
    if classes != (2 if outputs == 1 else outputs):
        raise ModelError(f"{spec.title} gives {outputs} classes, but its {sidecar.IN_FOLDER} names {classes}.")
    try:
        network: nn.Module = getattr(smp, spec.architecture)(**settings)
    except Exception as error:  # the library refuses settings in a dozen ways
        raise ModelError(
            f"{spec.title} cannot be built ({str(error).splitlines()[0] or type(error).__name__})."
        ) from error
    return network
