"""Bytes to `InputImage`."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class InputImage:
    """A picture ready for any model.

    rgb: (H, W, 3) uint8, upright, read-only. digest: SHA-256 of the bytes it came from, hexadecimal. name: as the person named it.
    """

    rgb: np.ndarray
    digest: str
    name: str

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.rgb.shape[0], self.rgb.shape[1]
