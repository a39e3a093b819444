"""Generated street scenes: pictures with exact class and instance labels, the same for the same seed.

A street is planned in metres (`_street_layout`, `_street_traffic`), drawn far to near with one set of polygons for
picture and labels (`_street_ground`, `_street_fronts`, `_street_plants`, `_street_furniture`, `_street_vehicles`,
`_street_people`), and finished with textures, shadows and camera effects (`_street_finish`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdemo.datasets._street_buildings import Building
from segdemo.datasets._street_canvas import SUPERSAMPLE, Camera, Canvas, Light, StreetClass, mix
from segdemo.datasets._street_finish import Sky, cloud_tile, develop, finish, paint_sky
from segdemo.datasets._street_ground import draw_ground, draw_skyline
from segdemo.datasets._street_layout import plan_street

__all__ = ["Scene", "StreetClass", "street_scene"]

LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Scene:
    """One generated street scene.

    `rgb` (H, W, 3) uint8; `labels` (H, W) uint8 CamVid-11 class ids; `instances` (H, W) uint16, 0 where there is none,
    1..N for cars, pedestrians and bicyclists; `instance_classes` the class id of instances 1..N, each of them visible.
    """

    rgb: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16]
    instance_classes: tuple[int, ...]


def street_scene(seed: int, size_hw: tuple[int, int] = (360, 480)) -> Scene:
    """Draw the street scene of a seed at any size; the layout does not depend on the size.

    Raises ValueError when the seed is negative or the size is not two whole numbers from 1 to 8192.
    """
    _check(seed, size_hw)
    rng = np.random.default_rng(seed)
    camera = _random_camera(rng, size_hw)
    light, sky = _random_weather(rng)
    tile = cloud_tile(rng, 1.35)
    street = plan_street(rng, light)
    canvas = Canvas(camera, light)
    draw_skyline(canvas, street, rng)
    draw_ground(canvas, street, rng)
    for side in (street.left, street.right):
        _shade_buildings(canvas, side.buildings, side.sign)
    for _, draw in sorted(street.things, key=lambda thing: -thing[0]):
        draw(canvas)
    picture, tags = finish(canvas, paint_sky(camera, sky, tile), rng, tile)
    instances, classes = _number_visible(tags >> 16, street.instances)
    return Scene(develop(picture, light, rng), (tags & 255).astype(np.uint8), instances, classes)


def _check(seed: int, size_hw: tuple[int, int]) -> None:
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"The seed of a street scene must be a whole number from 0 upwards, got {seed!r}.")
    pair = isinstance(size_hw, tuple | list) and len(size_hw) == 2
    if not pair or not all(isinstance(n, int | np.integer) and 1 <= n <= LARGEST_SIDE for n in size_hw):
        raise ValueError(f"size_hw must be (height, width), each from 1 to {LARGEST_SIDE} pixels, got {size_hw!r}.")


def _random_camera(rng: np.random.Generator, size_hw: tuple[int, int]) -> Camera:
    height, width = (n * SUPERSAMPLE for n in size_hw)
    focal = float(rng.uniform(0.85, 1.4)) * math.sqrt(height * width)
    bend = float(rng.normal(0, 0.004)) if rng.random() < 0.45 else float(rng.normal(0, 0.0006))
    return Camera(
        size_hw=(height, width),
        focal=focal,
        horizon=height * float(rng.uniform(0.42, 0.62)),
        height_m=float(rng.uniform(1.15, 1.75)),
        heading=float(rng.normal(0, 0.07)),
        bend=float(np.clip(bend, -0.009, 0.009)),
        hill=float(rng.uniform(-0.00012, 0.0006)),
        roll=float(rng.normal(0, 0.012)),
    )


def _random_weather(rng: np.random.Generator) -> tuple[Light, Sky]:
    """Light and sky of a random weather and time of day."""
    kind = str(rng.choice(["clear", "fair", "overcast", "low", "dusk"], p=[0.26, 0.26, 0.22, 0.18, 0.08]))
    azimuth = float(rng.uniform(0, math.tau))
    elevation = math.radians(
        float({"low": rng.uniform(10, 24), "dusk": rng.uniform(4, 10)}.get(kind, rng.uniform(28, 60)))
    )
    sun = (math.cos(elevation) * math.sin(azimuth), math.sin(elevation), math.cos(elevation) * math.cos(azimuth))
    zenith, horizon, cloud, tint, direct, ambient, cover = {
        "clear": ((82, 138, 212), (200, 222, 240), (252, 252, 252), (1.08, 1.0, 0.88), 0.62, 0.6, 0.15),
        "fair": ((104, 152, 212), (210, 225, 238), (250, 250, 252), (1.06, 1.0, 0.9), 0.55, 0.65, 0.5),
        "overcast": ((172, 182, 194), (226, 229, 232), (240, 242, 244), (1.0, 1.0, 1.0), 0.1, 0.85, 0.75),
        "low": ((116, 150, 200), (252, 228, 192), (255, 238, 216), (1.2, 0.98, 0.74), 0.75, 0.46, 0.35),
        "dusk": ((60, 76, 124), (224, 160, 128), (170, 134, 142), (1.2, 0.8, 0.6), 0.2, 0.4, 0.45),
    }[kind]
    sky_tint = (0.94, 0.98, 1.08) if kind != "overcast" else (0.98, 1.0, 1.02)
    dusk = kind == "dusk"
    light = Light(
        sun=sun,
        direct=direct * float(rng.uniform(0.85, 1.15)),
        ambient=ambient * float(rng.uniform(0.8, 1.1)),
        sun_tint=tint,
        sky_tint=sky_tint,
        haze=(150, 124, 124) if dusk else mix(horizon, (200, 206, 214), 0.3),
        haze_per_m=float(rng.uniform(0.0012, 0.006)),
        lamps_on=dusk,
    )
    return light, Sky(zenith, horizon, cloud, float(np.clip(cover + rng.uniform(-0.2, 0.2), 0, 1)))


def _shade_buildings(canvas: Canvas, buildings: list[Building], sign: float) -> None:
    sun = canvas.light.sun
    if sun[0] * sign <= 0.02 or canvas.light.direct < 0.25:
        return
    for b in buildings:
        reach = min((b.height + b.roof_rise * 0.6) / max(sun[1], 0.12), 40.0)
        ds, dz = -sun[0] * reach, -sun[2] * reach
        canvas.shade([(b.s, 0, b.z0), (b.s, 0, b.z1), (b.s + ds, 0, b.z1 + dz), (b.s + ds, 0, b.z0 + dz)], 0.92)


def _number_visible(
    drawn: npt.NDArray[np.int32], classes: list[StreetClass]
) -> tuple[npt.NDArray[np.uint16], tuple[int, ...]]:
    """Renumber the instances that can be seen 1..N in order of drawing number."""
    seen = np.bincount(drawn.ravel(), minlength=len(classes) + 1) > 0
    seen[0] = False
    numbers = np.where(seen, np.cumsum(seen), 0).astype(np.uint16)
    return numbers[drawn], tuple(int(label) for label, visible in zip(classes, seen[1:], strict=True) if visible)
