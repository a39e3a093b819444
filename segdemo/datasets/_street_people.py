"""Pedestrians and cyclists: jointed flat figures that face the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from segdemo.datasets._street_canvas import Canvas, Colour, Paint, Point, scaled

SKINS: tuple[Colour, ...] = ((232, 190, 160), (214, 166, 132), (176, 124, 92), (122, 82, 58), (84, 56, 42))
HAIRS: tuple[Colour, ...] = ((40, 30, 26), (80, 56, 36), (150, 112, 60), (110, 106, 104), (24, 22, 24))
TOPS: tuple[Colour, ...] = (
    (34, 36, 44), (56, 62, 74), (88, 30, 34), (36, 60, 98), (70, 84, 60), (150, 140, 120), (186, 60, 48),
    (210, 206, 196), (60, 110, 120), (196, 150, 50), (110, 70, 110), (24, 24, 26),
)  # fmt: skip
BOTTOMS: tuple[Colour, ...] = ((40, 48, 70), (30, 30, 34), (66, 64, 62), (120, 108, 90), (54, 70, 100), (84, 60, 48))
HIGH_VISIBILITY: Colour = (206, 230, 50)


@dataclass(frozen=True)
class Person:
    """Looks and stride of one figure; `stride` in radians of leg swing, `facing` -1, 0, 1 (left, camera, right)."""

    s: float
    z: float
    height: float
    stride: float
    facing: int
    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    bag: bool
    skirt: bool
    cycling: bool

    def draw(self, canvas: Canvas, mark: int, sunlit: float) -> None:
        """Draw the figure with its shadow."""
        figure = _Figure(canvas, self.s, self.z, mark, sunlit)
        figure.shadow(self.height, 0.26 if not self.cycling else 0.4)
        if self.cycling and self.facing:
            _draw_cyclist_side(figure, self)
        elif self.cycling:
            _draw_cyclist_end(figure, self)
        else:
            _draw_walker(figure, self)


def random_person(rng: np.random.Generator, s: float, z: float, cycling: bool = False) -> Person:
    """A figure with random build, clothes and pose."""
    pick = rng.random(8)
    return Person(
        s=s,
        z=z,
        height=(1.08 + 0.3 * pick[0]) if pick[1] < 0.1 and not cycling else 1.58 + 0.28 * pick[0],
        stride=float(rng.uniform(0.05, 0.5)),
        facing=int(rng.integers(-1, 2)),
        skin=SKINS[rng.integers(len(SKINS))],
        hair=HAIRS[rng.integers(len(HAIRS))],
        top=HIGH_VISIBILITY if pick[2] < (0.25 if cycling else 0.04) else TOPS[rng.integers(len(TOPS))],
        bottom=BOTTOMS[rng.integers(len(BOTTOMS))],
        bag=bool(pick[3] < 0.35),
        skirt=bool(pick[4] < 0.2),
        cycling=cycling,
    )


class _Figure:
    """Draws shapes given in metres relative to a spot on the ground."""

    def __init__(self, canvas: Canvas, s: float, z: float, mark: int, sunlit: float) -> None:
        self.canvas, self.s, self.z, self.mark, self.sunlit = canvas, s, z, mark, sunlit
        self.u, self.v = canvas.camera.point(s, 0.0, z)
        self.scale = canvas.camera.scale(z)
        side = -0.6 if canvas.light.sun[0] < 0 else 0.6
        self.normal = (side * 0.6, 0.3, -0.74)

    def colour(self, base: Colour, gain: float = 1.0) -> Paint:
        return self.canvas.light.colour(scaled(base, gain), self.normal, self.z, self.sunlit)

    def shape(self, points: list[Point], base: Colour, gain: float = 1.0) -> None:
        flat = [(self.u + x * self.scale, self.v - y * self.scale) for x, y in points]
        self.canvas.fill(flat, self.colour(base, gain), self.mark)

    def limb(self, a: Point, b: Point, wa: float, wb: float, base: Colour, gain: float = 1.0) -> None:
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length / 2, dx / length / 2
        self.shape(
            [(a[0] + nx * wa, a[1] + ny * wa), (b[0] + nx * wb, b[1] + ny * wb),
             (b[0] - nx * wb, b[1] - ny * wb), (a[0] - nx * wa, a[1] - ny * wa)], base, gain)  # fmt: skip

    def disc(self, x: float, y: float, rx: float, ry: float, base: Colour, gain: float = 1.0) -> None:
        ring = [(x + rx * math.cos(k * math.tau / 12), y + ry * math.sin(k * math.tau / 12)) for k in range(12)]
        self.shape(ring, base, gain)

    def shadow(self, height: float, half_width: float) -> None:
        light, s, z = self.canvas.light, self.s, self.z
        if self.sunlit > 0.5 and light.direct > 0.25:
            reach = height / max(light.sun[1], 0.25)
            ds, dz = -light.sun[0] * reach, -light.sun[2] * reach
            w = half_width * 0.7
            self.canvas.shade([(s - w, 0, z), (s + w, 0, z), (s + w + ds, 0, z + dz), (s - w + ds, 0, z + dz)], 0.8)
        ring = [
            (s + half_width * math.cos(k * 0.785), 0.0, z + half_width * 0.6 * math.sin(k * 0.785)) for k in range(8)
        ]
        self.canvas.shade(ring, 0.75)


def _draw_walker(figure: _Figure, p: Person) -> None:
    h = p.height
    hip, shoulder, swing = 0.5 * h, 0.82 * h, math.sin(p.stride) * 0.42 * h
    spread = 0.09 if p.facing == 0 else 0.0
    for sign, gain in ((-1, 0.82), (1, 1.0)):
        foot = (sign * (swing if p.facing else spread), 0.03)
        knee = (foot[0] * 0.45 + (0.03 * p.facing if sign > 0 else 0.0), 0.27 * h)
        figure.limb((sign * spread * 0.8, hip), knee, 0.17, 0.13, p.bottom, gain)
        figure.limb(knee, foot, 0.13, 0.09, p.bottom, gain * 0.95)
        figure.shape(
            [(foot[0] - 0.07, 0.0), (foot[0] + 0.09, 0.0), (foot[0] + 0.06, 0.08), (foot[0] - 0.06, 0.08)], (34, 30, 30)
        )
    if p.skirt:
        figure.shape([(-0.13, hip + 0.12), (0.13, hip + 0.12), (0.22, 0.3 * h), (-0.22, 0.3 * h)], p.top, 0.9)
    half = 0.15 if p.facing else 0.22
    arm = math.sin(p.stride) * 0.3
    figure.limb(
        (-half * 0.85, shoulder - 0.02), (-half - 0.03 - arm * (p.facing != 0), hip + 0.02), 0.11, 0.08, p.top, 0.78
    )
    figure.shape(
        [(-half * 0.8, hip - 0.04), (half * 0.8, hip - 0.04), (half, shoulder - 0.08), (half * 0.7, shoulder + 0.02),
         (-half * 0.7, shoulder + 0.02), (-half, shoulder - 0.08)], p.top)  # fmt: skip
    figure.shape(
        [(0.02, hip - 0.04), (half * 0.8, hip - 0.04), (half, shoulder - 0.08), (half * 0.5, shoulder)], p.top, 0.86
    )
    hand = (half + 0.03 + arm * (p.facing != 0), hip)
    figure.limb((half * 0.85, shoulder - 0.02), hand, 0.11, 0.08, p.top, 0.92)
    figure.disc(hand[0], hand[1] - 0.03, 0.045, 0.05, p.skin)
    if p.bag:
        figure.shape(
            [
                (-half - 0.1, hip - 0.1),
                (-half + 0.12, hip - 0.1),
                (-half + 0.12, hip + 0.22),
                (-half - 0.1, hip + 0.22),
            ],
            p.bottom,
            0.7,
        )
    _draw_head(figure, p, 0.02 * p.facing, h)


def _draw_head(figure: _Figure, p: Person, x: float, top: float) -> None:
    figure.limb((x * 0.5, top - 0.3), (x, top - 0.18), 0.1, 0.1, p.skin, 0.85)
    figure.disc(x - 0.015 * p.facing, top - 0.1, 0.1, 0.125, p.hair)
    if p.facing or p.stride > 0.25:
        figure.disc(x + 0.03 * p.facing, top - 0.135, 0.078, 0.095, p.skin)


def _wheel(figure: _Figure, x: float, radius: float) -> None:
    spokes = (96, 98, 100)
    figure.disc(x, radius, radius, radius, (30, 30, 32))
    figure.disc(x, radius, radius * 0.86, radius * 0.86, spokes)
    figure.disc(x, radius, 0.04, 0.04, (40, 40, 42))


def _draw_cyclist_side(figure: _Figure, p: Person) -> None:
    f = p.facing
    frame = (160, 40, 40) if p.bag else (40, 60, 80)
    for x in (-0.52, 0.52):
        _wheel(figure, x, 0.34)
    joints = {"rear": (-0.52 * f, 0.34), "crank": (-0.05 * f, 0.3), "seat": (-0.2 * f, 0.9), "head": (0.36 * f, 0.85),
              "front": (0.52 * f, 0.34), "bar": (0.38 * f, 1.02)}  # fmt: skip
    for a, b in (
        ("rear", "crank"),
        ("rear", "seat"),
        ("seat", "crank"),
        ("crank", "head"),
        ("seat", "head"),
        ("head", "front"),
        ("head", "bar"),
    ):
        figure.limb(joints[a], joints[b], 0.045, 0.045, frame)
    hip, shoulder = (-0.2 * f, 1.0), (0.12 * f, 1.48)
    for phase, gain in ((p.stride * 6, 1.0), (p.stride * 6 + math.pi, 0.8)):
        foot = (-0.05 * f + 0.16 * math.cos(phase), 0.3 + 0.16 * math.sin(phase))
        knee = ((hip[0] + foot[0]) / 2 + 0.2 * f, (hip[1] + foot[1]) / 2 + 0.1)
        figure.limb(hip, knee, 0.18, 0.14, p.bottom, gain)
        figure.limb(knee, foot, 0.14, 0.09, p.bottom, gain)
        figure.shape(
            [
                (foot[0] - 0.08, foot[1] - 0.04),
                (foot[0] + 0.1, foot[1] - 0.04),
                (foot[0] + 0.08, foot[1] + 0.04),
                (foot[0] - 0.08, foot[1] + 0.04),
            ],
            (30, 28, 30),
        )
    figure.limb(hip, shoulder, 0.28, 0.34, p.top)
    figure.limb(shoulder, joints["bar"], 0.12, 0.09, p.top, 0.85)
    figure.limb(shoulder, (0.2 * f, 1.62), 0.12, 0.1, p.skin, 0.9)
    _draw_head(figure, p, 0.22 * f, 1.82)
    if p.skirt or p.bag:
        figure.disc(0.2 * f, 1.8, 0.13, 0.09, p.top, 1.15)


def _draw_cyclist_end(figure: _Figure, p: Person) -> None:
    figure.limb((0, 0.0), (0, 0.7), 0.07, 0.06, (28, 28, 30))
    figure.limb((-0.28, 1.02), (0.28, 1.02), 0.05, 0.05, (36, 36, 40))
    lift = 0.14 * math.sin(p.stride * 6)
    for sign, rise in ((-1, lift), (1, -lift)):
        foot = (sign * 0.12, 0.22 + rise)
        knee = (sign * 0.17, 0.62 + rise * 0.6)
        figure.limb((sign * 0.1, 1.0), knee, 0.18, 0.14, p.bottom, 0.95)
        figure.limb(knee, foot, 0.13, 0.1, p.bottom, 0.85)
        figure.disc(foot[0], foot[1] - 0.03, 0.06, 0.05, (30, 28, 30))
    for sign in (-1, 1):
        figure.limb((sign * 0.19, 1.45), (sign * 0.29, 1.2), 0.12, 0.1, p.top, 0.82)
        figure.limb((sign * 0.29, 1.2), (sign * 0.25, 1.04), 0.1, 0.08, p.top, 0.82)
    figure.shape([(-0.17, 0.92), (0.17, 0.92), (0.23, 1.42), (0.14, 1.52), (-0.14, 1.52), (-0.23, 1.42)], p.top)
    if p.bag:
        figure.shape([(-0.14, 1.08), (0.14, 1.08), (0.15, 1.4), (-0.15, 1.4)], p.bottom, 0.9)
    _draw_head(figure, p, 0.0, 1.82)
    if p.skirt or p.bag:
        figure.disc(0.0, 1.77, 0.12, 0.08, p.top, 1.15)
