"""Buildings along the street: their shapes and colours, roofs, chimneys and end walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segdemo.datasets._street_canvas import (
    TOWARDS_CAMERA,
    Canvas,
    Colour,
    Material,
    StreetClass,
    Vector,
    scaled,
    tag,
)  # fmt: skip

WALL = tag(StreetClass.BUILDING, Material.WALL)
PLAIN = tag(StreetClass.BUILDING)
BRICKS: tuple[Colour, ...] = (
    (150, 88, 66),
    (172, 140, 98),
    (188, 164, 120),
    (128, 76, 60),
    (160, 112, 84),
    (196, 176, 140),
)
RENDERS: tuple[Colour, ...] = (
    (222, 216, 202),
    (206, 196, 170),
    (188, 200, 206),
    (226, 206, 186),
    (200, 188, 188),
    (182, 190, 170),
)
STONES: tuple[Colour, ...] = ((190, 172, 138), (168, 156, 132), (150, 144, 132))
CONCRETES: tuple[Colour, ...] = ((168, 166, 160), (140, 140, 138), (190, 186, 178), (120, 116, 110))
SLATES: tuple[Colour, ...] = ((84, 84, 92), (100, 82, 74), (128, 82, 62), (70, 74, 80))
FASCIAS: tuple[Colour, ...] = (
    (24, 52, 96), (150, 26, 32), (18, 84, 66), (226, 168, 32), (40, 38, 42),
    (232, 228, 220), (96, 40, 96), (196, 84, 30), (20, 110, 150),
)  # fmt: skip
TRIM: Colour = (232, 230, 222)


@dataclass(frozen=True)
class Building:
    """One building, in metres: its front runs along the street at `s` from z0 to z1, or, where `across` is not 0,
    faces the camera at depth z0 from `s` to `s + across`."""

    style: str  # terrace, shops, office, stone, house
    s: float
    z0: float
    z1: float
    storeys: int
    wall: Colour
    roof: Colour
    roof_rise: float
    depth: float
    seed: int
    across: float = 0.0

    @property
    def storey(self) -> float:
        return {"office": 3.4, "stone": 3.8}.get(self.style, 3.0)

    @property
    def height(self) -> float:
        return self.storeys * self.storey + (0.9 if self.style == "shops" else 0.4)


def random_building(
    rng: np.random.Generator, style: str, s: float, z0: float, z1: float, across: float = 0.0
) -> Building:
    """A building of a style with random colours and height."""
    walls = {
        "terrace": BRICKS,
        "shops": BRICKS + RENDERS,
        "office": CONCRETES + BRICKS[:2],
        "stone": STONES,
        "house": RENDERS + BRICKS,
    }[style]
    low, high = {"terrace": (2, 3), "shops": (2, 4), "office": (2, 6), "stone": (2, 3), "house": (1, 2)}[style]
    flat = style == "office" or (style == "shops" and rng.random() < 0.3)
    return Building(
        style, s, z0, z1, int(rng.integers(low, high + 1)),
        scaled(walls[rng.integers(len(walls))], float(rng.uniform(0.82, 1.12))), SLATES[rng.integers(len(SLATES))],
        0.0 if flat else float(rng.uniform(2.0, 4.5)), float(rng.uniform(8, 13)), int(rng.integers(2**31)), across,
    )  # fmt: skip


def draw_shell(canvas: Canvas, building: Building, rng: np.random.Generator, sunlit: float) -> None:
    """Draw end wall, roof and chimneys, all that stands behind the front."""
    if not building.across:
        _draw_end_wall(canvas, building, sunlit)
    _draw_roof(canvas, building, rng, sunlit)


def _draw_end_wall(canvas: Canvas, b: Building, sunlit: float) -> None:
    if b.z0 < 2.0:
        return
    side = 1.0 if b.s > 0 else -1.0
    point, far = canvas.camera.point, b.s + side * b.depth
    corners = [point(b.s, 0, b.z0), point(b.s, b.height, b.z0)]
    if b.roof_rise:
        corners.append(point(b.s + side * b.depth / 2, b.height + b.roof_rise, b.z0))
    corners += [point(far, b.height, b.z0), point(far, 0, b.z0)]
    canvas.fill(corners, canvas.light.colour(scaled(b.wall, 0.94), TOWARDS_CAMERA, b.z0, sunlit), WALL)
    if b.seed % 3 == 0 or b.z0 > 60:
        return
    pane = canvas.light.colour((58, 66, 74), TOWARDS_CAMERA, b.z0, sunlit)
    frame = canvas.light.colour(TRIM, TOWARDS_CAMERA, b.z0, sunlit)
    for across in (0.28, 0.68):
        middle = b.s + side * b.depth * across
        for k in range(b.storeys):
            low = k * b.storey + 1.0
            for grow, colour in ((0.08, frame), (0.0, pane)):
                x0, x1, y0, y1 = middle - 0.5 - grow, middle + 0.5 + grow, low - grow, low + 1.4 + grow
                canvas.fill(
                    [point(x0, y0, b.z0), point(x1, y0, b.z0), point(x1, y1, b.z0), point(x0, y1, b.z0)], colour, PLAIN
                )


def _draw_roof(canvas: Canvas, b: Building, rng: np.random.Generator, sunlit: float) -> None:
    if not b.roof_rise:
        return
    side = 1.0 if b.s > 0 else -1.0
    top, light = b.height + b.roof_rise, canvas.light
    step = float(rng.uniform(5, 9))
    if b.across:
        eaves, ridge = b.z0 - 0.3, b.z0 + b.depth / 2
        corners = [
            (b.s, b.height - 0.1, eaves),
            (b.s + b.across, b.height - 0.1, eaves),
            (b.s + b.across, top, ridge),
            (b.s, top, ridge),
        ]
        chimneys = [(s, ridge) for s in np.arange(b.s + 1, b.s + b.across, step).tolist()]
        normal: Vector = (0.0, 0.8, -0.6)
    else:
        near, eaves, ridge = max(b.z0, 0.8), b.s - side * 0.3, b.s + side * b.depth / 2
        corners = [(eaves, b.height - 0.1, near), (eaves, b.height - 0.1, b.z1), (ridge, top, b.z1), (ridge, top, near)]
        chimneys = [(ridge, z) for z in np.arange(near + 1, b.z1 - 0.5, step)[::-1].tolist() if z > 3]
        normal = (-side * 0.6, 0.8, 0.0)
    for s, z in chimneys:
        _draw_chimney(canvas, s, top, z, sunlit)
    middle = (b.z0 + b.z1) / 2
    canvas.fill(
        [canvas.camera.point(*corner) for corner in corners], light.colour(b.roof, normal, middle, sunlit), WALL
    )


def _draw_chimney(canvas: Canvas, s: float, top: float, z: float, sunlit: float) -> None:
    point, light = canvas.camera.point, canvas.light
    quad = [
        point(s - 0.5, top - 0.8, z),
        point(s + 0.5, top - 0.8, z),
        point(s + 0.5, top + 1.1, z),
        point(s - 0.5, top + 1.1, z),
    ]
    canvas.fill(quad, light.colour(scaled(BRICKS[0], 0.9), TOWARDS_CAMERA, z, sunlit), WALL)
    for x in (-0.3, 0.0, 0.3):
        pot = [
            point(s + x - 0.1, top + 1.1, z),
            point(s + x + 0.1, top + 1.1, z),
            point(s + x + 0.1, top + 1.55, z),
            point(s + x - 0.1, top + 1.55, z),
        ]
        canvas.fill(pot, light.colour((150, 90, 60), TOWARDS_CAMERA, z, sunlit), PLAIN)
