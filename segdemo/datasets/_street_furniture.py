"""Poles, lamps, signs, traffic lights, bollards, fences and walls."""

from __future__ import annotations

import math

import numpy as np

from segdemo.datasets._street_canvas import (
    TOWARDS_CAMERA,
    Canvas,
    Colour,
    Floats,
    Material,
    Point,
    StreetClass,
    scaled,
    tag,
)  # fmt: skip

POLE = tag(StreetClass.POLE)
SIGN = tag(StreetClass.SIGN)
FENCE = tag(StreetClass.FENCE)
BOARDS = tag(StreetClass.FENCE, Material.WALL)
BRICKWORK = tag(StreetClass.BUILDING, Material.WALL)  # CamVid's 11 classes count walls as buildings
STEEL: tuple[Colour, ...] = ((112, 118, 120), (150, 154, 156), (44, 52, 48), (30, 32, 34), (88, 92, 90))
SIGN_COLOURS: tuple[Colour, ...] = (
    (24, 70, 150),
    (20, 110, 70),
    (236, 236, 232),
    (240, 200, 40),
    (180, 30, 36),
    (110, 70, 40),
)
WHITE: Colour = (240, 240, 238)
RED: Colour = (196, 28, 36)


class Upright:
    """A vertical thing at one spot: draws bars and plates given in metres."""

    def __init__(self, canvas: Canvas, s: float, z: float, sunlit: float) -> None:
        self.canvas, self.s, self.z, self.sunlit = canvas, s, z, sunlit
        self.u, self.v = canvas.camera.point(s, 0.0, z)
        self.scale = canvas.camera.scale(z)

    def at(self, x: float, y: float) -> Point:
        return self.u + x * self.scale, self.v - y * self.scale

    def bar(self, x: float, y0: float, y1: float, width: float, colour: Colour, mark: int = POLE) -> None:
        """A vertical bar, never thinner than the canvas can show."""
        half = max(width * self.scale, 1.6) / 2
        (u, low), (_, high) = self.at(x, y0), self.at(x, y1)
        light = self.canvas.light
        self.canvas.fill([(u - half, low), (u + half, low), (u + half, high), (u - half, high)],
                         light.colour(colour, TOWARDS_CAMERA, self.z, self.sunlit), mark)  # fmt: skip
        if half > 2:
            side = half if light.sun[0] < 0 else -half
            dark = light.colour(scaled(colour, 0.72), TOWARDS_CAMERA, self.z, self.sunlit)
            self.canvas.fill(
                [(u + side * 0.2, low), (u + side, low), (u + side, high), (u + side * 0.2, high)], dark, mark
            )

    def shape(self, points: list[Point], colour: Colour, mark: int = SIGN, glowing: bool = False) -> None:
        light = self.canvas.light
        paint = light.glow(colour, self.z) if glowing else light.colour(colour, (0, 0.2, -0.98), self.z, self.sunlit)
        self.canvas.fill([self.at(x, y) for x, y in points], paint, mark)

    def plate(self, x: float, y: float, w: float, h: float, colour: Colour, mark: int = SIGN) -> None:
        self.shape([(x - w / 2, y), (x + w / 2, y), (x + w / 2, y + h), (x - w / 2, y + h)], colour, mark)

    def disc(self, x: float, y: float, r: float, colour: Colour, mark: int = SIGN, glowing: bool = False) -> None:
        self.shape(
            [(x + r * math.cos(k * math.tau / 14), y + r * math.sin(k * math.tau / 14)) for k in range(14)],
            colour,
            mark,
            glowing,
        )

    def shadow(self, height: float) -> None:
        light, s, z = self.canvas.light, self.s, self.z
        if self.sunlit > 0.5 and light.direct > 0.25:
            reach = height / max(light.sun[1], 0.25)
            ds, dz = -light.sun[0] * reach, -light.sun[2] * reach
            self.canvas.shade(
                [(s - 0.06, 0, z), (s + 0.06, 0, z), (s + 0.06 + ds, 0, z + dz), (s - 0.06 + ds, 0, z + dz)], 0.7
            )


def draw_lamp(canvas: Canvas, s: float, z: float, rng: np.random.Generator, sunlit: float) -> None:
    """A street lamp with its arm towards the road."""
    post = Upright(canvas, s, z, sunlit)
    steel = STEEL[rng.integers(len(STEEL))]
    height, arm = float(rng.uniform(5.0, 9.0)), float(rng.uniform(0.5, 1.8)) * (-1 if s > 0 else 1)
    old = rng.random() < 0.25
    post.shadow(height)
    if old:
        height *= 0.6
        post.bar(0, 0, height, 0.12, steel)
        lantern = [(-0.15, height), (0.15, height), (0.24, height + 0.5), (0, height + 0.75), (-0.24, height + 0.5)]
        lit = canvas.light.lamps_on
        post.shape(lantern, (255, 236, 190) if lit else (190, 190, 170), POLE, lit)
        return
    post.bar(0, 0, 1.2, 0.2, steel)
    post.bar(0, 1.2, height, 0.12, steel)
    half = max(0.05, 0.8 / post.scale)
    post.shape(
        [(0, height - half), (arm, height + 0.25 - half), (arm, height + 0.25 + half), (0, height + half)], steel, POLE
    )
    post.shape(
        [
            (arm - 0.35, height + 0.14),
            (arm + 0.35, height + 0.14),
            (arm + 0.25, height + 0.34),
            (arm - 0.25, height + 0.34),
        ],
        scaled(steel, 0.8),
        POLE,
    )
    if canvas.light.lamps_on:
        post.shape(
            [
                (arm - 0.3, height + 0.1),
                (arm + 0.3, height + 0.1),
                (arm + 0.25, height + 0.2),
                (arm - 0.25, height + 0.2),
            ],
            (255, 226, 160),
            POLE,
            True,
        )


def draw_telegraph_pole(canvas: Canvas, s: float, z: float, rng: np.random.Generator, sunlit: float) -> None:
    """A wooden pole with a cross arm."""
    post = Upright(canvas, s, z, sunlit)
    height = float(rng.uniform(7, 9))
    wood = (98, 82, 66)
    post.shadow(height)
    post.bar(0, 0, height, 0.24, wood)
    post.shape([(-0.7, height - 0.7), (0.7, height - 0.7), (0.7, height - 0.58), (-0.7, height - 0.58)], wood, POLE)


def draw_bollard(canvas: Canvas, s: float, z: float, rng: np.random.Generator, sunlit: float) -> None:
    """A bollard."""
    post = Upright(canvas, s, z, sunlit)
    post.bar(0, 0, float(rng.uniform(0.8, 1.1)), 0.16, STEEL[2 + rng.integers(2)])
    post.bar(0, 0.7, 0.8, 0.16, (220, 220, 210))


def draw_keep_left(canvas: Canvas, s: float, z: float, rng: np.random.Generator, sunlit: float) -> None:
    """A lit keep-left bollard on a traffic island."""
    post = Upright(canvas, s, z, sunlit)
    post.plate(0, 0.0, 0.46, 1.05, (236, 232, 220) if rng.random() < 0.5 else (240, 206, 60))
    post.disc(0, 0.72, 0.18, (24, 80, 170))
    post.shape([(-0.1, 0.78), (-0.05, 0.82), (0.08, 0.66), (0.02, 0.6)], WHITE)


def draw_traffic_light(canvas: Canvas, s: float, z: float, rng: np.random.Generator, sunlit: float) -> None:
    """A traffic light on its pole."""
    post = Upright(canvas, s, z, sunlit)
    post.shadow(3.4)
    height = float(rng.uniform(2.3, 3.0))
    post.bar(0, 0, height + 1.1, 0.12, STEEL[rng.integers(len(STEEL))])
    x = float(rng.uniform(-0.25, 0.25))
    post.plate(x, height, 0.44, 1.12, (232, 232, 226) if rng.random() < 0.4 else (26, 28, 28))
    post.plate(x, height + 0.04, 0.36, 1.04, (24, 26, 26))
    lit = int(rng.choice([0, 2, 1], p=[0.45, 0.45, 0.1]))
    for k, colour in enumerate(((255, 60, 44), (255, 180, 40), (60, 240, 150))):
        post.disc(x, height + 0.9 - 0.32 * k, 0.12, colour if k == lit else scaled(colour, 0.2), SIGN, k == lit)


def draw_sign(canvas: Canvas, s: float, z: float, rng: np.random.Generator, sunlit: float) -> None:
    """A road sign, bus stop or board on its pole."""
    post = Upright(canvas, s, z, sunlit)
    kind = str(
        rng.choice(
            ["disc", "triangle", "board", "direction", "bus stop", "beacon", "arrow"],
            p=[0.27, 0.17, 0.18, 0.12, 0.1, 0.08, 0.08],
        )
    )
    height = float(rng.uniform(1.9, 2.8))
    colour = SIGN_COLOURS[rng.integers(len(SIGN_COLOURS))]
    steel = STEEL[rng.integers(len(STEEL))]
    post.shadow(height)
    if kind == "beacon":
        for k in range(8):
            post.bar(0, k * 0.34, (k + 1) * 0.34, 0.13, WHITE if k % 2 else (28, 28, 28))
        post.disc(0, 2.95, 0.22, (250, 176, 40), SIGN, True)
        return
    if kind == "direction":
        w, h = float(rng.uniform(1.6, 2.8)), float(rng.uniform(0.8, 1.6))
        for x in (-w * 0.35, w * 0.35):
            post.bar(x, 0, height + h * 0.5, 0.1, steel)
        post.plate(0, height - 0.3, w, h, WHITE)
        post.plate(0, height - 0.26, w - 0.08, h - 0.08, SIGN_COLOURS[rng.integers(3)])
        for k in range(3):
            post.plate(
                float(rng.uniform(-0.2, 0.2)),
                height - 0.1 + k * h * 0.28,
                w * float(rng.uniform(0.3, 0.6)),
                0.09,
                WHITE,
            )
        return
    post.bar(0, 0, height + 0.3, 0.08, steel)
    if kind == "disc":
        post.disc(0, height, 0.33, RED if rng.random() < 0.65 else (24, 80, 170))
        post.disc(0, height, 0.25, WHITE if rng.random() < 0.7 else (24, 80, 170))
        post.plate(0, height - 0.06, 0.24, 0.12, (30, 30, 34))
    elif kind == "triangle":
        post.shape([(-0.42, height - 0.3), (0.42, height - 0.3), (0, height + 0.44)], RED)
        post.shape([(-0.28, height - 0.21), (0.28, height - 0.21), (0, height + 0.27)], WHITE)
        post.plate(0, height - 0.15, 0.07, 0.22, (30, 30, 34))
    elif kind == "arrow":
        post.plate(0, height - 1.3, 0.4, 1.2, (244, 206, 40))
        post.disc(0, height - 0.1, 0.27, (24, 80, 170))
        post.shape([(-0.12, height), (-0.06, height + 0.06), (0.1, height - 0.12), (0.02, height - 0.2)], WHITE)
    elif kind == "bus stop":
        x = 0.28 * (-1 if s > 0 else 1)
        post.plate(x, height - 0.1, 0.5, 0.62, colour)
        post.plate(x, height + 0.12, 0.34, 0.16, WHITE)
    else:
        w, h = float(rng.uniform(0.45, 0.9)), float(rng.uniform(0.4, 1.1))
        post.plate(0, height - h / 2, w, h, WHITE)
        post.plate(0, height - h / 2 + 0.04, w - 0.08, h - 0.08, colour)
        post.plate(0, height, w * 0.6, 0.07, WHITE)


def draw_fence(
    canvas: Canvas, s: float, z0: float, z1: float, kind: str, rng: np.random.Generator, sunlit: float
) -> None:
    """A fence along the street from z0 (near) to z1: railings, boards, wall or guard rail."""
    light, side = canvas.light, -1.0 if s > 0 else 1.0
    normal = (side, 0.0, 0.0)
    height = {"railings": 1.1, "boards": 1.7, "wall": 0.9, "rail": 0.8}[kind] * float(rng.uniform(0.85, 1.25))
    middle = math.sqrt(max(z0, 1.0) * z1)
    base = {
        "railings": STEEL[rng.integers(len(STEEL))], "boards": (124, 96, 66), "rail": (168, 172, 174),
        "wall": ((142, 92, 74), (170, 152, 120), (150, 148, 142))[rng.integers(3)],
    }[kind]  # fmt: skip
    colour = light.colour(base, normal, middle, sunlit)
    quad = _strip(canvas, s, z0, z1, 0.0, height)
    solid = kind in ("boards", "wall")
    step = {"railings": 0.14 if middle < 25 else 0.3, "boards": 1.8, "wall": 4.0, "rail": 2.0}[kind]
    posts = _posts(canvas, s, np.arange(z0, z1, step), height)
    if solid:
        mark = BRICKWORK if kind == "wall" else BOARDS
        joint = light.colour(scaled(base, 0.8), normal, middle, sunlit)
        top = light.colour(scaled(base, 1.12), normal, middle, sunlit)
        canvas.fill(quad, colour, mark)
        canvas.lines(posts, 0.05 * canvas.camera.scale(middle), joint, mark)
        canvas.fill(_strip(canvas, s, z0, z1, height * 0.93, height), top, mark)
        return
    canvas.veil([[n for point in quad for n in point]], colour, 0.1 if middle < 25 else 0.25, FENCE)
    for low, high in ((0.86, 1.0), (0.05, 0.14)) if kind == "railings" else ((0.5, 1.0),):
        canvas.fill(_strip(canvas, s, z0, z1, height * low, height * high), colour, FENCE)
    canvas.lines(posts, max(1.0, 0.03 * canvas.camera.scale(middle)), colour, FENCE)


def _posts(canvas: Canvas, s: float, z: Floats, height: float) -> list[list[float]]:
    """Upright lines at the depths z."""
    ends = canvas.camera.points(np.full((len(z), 2), s), np.broadcast_to([0.0, height], (len(z), 2)), z[:, None])
    lines: list[list[float]] = ends.reshape(len(z), 4).tolist()
    return lines


def _strip(canvas: Canvas, s: float, z0: float, z1: float, y0: float, y1: float) -> list[Point]:
    point = canvas.camera.point
    middle = (z0 + z1) / 2
    return [
        point(s, y0, z0),
        point(s, y0, middle),
        point(s, y0, z1),
        point(s, y1, z1),
        point(s, y1, middle),
        point(s, y1, z0),
    ]
