"""A few numbers of an array, each on a square of the colour that it stands for, as an SVG file."""

from collections.abc import Callable
from typing import Final

import numpy as np

SIDE: Final = 7  # numbers in a row
_CELL_WH: Final = (46, 34)


def around(place_yx: tuple[int, int], size_hw: tuple[int, ...]) -> tuple[slice, slice]:
    """`SIDE` rows and columns of an array of this size around a place, fewer where it is smaller."""
    starts = (max(0, min(at - SIDE // 2, side - SIDE)) for at, side in zip(place_yx, size_hw, strict=True))
    rows, columns = (slice(start, min(start + SIDE, side)) for start, side in zip(starts, size_hw, strict=True))
    return rows, columns


def svg(values: np.ndarray, colors: np.ndarray, write: Callable[[float], str], place_yx: tuple[int, int]) -> str:
    """Numbers (h, w) on their colours (h, w, 3) uint8. write: a number as text. place_yx: the cell with a frame."""
    width, height = _CELL_WH
    rows, columns = values.shape
    cells = []
    for (y, x), value in np.ndenumerate(values):
        red, green, blue = colors[y, x].tolist()
        ink = "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "#101418"
        cells.append(
            f'<rect x="{x * width}" y="{y * height}" width="{width}" height="{height}" '
            f'fill="rgb({red},{green},{blue})"/>'
            f'<text x="{x * width + width / 2}" y="{y * height + height / 2 + 5}" fill="{ink}">{write(value)}</text>'
        )
    y, x = place_yx
    frame = (
        f'<rect x="{x * width + 1.5}" y="{y * height + 1.5}" width="{width - 3}" height="{height - 3}" fill="none" '
        'stroke="{}" stroke-width="{}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * width} {rows * height}" '
        f'width="{columns * width}" height="{rows * height}" font-family="Source Sans Pro, Arial, sans-serif" '
        f'font-size="14" text-anchor="middle">{"".join(cells)}{frame.format("#101418", 5)}{frame.format("#ffffff", 2)}'
        "</svg>"
    )
