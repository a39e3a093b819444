"""Build torchvision's networks and the starters of their classes, fill them from their files, speed them up."""

import json
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models import get_model, get_weight
from torchvision.models.detection import MaskRCNN

from segdemo.errors import WeightsError
from segdemo.models import Progress, local_networks, weights
from segdemo.models.architectures import small_torchvision
from segdemo.models.catalog import ModelSpec

_STARTERS = {
    "fcn_small": small_torchvision.fcn_small,
    "deeplabv3_small": small_torchvision.deeplabv3_small,
    "maskrcnn_small": small_torchvision.maskrcnn_small,
}


@dataclass(frozen=True)
class Network:
    """A network and what its checkpoint says of it."""

    module: Any
    classes: tuple[str, ...]  # of its outputs; Mask R-CNN's label 0 is background
    shorter_side: int  # that its pictures are brought to
    mean: list[float]  # of RGB in [0, 1]
    std: list[float]


def build(spec: ModelSpec, trained: bool, progress: Progress | None) -> Network:
    """The row's network in eval mode, on the CPU, float32. Untrained: with random weights.

    Raises `WeightsError` where the weights cannot be had, are damaged, hold code or are of another network.
    """
    if spec.source == "local" and spec.architecture not in _STARTERS:
        module, prepare, classes = local_networks.read(spec, trained)
        network = Network(module, classes, prepare.shorter_side, list(prepare.mean), list(prepare.std))
    else:
        network = (_published if spec.source == "torchvision" else _starter)(spec, trained, progress)
    network.module.eval().requires_grad_(False)
    return network


def fold_batch_norms(module: nn.Module) -> None:
    """Multiply each batch normalisation into the convolution that stands before it; the outputs stay the same."""
    for parent in module.modules():
        for (_, conv), (norm_name, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
                conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *statistics)  # type: ignore[arg-type]
                setattr(parent, norm_name, nn.Identity())


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


def _starter(spec: ModelSpec, trained: bool, progress: Progress | None) -> Network:
    folder = weights.fetch(spec, progress)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    classes = tuple(config["classes"])
    module = _STARTERS[config["network"]](len(classes))
    if trained:
        module.load_state_dict(load_file(folder / "model.safetensors"))
    if isinstance(module, MaskRCNN):
        classes = ("background", *classes)
    return Network(module, classes, config["shorter_side"], config["mean"], config["std"])


def _fill(module: nn.Module, file: Path) -> None:
    """Load torchvision's file of weights, without the auxiliary head: it helped in training, now it would cost time."""
    again = "delete it, and it is fetched again."
    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # a damaged file fails in a dozen ways, one that holds code in another
        raise WeightsError(f"{file} is damaged or holds more than weights, so it was not loaded; {again}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{file} does not hold the weights of a network; {again}")
    try:
        module.load_state_dict({k: v for k, v in state.items() if not str(k).startswith("aux_classifier.")})
    except RuntimeError as error:
        raise WeightsError(f"{file} holds the weights of another network; {again}") from error
