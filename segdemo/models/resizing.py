"""Maps at a network's resolution brought to a picture's, a few rows at a time.

A few source rows are widened, and bands of finished rows are blended from them: a product with a small matrix, in which
several resizings after one another are one. A band is handed on while it is still in the processor's cache. The
arithmetic is that of `interpolate(mode="bilinear", align_corners=False)` in float32, to rounding.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce

import torch
import torch.nn.functional as F
from torch import Tensor

# A band is passed over about seven times: on a CPU it should stay in the cache, on a GPU it should fill the device.
_BAND_BYTES_CPU = 1 << 20
_BAND_BYTES_GPU = 64 << 20


@dataclass(frozen=True)
class Blend:
    """How the pixels of a side are made of those of another.

    shares: (target, source) float32, what of each source pixel goes into each. starts, ends: the source pixels that
    each is made of; they never go back. same: whether the sides are the same.
    """

    shares: Tensor
    starts: list[int]
    ends: list[int]
    same: bool

    @classmethod
    def of(cls, shares: Tensor) -> "Blend":
        """By a matrix from `linear_shares`, or `resized_shares`, which does one resizing after the other."""
        used = (shares != 0).byte()
        ends = shares.shape[1] - used.flip(1).argmax(1)
        same = shares.shape[0] == shares.shape[1] and torch.equal(shares, torch.eye(len(shares)))
        return cls(shares, used.argmax(1).tolist(), ends.tolist(), same)

    def sources(self, rows: slice) -> slice:
        """The source rows that these rows are made of."""
        return slice(self.starts[rows.start], self.ends[rows.stop - 1])

    def rows(self, maps: Tensor, first: int, rows: slice) -> Tensor:
        """(N, C, rows, W) of maps (N, C, any, W) float32 that hold the source rows from `first` on."""
        source = self.sources(rows)
        held = maps[:, :, source.start - first : source.stop - first]
        return held if self.same else self.shares[rows, source].to(maps.device) @ held


def linear_shares(source: int, target: int) -> Tensor:
    """What of each pixel of a side goes into each pixel of another in linear resizing: (target, source) float32."""
    return resized_shares(torch.eye(source), target)


def resized_shares(shares: Tensor, target: int) -> Tensor:
    """Shares (middle, source) with the middle side resized once more: (target, source)."""
    return _resized_side(shares, 0, target, slice(None))


def blocks_of_rows(maps: Tensor, width: int) -> tuple[Tensor, ...]:
    """`maps` (N, C, h, w) cut into blocks of rows that stay small when widened to `width`."""
    return maps.split(rows_per_band(maps, width), dim=2)


def resized_rows(blocks: Iterable[Tensor], blend: Blend, widths: tuple[int, ...]) -> Iterator[Tensor]:
    """Resize maps that arrive as consecutive blocks of rows, bilinearly.

    blocks: (N, C, any, w), together the rows that `blend` is of. widths: what the rows are brought to, in turn.
    Yields bands (N, C, rows, W) float32, together the blend's rows. A band is the caller's to change until the next is
    asked for.
    """
    first = done = 0
    kept: Tensor | None = None
    for block in blocks:
        wide = reduce(widened, widths, block)
        kept = wide if kept is None else torch.cat([kept, wide], 2)
        ready = bisect_right(blend.ends, first + kept.shape[2])
        height = rows_per_band(kept, kept.shape[3])
        for top in range(done, ready, height):
            yield blend.rows(kept, first, slice(top, min(top + height, ready)))
        if ready == len(blend.starts):
            return
        done = ready
        passed = min(blend.starts[done] - first, kept.shape[2])
        first += passed
        kept = kept[:, :, passed:] if passed < kept.shape[2] else None


def numbered(bands: Iterable[Tensor]) -> Iterator[tuple[slice, Tensor]]:
    """Each band with the rows that it covers."""
    top = 0
    for band in bands:
        yield slice(top, top + band.shape[2]), band
        top += band.shape[2]


def resized_window(maps: Tensor, size_hw: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    """The part [rows, columns] of maps (..., h, w) resized bilinearly to size_hw, without the rest; float32."""
    return _resized_side(
        _resized_side(maps.float(), maps.ndim - 2, size_hw[0], rows), maps.ndim - 1, size_hw[1], columns
    )


def reach(source: int, target: int, first: int, last: int) -> slice:
    """The pixels of a target side to which any of a source side's pixels `first` to `last` contributes."""
    before, weights = taps(source, target)
    touched = (before + weights > first - 1) & (before + weights < last + 1)
    inside = touched.nonzero()
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)


def widened(block: Tensor, width: int) -> Tensor:
    """Maps (N, C, rows, w) resized to (N, C, rows, width) float32, never the block itself."""
    if block.shape[3] == width:
        return block.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    wide = F.interpolate(block.float().flatten(1, 2), size=width, mode="linear", align_corners=False)
    return wide.unflatten(1, block.shape[1:3])


def _resized_side(maps: Tensor, dim: int, target: int, window: slice) -> Tensor:
    before, weights = taps(maps.shape[dim], target)
    first = before[window].long().to(maps.device)
    second = (first + 1).clamp_(max=maps.shape[dim] - 1)
    weight = weights[window].to(maps.device).view(-1, *[1] * (maps.ndim - 1 - dim))
    return torch.lerp(maps.index_select(dim, first), maps.index_select(dim, second), weight)


@lru_cache(maxsize=64)
def taps(source: int, target: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of a target side lie on the source side: the source pixel before each (float32, whole numbers),
    and the weight of the one after it. Computed in float32, as `interpolate` does.
    """
    with torch.inference_mode(False):  # what is kept may be used where gradients are wanted
        position = ((torch.arange(target) + 0.5) * (source / target) - 0.5).clamp_(min=0)
        before = position.floor().clamp_(max=source - 1)
        return before, position - before


def rows_per_band(maps: Tensor, width: int) -> int:
    """How many rows of maps (N, C, any, any) are worked on at a time where rows are `width` long."""
    budget = _BAND_BYTES_CPU if maps.device.type == "cpu" else _BAND_BYTES_GPU
    return max(1, budget // (4 * maps.shape[0] * maps.shape[1] * width))
