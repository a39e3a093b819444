"""Tensors from a checkpoint that somebody brings, and a network filled with them; never code."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from segdemo.errors import WeightsError

_WRAPPERS = ("model", "state_dict")  # under which training scripts keep the state dict


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a folder's `model.safetensors`, or of a file in torch's form (`weights_only`).

    Raises `WeightsError` where they are damaged or the file holds more than weights.
    """
    try:
        return load_file(path / "model.safetensors") if path.is_dir() else _of_file(path)
    except Exception as error:  # a damaged file fails in a dozen ways, one that holds code in another
        raise WeightsError(f"{path} is damaged or holds more than weights, so it was not loaded.") from error


def fill(module: Any, state: dict[str, Tensor], path: Path) -> None:
    """Load tensors, which are from `path`, into a network. Raises `WeightsError` where they are another network's."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
        raise WeightsError(f"{path} holds the weights of another network or of other classes ({reason}).") from error


def _of_file(file: Path) -> dict[str, Tensor]:
    """The state dict of a file, itself or under the name that a training script gives it. Raises `ValueError`."""
    state = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    for name in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError("no state dict")
    return {str(key).removeprefix("module."): value for key, value in state.items()}
