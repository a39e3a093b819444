"""Where models run: choosing a device, waiting for it, its memory, and a record of the environment."""

from contextlib import AbstractContextManager


def choose(device: str = "auto") -> str:
    """The device's torch name; raises `ModelError` where it does not exist."""
    raise NotImplementedError


def check_precision(device: str, precision: str) -> None:
    """Raise `ModelError` where the device cannot run this precision."""
    raise NotImplementedError


def inference(device: str) -> AbstractContextManager[object]:
    """The context every stage runs in: no gradients."""
    raise NotImplementedError


def synchronise(device: str) -> None:
    raise NotImplementedError


def is_out_of_memory(error: BaseException) -> bool:
    raise NotImplementedError


def free_memory(device: str) -> None:
    raise NotImplementedError
