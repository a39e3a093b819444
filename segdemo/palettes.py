"""Palettes that follow from a rule rather than a table."""

from functools import cache

import numpy as np

Color = tuple[int, int, int]

# Okabe and Ito, "Color Universal Design" (2008), without black, which stands for pixels without a class.
_OKABE_ITO = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip

# Linear RGB as it looks without green or without red cones: Viénot, Brettel and Mollon, "Digital video
# colourmaps for checking the legibility of displays by dichromats" (1999).
_DEUTERANOPIA = ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0))
_PROTANOPIA = ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0))

_RGB_TO_XYZ_OVER_WHITE = ((0.4339, 0.3763, 0.1899), (0.2126, 0.7152, 0.0722), (0.0177, 0.1095, 0.8728))


def voc(count: int) -> tuple[Color, ...]:
    """The first colours of PASCAL VOC.

    From the lowest up, the bits of the id go in turn to red, green and blue, to each from its top bit down.
    """

    def channel(i: int, first: int) -> int:
        return sum((i >> (3 * k + first) & 1) << (7 - k) for k in range(3))

    return tuple((channel(i, 0), channel(i, 1), channel(i, 2)) for i in range(count))


@cache
def colorblind() -> np.ndarray:
    """(255, 3) uint8, read-only: colours that people without red or green cones tell apart too.

    The first seven are Okabe and Ito's. Each further one is the colour of a 16³ RGB grid that is farthest
    from black and all before it. The distance is the smallest of three in CIELAB: as most people see the two
    colours, without green cones, without red cones. The last two leave only lightness and blue against
    yellow, so that those are spread the most. The first n colours are the palette for n classes.
    """
    steps = np.arange(0, 256, 17)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness = _lab(_linear(grid))[:, 0]
    grid = grid[(lightness > 25) & (lightness < 97)]  # the rest looks black or white in an overlay
    candidates = _as_seen(grid)
    distances = np.full(len(grid), np.inf)
    chosen = list(_OKABE_ITO)
    for seen in _as_seen(np.array([(0, 0, 0), *chosen])).swapaxes(0, 1):
        distances = np.minimum(distances, _nearest(candidates, seen))
    while len(chosen) < 255:
        best = int(distances.argmax())
        chosen.append(tuple(grid[best].tolist()))
        distances = np.minimum(distances, _nearest(candidates, candidates[:, best]))
    table = np.array(chosen, np.uint8)
    table.flags.writeable = False
    return table


def _nearest(candidates: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,): distances of (3, N, 3) candidates to one colour (3, 3), each for the sight that sees it least."""
    return np.linalg.norm(candidates - seen[:, None], axis=-1).min(axis=0)


def _as_seen(rgb: np.ndarray) -> np.ndarray:
    """(3, N, 3): CIELAB of N colours with all cones, without green ones, without red ones."""
    linear = _linear(rgb)
    return np.stack([_lab(linear @ np.array(m).T) for m in (np.eye(3), _DEUTERANOPIA, _PROTANOPIA)])


def _linear(rgb: np.ndarray) -> np.ndarray:
    """Linear light in [0, 1] of sRGB in [0, 255]."""
    c = rgb / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _lab(linear_rgb: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of linear RGB."""
    ratios = np.clip(linear_rgb, 0, 1) @ np.array(_RGB_TO_XYZ_OVER_WHITE).T
    f = np.where(ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
