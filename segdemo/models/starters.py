"""A starter's folder as a network: which one `config.json` says, its weights in fp16 safetensors."""

import json
from collections.abc import Callable

from torch import nn

from segdemo.models import Progress, state_dicts, weights
from segdemo.models.architectures import small_torchvision
from segdemo.models.semantic import Network
from segdemo.models.spec import ModelSpec


def builder(name: str) -> Callable[[int], nn.Module]:
    """What builds the network of this name (`fcn_small`, ...) for a number of classes."""
    if hasattr(small_torchvision, name):
        return getattr(small_torchvision, name)
    # Imported here: machines that have torchvision alone can run its starters.
    from segdemo.models.architectures import small_networks

    return getattr(small_networks, name)


def read(spec: ModelSpec, trained: bool, progress: Progress | None) -> Network:
    """The row's network on the CPU, float32. Untrained: with random weights.

    Raises `WeightsError` where it is missing, damaged or of another network.
    """
    folder = weights.fetch(spec, progress)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    classes = tuple(config["classes"])
    module = builder(config["network"])(len(classes))
    if trained:
        state_dicts.fill(module, state_dicts.read(folder), folder)
    if spec.task == "instance":
        classes = ("background", *classes)
    return Network(module, classes, config["shorter_side"], config["mean"], config["std"], config.get("divisor", 1))
