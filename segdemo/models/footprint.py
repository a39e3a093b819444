"""What a network holds at once of an input, found without computing anything: with tensors that have no values."""

import logging
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_INPUT: Final = 3 * 4  # bytes of a pixel, float32

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Footprint:
    """Bytes for each pixel of an input (1, 3, H, W). held: the most that a network's tensors have at once, beside its
    weights. given: of its output.

    What a process takes is 1.1 to 2 times as much on a CPU: convolutions need room of their own.
    """

    held: float
    given: float

    def most_seen(self, most_held: int, whole: int = 0) -> int:
        """How many pixels a look may have, where it is a part of an input of `whole` pixels that is held, too.

        So is then what comes out of the whole.
        """
        return max(0, int((most_held - (_INPUT + self.given) * whole) / self.held))


def footprint(network: Callable[[Tensor], Tensor], size_hw: tuple[int, int], device: str) -> Footprint | None:
    """A network's, found with an input of this size; in some tens to hundreds of milliseconds, whatever the size.

    None for a network that asks what its tensors' values are.
    """
    held = _Held()
    try:
        with torch.inference_mode(False), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), held:
            given = network(torch.zeros(1, 3, *size_hw, device=device)).float().nbytes
    except (RuntimeError, TypeError):  # as torch says it, and numpy
        _log.info("no footprint of a network", exc_info=True)
        return None
    return Footprint(held.most / math.prod(size_hw), given / math.prod(size_hw))


class _Held(TorchDispatchMode):
    """Counts the bytes of all tensors that operators give, as long as these live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._now = 0
        self._counted: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(given):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        self.most = max(self.most, self._now)
        return given

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._counted:  # an operator may give its input, or a view of it
            return
        self._counted.add(storage._cdata)
        self._now += storage.nbytes()
        weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, which: int, size: int) -> None:
        self._counted.discard(which)
        self._now -= size
