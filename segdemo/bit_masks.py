"""Masks held as bits, eight pixels to a byte: those of a very large picture's sky and road would fill the memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np


@dataclass(frozen=True)
class BitMask:
    """A mask of any size. bits: (H, ceil(W / 8)) uint8, the first pixel in the highest bit."""

    size_hw: tuple[int, int]
    bits: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> "BitMask":
        """That of an array (H, W) bool."""
        return cls((mask.shape[0], mask.shape[1]), np.packbits(mask, axis=1))

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """(rows, columns) bool. Both slices have their ends, inside the mask."""
        first = columns.start // 8
        some = np.unpackbits(self.bits[rows, first : -(-columns.stop // 8)], axis=1)
        return some[:, columns.start - 8 * first : columns.stop - 8 * first].view(np.bool_)

    def whole(self) -> np.ndarray:
        """(H, W) bool."""
        height, width = self.size_hw
        return self.window(slice(0, height), slice(0, width))


class BitMasks(Sequence[np.ndarray]):
    """Masks that become arrays (H, W) bool where they are asked for, each time anew."""

    def __init__(self, masks: Iterable[BitMask]) -> None:
        self._masks = tuple(masks)

    def __len__(self) -> int:
        return len(self._masks)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> "BitMasks": ...

    def __getitem__(self, index: int | slice) -> "np.ndarray | BitMasks":
        return BitMasks(self._masks[index]) if isinstance(index, slice) else self._masks[index].whole()
