"""Build torchvision's networks and fill them from their files."""

from pathlib import Path

from torch import nn
from torchvision.models import get_model, get_weight
from torchvision.models.detection import MaskRCNN

from segdemo.errors import WeightsError
from segdemo.models import Progress, local_networks, starters, state_dicts, weights
from segdemo.models.semantic import Network
from segdemo.models.spec import ModelSpec


def build(spec: ModelSpec, trained: bool, progress: Progress | None) -> Network:
    """The row's network on the CPU, float32. Untrained: with random weights.

    Raises `WeightsError` where the weights cannot be had, are damaged, hold code or are of another network.
    """
    if spec.source == "torchvision":
        return _published(spec, trained, progress)
    if spec.architecture.endswith("_small"):  # a starter, or somebody's own of its shape
        return starters.read(spec, trained, progress)
    module, prepare, classes = local_networks.read(spec, trained)
    return Network(module, classes, prepare.shorter_side, prepare.mean, prepare.std)


def _published(spec: ModelSpec, trained: bool, progress: Progress | None) -> Network:
    enum = get_weight(spec.checkpoint)
    classes = tuple(enum.meta["categories"])
    module = get_model(spec.architecture, weights=None, weights_backbone=None, num_classes=len(classes))
    if spec.architecture == "maskrcnn_resnet50_fpn":  # trained without, as torchvision's own loader knows
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.eps = 0.0
    if trained:
        _fill(module, weights.fetch(spec, progress))
    if isinstance(module, MaskRCNN):  # its own transform does what the presets of the others do
        own = module.transform
        return Network(module, classes, own.min_size[-1], own.image_mean, own.image_std)
    preset = enum.transforms()
    return Network(module, classes, preset.resize_size[0], preset.mean, preset.std)


def _fill(module: nn.Module, file: Path) -> None:
    """Load torchvision's file of weights, without the auxiliary head: it helped in training, now it would cost time."""
    try:
        state = state_dicts.read(file)
        state_dicts.fill(module, {k: v for k, v in state.items() if not k.startswith("aux_classifier.")}, file)
    except WeightsError as error:
        raise WeightsError(f"{str(error).removesuffix('.')}; delete it, and it is fetched again.") from error
