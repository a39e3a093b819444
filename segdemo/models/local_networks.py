"""torchvision's architectures with weights of somebody's own: a state dict with its sidecar, a folder of `train`."""

import json
from pathlib import Path
from typing import Any

from torchvision.models import get_model

from segdemo.models import sidecar, state_dicts, weights
from segdemo.models.sidecar import Sidecar
from segdemo.models.spec import ModelSpec


def read(spec: ModelSpec, trained: bool) -> tuple[Any, Sidecar, tuple[str, ...]]:
    """The network on the CPU, how its pictures are prepared, and the classes of its outputs.

    Raises `WeightsError` where the weights are damaged, hold code or are of another network.
    """
    path = weights.fetch(spec)
    prepare = sidecar.read(path) if path.is_file() else _of_training(path)
    classes = ("background", *prepare.classes) if spec.task == "instance" else prepare.classes
    module = get_model(spec.architecture, weights=None, weights_backbone=None, num_classes=len(classes))
    if trained:
        # Without the auxiliary head: it helped in training, now it would cost time.
        state = {key: value for key, value in state_dicts.read(path).items() if not key.startswith("aux_classifier.")}
        state_dicts.fill(module, state, path)
    return module, prepare, classes


def _of_training(folder: Path) -> Sidecar:
    """What `python -m segdemo train` has written beside its weights."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Sidecar(tuple(config["classes"]), "", config["shorter_side"], tuple(config["mean"]), tuple(config["std"]))
