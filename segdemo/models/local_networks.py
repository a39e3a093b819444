"""torchvision's architectures with weights of somebody's own: a state dict with its sidecar, a folder of `train`."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import get_model

from segdemo.errors import WeightsError
from segdemo.models import sidecar, weights
from segdemo.models.catalog import ModelSpec
from segdemo.models.sidecar import Sidecar

_WRAPPERS = ("model", "state_dict")  # under which training scripts keep the state dict
_DAMAGED = (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError)


def read(spec: ModelSpec, trained: bool) -> tuple[Any, Sidecar, tuple[str, ...]]:
    """The network on the CPU, how its pictures are prepared, and the classes of its outputs.

    Raises `WeightsError` where the weights are damaged, hold code or are of another network.
    """
    path = weights.fetch(spec)
    prepare = sidecar.read(path) if path.is_file() else _of_training(path)
    classes = ("background", *prepare.classes) if spec.task == "instance" else prepare.classes
    module = get_model(spec.architecture, weights=None, weights_backbone=None, num_classes=len(classes))
    if trained:
        _fill(module, path)
    return module, prepare, classes


def _of_training(folder: Path) -> Sidecar:
    """What `python -m segdemo train` has written beside its weights."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Sidecar(tuple(config["classes"]), "", config["shorter_side"], tuple(config["mean"]), tuple(config["std"]))


def _fill(module: Any, path: Path) -> None:
    """Load the weights, without the auxiliary head: it helped in training, now it would cost time."""
    try:
        state = load_file(path / "model.safetensors") if path.is_dir() else _state_dict(path)
    except _DAMAGED as error:
        raise WeightsError(f"{path} is damaged or holds more than weights, so it was not loaded.") from error
    try:
        module.load_state_dict({key: value for key, value in state.items() if not key.startswith("aux_classifier.")})
    except RuntimeError as error:
        reason = str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
        raise WeightsError(f"{path} holds the weights of another network or of other classes ({reason}).") from error


def _state_dict(file: Path) -> dict[str, Tensor]:
    """The state dict of a file, itself or under the name that a training script gives it. Raises `ValueError`."""
    state = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    for name in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError("no state dict")
    return {str(key).removeprefix("module."): value for key, value in state.items()}
