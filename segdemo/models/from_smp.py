"""Folders that `save_pretrained` of segmentation_models_pytorch writes, behind the four stages.

The library's own `from_pretrained` is not called: it would fetch the encoder's first weights. The class that the
folder names is built from its settings alone, and filled from `model.safetensors`.
"""

from typing import Any, Final

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from segdemo.errors import ModelError
from segdemo.models import SCORE_THRESHOLD, Model, Precision, Progress, checkpoint_config, sidecar, state_dicts, weights
from segdemo.models.placing import place
from segdemo.models.semantic import Network, SemanticModel
from segdemo.models.spec import ModelSpec

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
    config = checkpoint_config.read(folder)
    module = _build(spec, config, len(described.classes))
    if trained:
        state_dicts.fill(module, state_dicts.read(folder), folder)
    if _outputs(config) == 1:
        module = _TwoLogits(module)
    place(module, device, precision)  # no norm is folded: who knows what stands between it and a convolution
    network = Network(module, described.classes, described.shorter_side, described.mean, described.std, _DIVISOR)
    return SemanticModel(spec, spec.space, device, precision, trained, network)


def _outputs(config: dict[str, Any]) -> int:
    return config.get("classes", 1)


class _TwoLogits(nn.Module):
    """A network with one logit as one with two, of which the first is 0: there both classes are equal."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        logits = self.network(pictures)
        return torch.cat([torch.zeros_like(logits), logits], 1)


def _build(spec: ModelSpec, config: dict[str, Any], classes: int) -> nn.Module:
    settings = {key: value for key, value in config.items() if not key.startswith("_")} | {"encoder_weights": None}
    outputs = _outputs(config)
    if classes != (2 if outputs == 1 else outputs):
        raise ModelError(f"{spec.title} gives {outputs} classes, but its {sidecar.IN_FOLDER} names {classes}.")
    try:
        network: nn.Module = getattr(smp, spec.architecture)(**settings)
    except Exception as error:  # the library refuses settings in a dozen ways
        raise ModelError(
            f"{spec.title} cannot be built ({str(error).splitlines()[0] or type(error).__name__})."
        ) from error
    return network
