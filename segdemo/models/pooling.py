"""What a network pools over a picture, where it sees the picture in parts: of the whole, not of the part.

Squeeze-and-excitation (https://arxiv.org/abs/1709.01507), the pooled view of DeepLabV3 and group normalisation
(https://arxiv.org/abs/1803.08494) ask for means over all places.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from segdemo.models.tiling import Span


class Pooling(TorchFunctionMode):
    """The context in which a network runs on one part. It belongs to the thread: the network itself keeps nothing.

    part: rows and columns, in any unit. whole: what is pooled over the whole picture, in the order in which the network
    asks; None: the part's own is taken.
    pooled: the same of the part, where it is nearer to its middle than to that of another part.
    """

    def __init__(self, part: tuple[Span, Span], whole: Sequence[Tensor] | None) -> None:
        super().__init__()
        self.pooled: list[Tensor] = []
        self._part, self._whole = part, whole

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        instead = _INSTEAD.get(getattr(func, "__name__", ""))
        given = None if instead is None else instead(self, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if given is None else given

    # The parameters below have torch's own names: a network may give any of them by name.
    def _adaptive_avg_pool2d(self, input: Tensor, output_size: int | Sequence[int]) -> Tensor | None:
        one = output_size in (1, (1,), (1, 1), [1], [1, 1])
        return self._mean(input, (2, 3), keepdim=True) if one else None

    def _mean(self, input: Tensor, dim: Any = None, keepdim: bool = False, **others: Any) -> Tensor | None:
        if others or not isinstance(dim, Sequence) or input.ndim != 4 or {axis % 4 for axis in dim} != {2, 3}:
            return None
        own = self._own(input)
        if own is None:
            return None
        mean = self._of_whole(own.mean((2, 3), keepdim=True).float()).to(input.dtype)
        return mean if keepdim else mean.flatten(1)

    def _group_norm(
        self,
        input: Tensor,
        num_groups: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> Tensor | None:
        own = self._own(input)
        if own is None:
            return None
        variance, mean = torch.var_mean(own.float(), (2, 3), correction=0)
        grouped = torch.stack([mean, variance + mean**2]).unflatten(2, (num_groups, -1)).mean(3)
        mean, square = self._of_whole(grouped).repeat_interleave(input.shape[1] // num_groups, 2)
        factor = (square - mean**2 + eps).rsqrt() * (1 if weight is None else weight)
        offset = (0 if bias is None else bias) - mean * factor
        return torch.addcmul(offset[..., None, None].to(input), input, factor[..., None, None].to(input))

    def _own(self, maps: Tensor) -> Tensor | None:
        """Where the part is nearer to its middle than to that of another; None for maps that do not lie over it."""
        if maps.ndim != 4:
            return None
        per_unit = {
            math.ceil(side / (span.stop - span.start)) for side, span in zip(maps.shape[2:], self._part, strict=True)
        }
        if len(per_unit) > 1:
            return None
        rows, columns = (
            slice(*(round(side * (end - span.start) / (span.stop - span.start)) for end in (span.first, span.last)))
            for side, span in zip(maps.shape[2:], self._part, strict=True)
        )
        return maps[:, :, rows, columns]

    def _of_whole(self, pooled: Tensor) -> Tensor:
        self.pooled.append(pooled)
        return pooled if self._whole is None else self._whole[len(self.pooled) - 1]


_INSTEAD: Final[dict[str, Callable[..., Tensor | None]]] = {
    "adaptive_avg_pool2d": Pooling._adaptive_avg_pool2d,
    "mean": Pooling._mean,
    "group_norm": Pooling._group_norm,
}
