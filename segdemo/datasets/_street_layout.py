"""What stands where along a street: plots with buildings or greenery, pavements and their furniture, the far end."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from segdemo.datasets._street_buildings import random_building
from segdemo.datasets._street_canvas import Light
from segdemo.datasets._street_fronts import draw_building
from segdemo.datasets._street_furniture import (
    draw_bollard,
    draw_fence,
    draw_lamp,
    draw_sign,
    draw_telegraph_pole,
    draw_traffic_light,
)
from segdemo.datasets._street_plants import LEAVES
from segdemo.datasets._street_section import FAR, Side, Street, child
from segdemo.datasets._street_traffic import drive, fill_road, park_cars, walk

DISTRICTS = ("terrace", "shops", "office", "suburb", "park", "mixed", "college")
STYLES_OF = {
    "terrace": ("terrace", "terrace", "house"), "shops": ("shops", "shops", "terrace", "stone"),
    "office": ("office", "office", "shops"), "suburb": ("house", "house", "terrace", "green"),
    "park": ("green", "green", "green", "house"), "mixed": ("terrace", "shops", "office", "house", "stone", "green"),
    "college": ("stone", "stone", "terrace", "green"),
}  # fmt: skip


def plan_street(rng: np.random.Generator, light: Light) -> Street:
    """Choose a cross section and fill both sides and the road."""
    lane = float(rng.uniform(2.7, 3.4))
    lanes = int(rng.choice([1, 1, 2, 2, 2, 2, 3]))
    parking = rng.random(2) < 0.45
    kind = str(rng.choice(DISTRICTS, p=[0.2, 0.24, 0.1, 0.16, 0.1, 0.14, 0.06]))
    other = kind if rng.random() < 0.6 else str(rng.choice(DISTRICTS))
    offset = float(rng.uniform(-0.4, 0.4))
    margins = rng.uniform(0.1, 0.8, 2) + parking * rng.uniform(1.9, 2.3, 2)
    left_kerb = -lane / 2 - margins[0] + offset
    right_kerb = lane * (lanes - 0.5) + margins[1] + offset
    street = Street(
        _side(rng, -1.0, float(left_kerb), kind), _side(rng, 1.0, float(right_kerb), other),
        lane / 2 + offset, lane, lanes, bool(rng.random() < 0.22), LEAVES[rng.integers(len(LEAVES))], light,
        float(rng.uniform(26, 75)) if rng.random() < 0.25 else FAR,
    )  # fmt: skip
    for side in (street.left, street.right):
        _fill_plots(rng, street, side)
        _fill_pavement(rng, street, side)
    for side, parked in zip((street.left, street.right), parking, strict=True):
        if parked:
            park_cars(rng, street, side)
    fill_road(rng, street)
    if street.end < FAR:
        _close_view(rng, street, kind)
    return street


def _side(rng: np.random.Generator, sign: float, kerb: float, district: str) -> Side:
    roomy = district in ("suburb", "park", "mixed", "office")
    verge = float(rng.uniform(0.8, 2.8)) if roomy and rng.random() < 0.3 else 0.0
    garden = float(rng.uniform(1.0, 7.0)) if roomy or (district == "terrace" and rng.random() < 0.5) else 0.0
    return Side(sign, kerb, verge, float(rng.uniform(2.0, 6.0)), garden, district)


def _fill_plots(rng: np.random.Generator, street: Street, side: Side) -> None:
    z = float(rng.uniform(-6, 1))
    while z < street.reach:
        length = min(float(rng.uniform(8, 22)), street.reach - z)
        if z > 6 and rng.random() < 0.12 and z < street.reach - 20:
            width = float(rng.uniform(6, 10))
            side.gaps.append((z, z + width))
            z += width
            continue
        style = str(rng.choice(STYLES_OF[side.district]))
        if style == "green":
            _green_plot(rng, street, side, z, z + length)
        else:
            _built_plot(rng, street, side, style, z, z + length)
        z += length


def _built_plot(rng: np.random.Generator, street: Street, side: Side, style: str, z0: float, z1: float) -> None:
    gap = float(rng.uniform(1.5, 5.0)) if style == "house" else 0.0
    building = random_building(rng, style, side.wall, z0, max(z1 - gap, z0 + 4))
    if building.z1 < 1.5:
        return
    side.buildings.append(building)
    facing = street.light.sun[0] * side.sign < 0
    street.add(z1, partial(draw_building, building=building, sunlit=1.0 if facing else 0.3))
    if gap and rng.random() < 0.7:
        street.plant(street.tree_at(rng, side.wall + side.sign * float(rng.uniform(1, 6)), z1 + 1.0))
    if side.garden > 1.0:
        _front_garden(rng, street, side, max(z0, 0.7), z1)


def _close_view(rng: np.random.Generator, street: Street, kind: str) -> None:
    """What faces the camera where the street ends at a T-junction: a row of buildings or a hedge with trees."""
    z = street.end + float(rng.uniform(2, 4))
    span = 1.1 * z + 15
    s = -span
    while s < span:
        width = float(rng.uniform(7, 20))
        style = str(rng.choice(STYLES_OF[kind]))
        if style == "green":
            for _ in range(4):
                place = (s + width * float(rng.random()), z + float(rng.uniform(0, 6)))
                street.plant(street.tree_at(rng, *place, tall=0.4))
        else:
            building = random_building(rng, style, s, z, z + 4, across=width - (2.0 if style == "house" else 0.0))
            street.add(z + 6.5, partial(draw_building, building=building, sunlit=1.0))
        s += width
    for _ in range(int(rng.integers(0, 5))):
        walk(rng, street, float(rng.uniform(-0.4, 0.4)) * span, z - 1)
    for _ in range(int(rng.integers(0, 3))):
        turn = float(rng.choice([-1, 1])) * math.pi / 2
        drive(rng, street, float(rng.uniform(-0.4, 0.4)) * span, street.end - (2.0 if turn > 0 else 6.0), turn)


def _front_garden(rng: np.random.Generator, street: Street, side: Side, z0: float, z1: float) -> None:
    for _ in range(int(rng.integers(0, 4))):
        s = side.back + side.sign * float(rng.uniform(0.5, side.garden))
        z = float(rng.uniform(z0, z1))
        if z > 6:
            street.plant(street.tree_at(rng, s, z, tall=0.3), z1 - 0.05)
    if rng.random() < 0.6:
        _fence(rng, street, side.back, z0, z1)


def _fence(rng: np.random.Generator, street: Street, s: float, z0: float, z1: float) -> None:
    kind = str(rng.choice(["railings", "boards", "wall", "rail"], p=[0.45, 0.2, 0.25, 0.1]))
    if z1 > 2.5:
        run = partial(draw_fence, s=s, z0=max(z0, 1.0), z1=z1, kind=kind, rng=child(rng), sunlit=1.0)
        street.add(z1 - 0.1, run)


def _green_plot(rng: np.random.Generator, street: Street, side: Side, z0: float, z1: float) -> None:
    for _ in range(int(rng.integers(2, 6))):
        z = float(rng.uniform(max(z0, 9), max(z1, 10)))
        s = side.back + side.sign * float(rng.uniform(1.5, 14))
        street.plant(street.tree_at(rng, s, z))
    for _ in range(int(rng.integers(0, 5))):
        z = float(rng.uniform(max(z0, 6), max(z1, 7)))
        street.plant(street.tree_at(rng, side.back + side.sign * float(rng.uniform(0.8, 6)), z, tall=0.0))
    if rng.random() < 0.6:
        _fence(rng, street, side.back, max(z0, 0.7), z1)


def _fill_pavement(rng: np.random.Generator, street: Street, side: Side) -> None:
    _place_furniture(rng, street, side)
    if rng.random() < (0.75 if side.district in ("park", "suburb") else 0.28):
        s = side.kerb + side.sign * max(side.verge / 2, 0.7)
        for z in np.arange(float(rng.uniform(8, 16)), min(street.reach, 75), float(rng.uniform(7, 18))).tolist():
            if not side.open_at(z):
                street.plant(street.tree_at(rng, s, z))
    busy = {"shops": 9.0, "mixed": 5.0, "office": 4.0, "college": 5.0}.get(side.district, 2.5)
    for _ in range(int(rng.poisson(busy))):
        z = 4.0 + 50 * float(rng.random()) ** 1.3
        s = side.path + side.sign * float(rng.uniform(0.4, max(side.pavement - 0.3, 0.5)))
        for k in range(int(rng.choice([1, 1, 2]))):
            walk(rng, street, s + 0.6 * k, z + 0.15 * k)


def _place_furniture(rng: np.random.Generator, street: Street, side: Side) -> None:
    edge = side.kerb + side.sign * 0.45
    spacing = float(rng.uniform(16, 32))
    post = draw_telegraph_pole if rng.random() < 0.2 else draw_lamp
    for z in np.arange(float(rng.uniform(5, spacing)), min(street.reach, 90), spacing).tolist():
        _furnish(rng, street, side, post, edge, z)
    for _ in range(int(rng.poisson(3.0))):
        _furnish(rng, street, side, draw_sign, edge, float(rng.uniform(7, 60)))
    if rng.random() < 0.35:
        _furnish(rng, street, side, draw_traffic_light, edge, float(rng.uniform(9, 45)))
    if rng.random() < 0.25:
        start = float(rng.uniform(4, 20))
        for k in range(int(rng.integers(3, 9))):
            _furnish(rng, street, side, draw_bollard, edge, start + 1.6 * k)
    if rng.random() < 0.22:
        start = float(rng.uniform(2, 25))
        _fence(rng, street, edge, start, start + float(rng.uniform(5, 25)))


def _furnish(
    rng: np.random.Generator, street: Street, side: Side, draw: Callable[..., None], s: float, z: float
) -> None:
    if z < street.reach and not side.open_at(z):
        lit = street.sunlit(s, z)
        street.add(z, partial(draw, s=s, z=z, rng=child(rng), sunlit=lit))
