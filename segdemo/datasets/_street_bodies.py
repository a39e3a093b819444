"""Meshes of cars, vans and buses: side profiles lofted to faces, with windows, lights, plates and wheels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from segdemo.datasets._street_canvas import Floats


@dataclass(frozen=True)
class Body:
    """Side profile from the rear bumper over the roof to the front bumper: (z, y, half width), in metres."""

    profile: tuple[tuple[float, float, float], ...]
    strips: tuple[str, ...]  # what covers the width between two profile points
    belt: tuple[int, int]  # profile points where the side windows begin and end
    pillars: tuple[float, ...]  # where the side windows are divided, 0..1 along the belt
    axles: tuple[float, float]
    wheel: float
    box: bool = False


BODIES: dict[str, Body] = {
    "hatchback": Body(
        ((0, 0.3, 0.8), (0, 0.62, 0.85), (0.12, 0.93, 0.84), (0.52, 1.38, 0.66), (0.85, 1.46, 0.62),
         (2.0, 1.45, 0.62), (2.85, 0.98, 0.8), (3.7, 0.82, 0.8), (3.95, 0.58, 0.78), (3.95, 0.28, 0.74)),
        ("bumper", "tail", "glass", "roof", "roof", "glass", "hood", "face", "bumper"),
        (2, 6), (0.36, 0.66), (0.7, 3.2), 0.31,
    ),
    "saloon": Body(
        ((0, 0.3, 0.82), (0, 0.68, 0.87), (0.1, 0.98, 0.84), (0.75, 1.02, 0.82), (1.35, 1.4, 0.64),
         (1.7, 1.44, 0.62), (2.6, 1.42, 0.62), (3.35, 0.98, 0.8), (4.3, 0.82, 0.8), (4.55, 0.58, 0.78),
         (4.55, 0.28, 0.74)),
        ("bumper", "tail", "hood", "glass", "roof", "roof", "glass", "hood", "face", "bumper"),
        (3, 7), (0.3, 0.62), (0.85, 3.7), 0.32,
    ),
    "estate": Body(
        ((0, 0.34, 0.84), (0, 0.7, 0.89), (0.08, 1.02, 0.87), (0.35, 1.5, 0.7), (0.6, 1.58, 0.66),
         (2.6, 1.56, 0.66), (3.4, 1.06, 0.83), (4.25, 0.92, 0.83), (4.5, 0.66, 0.82), (4.5, 0.32, 0.78)),
        ("bumper", "tail", "glass", "roof", "roof", "glass", "hood", "face", "bumper"),
        (2, 6), (0.28, 0.52, 0.76), (0.85, 3.65), 0.34,
    ),
    "van": Body(
        ((0, 0.35, 0.95), (0, 0.95, 0.98), (0.03, 1.25, 0.98), (0.1, 1.95, 0.9), (0.25, 2.15, 0.84),
         (3.6, 2.12, 0.84), (4.35, 1.3, 0.94), (5.0, 1.05, 0.92), (5.25, 0.7, 0.9), (5.25, 0.3, 0.86)),
        ("bumper", "tail", "glass", "roof", "roof", "glass", "hood", "face", "bumper"),
        (2, 6), (0.74,), (1.0, 4.3), 0.35, True,
    ),
    "bus": Body(
        ((0, 0.4, 1.22), (0, 1.3, 1.25), (0.02, 1.5, 1.25), (0.05, 2.6, 1.25), (0.2, 2.95, 1.2),
         (10.3, 2.95, 1.2), (10.5, 1.1, 1.25), (10.55, 1.0, 1.25), (10.6, 0.9, 1.22), (10.6, 0.35, 1.2)),
        ("bumper", "tail", "glass", "roof", "roof", "glass", "face", "face", "bumper"),
        (2, 6), (0.12, 0.25, 0.38, 0.5, 0.62, 0.75, 0.88), (2.6, 8.0), 0.5,
    ),
    "decker": Body(
        ((0, 0.4, 1.22), (0, 1.3, 1.25), (0.02, 1.5, 1.25), (0.05, 3.9, 1.25), (0.2, 4.3, 1.18),
         (10.3, 4.3, 1.18), (10.5, 1.1, 1.25), (10.55, 1.0, 1.25), (10.6, 0.9, 1.22), (10.6, 0.35, 1.2)),
        ("bumper", "tail", "glass", "roof", "roof", "glass", "face", "face", "bumper"),
        (2, 6), (0.12, 0.25, 0.38, 0.5, 0.62, 0.75, 0.88), (2.6, 8.0), 0.5,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Mesh:
    """Faces of one body: all corners (N, 3), where each face starts, its normal (F, 3) and what it shows."""

    corners: Floats
    starts: tuple[int, ...]
    normals: Floats
    kinds: tuple[str, ...]


class _Faces:
    """Collects faces in drawing order."""

    def __init__(self) -> None:
        self.corners: list[tuple[float, float, float]] = []
        self.starts = [0]
        self.normals: list[tuple[float, float, float]] = []
        self.kinds: list[str] = []

    def add(self, kind: str, normal: tuple[float, float, float], corners: list[tuple[float, float, float]]) -> None:
        self.corners.extend(corners)
        self.starts.append(len(self.corners))
        self.normals.append(normal)
        self.kinds.append(kind)

    def across(self, kind: str, lower: tuple[float, ...], upper: tuple[float, ...], x0: float, x1: float,
               t0: float = 0.0, t1: float = 1.0) -> None:  # fmt: skip
        """A quad over the width between two profile points; x in half widths, t along the profile edge."""
        a, b = (tuple(p + (q - p) * t for p, q in zip(lower, upper, strict=True)) for t in (t0, t1))
        dz, dy = upper[0] - lower[0], upper[1] - lower[1]
        length = math.hypot(dz, dy)
        self.add(
            kind,
            (0.0, dz / length, -dy / length),
            [(x0 * a[2], a[1], a[0]), (x1 * a[2], a[1], a[0]), (x1 * b[2], b[1], b[0]), (x0 * b[2], b[1], b[0])],
        )


@cache
def mesh(name: str) -> Mesh:
    """The faces of a named body, centred on its length, built once."""
    body = BODIES[name]
    faces = _Faces()
    _add_underside(faces, body)
    upper = [kind in ("glass", "roof") for kind in body.strips]
    _add_strips(faces, body, [i for i, high in enumerate(upper) if not high])
    for side in (-1.0, 1.0):
        _add_side(faces, body, side)
    _add_strips(faces, body, [i for i, high in enumerate(upper) if high])
    for side in (-1.0, 1.0):
        _add_windows(faces, body, side)
    corners = np.array(faces.corners)
    corners[:, 2] -= body.profile[-1][0] / 2
    return Mesh(corners, tuple(faces.starts), np.array(faces.normals), tuple(faces.kinds))


def _add_underside(faces: _Faces, body: Body) -> None:
    length = body.profile[-1][0]
    width = body.profile[0][2] * 0.93
    for z, facing in ((0.25, -1.0), (length - 0.25, 1.0)):
        faces.add("under", (0, 0, facing), [(-width, 0.14, z), (width, 0.14, z), (width, 0.5, z), (-width, 0.5, z)])
    for side in (-width, width):
        faces.add(
            "under",
            (side, 0, 0),
            [(side, 0.14, 0.3), (side, 0.14, length - 0.3), (side, 0.5, length - 0.3), (side, 0.5, 0.3)],
        )
    for axle, facing in ((body.axles[0] - body.wheel, -1.0), (body.axles[1] + body.wheel, 1.0)):
        for side in (-1.0, 1.0):
            outer, inner = side * width * 1.02, side * (width - 0.2)
            z = axle + facing * -0.12
            faces.add("tyre", (0, 0, facing), [(inner, 0, z), (outer, 0, z), (outer, 0.5, z), (inner, 0.5, z)])


def _add_strips(faces: _Faces, body: Body, chosen: list[int]) -> None:
    for i in chosen:
        lower, upper, kind = body.profile[i], body.profile[i + 1], body.strips[i]
        faces.across("paint" if kind != "bumper" else "bumper", lower, upper, -1, 1)
        if kind == "glass":
            faces.across("glass", lower, upper, -0.9, 0.9, 0.06, 0.94)
            faces.across("shine", lower, upper, -0.9, 0.9, 0.55, 0.94)
        elif kind == "tail":
            faces.across("red", lower, upper, -0.97, -0.68, 0.2, 0.9)
            faces.across("red", lower, upper, 0.68, 0.97, 0.2, 0.9)
            faces.across("rear plate", lower, upper, -0.28, 0.28, 0.18, 0.52)
        elif kind == "face" and i == len(body.strips) - 2:
            faces.across("lamp", lower, upper, -0.95, -0.55, 0.15, 0.75)
            faces.across("lamp", lower, upper, 0.55, 0.95, 0.15, 0.75)
            faces.across("grille", lower, upper, -0.45, 0.45, 0.3, 0.9)
        elif kind == "bumper" and i > 0:
            faces.across("front plate", lower, upper, -0.28, 0.28, 0.15, 0.55)


def _add_side(faces: _Faces, body: Body, side: float) -> None:
    first, last = body.belt
    whole = [(side * w, y, z) for z, y, w in body.profile]
    normal = (side, 0.12, 0.0)
    faces.add("side", normal, whole[: first + 1] + whole[last:])
    sill = 0.36
    length = body.profile[-1][0]
    width = side * body.profile[1][2]
    faces.add(
        "sill",
        normal,
        [
            (width * 0.97, 0.28, 0.1),
            (width * 0.97, 0.28, length - 0.1),
            (width, sill, length - 0.05),
            (width, sill, 0.05),
        ],
    )
    shoulder = (body.profile[1][1] + body.profile[first][1]) / 2
    low = [
        (width * 0.985, 0.33, 0.04),
        (width * 0.985, 0.33, length - 0.04),
        (width, shoulder, length - 0.1),
        (width, shoulder, 0.02),
    ]
    faces.add("panel", (side, -0.2, 0.0), low)
    for share in (0.0, *body.pillars[-2:]):
        z = (
            body.profile[first][0]
            + (body.profile[last][0] - body.profile[first][0]) * share
            + (0.25 if not share else 0.0)
        )
        faces.add(
            "seam",
            normal,
            [
                (width, 0.36, z),
                (width, 0.36, z + 0.03),
                (width, body.profile[first][1], z + 0.03),
                (width, body.profile[first][1], z),
            ],
        )
    for axle in body.axles:
        for kind, radius, out in (
            ("arch", body.wheel * 1.18, 1.0),
            ("tyre", body.wheel, 1.005),
            ("hub", body.wheel * 0.62, 1.01),
        ):
            ring = [
                (width * out, body.wheel + radius * math.sin(a), axle + radius * math.cos(a))
                for a in (k * math.tau / 14 for k in range(14))
            ]
            faces.add(kind, normal, ring)


def _add_windows(faces: _Faces, body: Body, side: float) -> None:
    first, last = body.belt
    house = [(side * w, y, z) for z, y, w in body.profile[first : last + 1]]
    normal = (side * 0.95, 0.3, 0.0)
    faces.add("side", normal, house)
    z0, y0, w0 = body.profile[first]
    z1, y1, w1 = body.profile[last]
    roof = max(y for _, y, _ in body.profile)
    rows = ((0.1, 0.84),) if roof < 3.5 else ((0.06, 0.36), (0.56, 0.86))
    cuts = (0.0, *body.pillars, 1.0)
    for low, high in rows:
        for a, b in zip(cuts[:-1], cuts[1:], strict=True):
            if body.box and a == 0.0:
                continue  # a panel van has no glass behind the door
            faces.add("glass", normal, _pane(body, side, a, b, low, high))


def _pane(body: Body, side: float, a: float, b: float, low: float, high: float) -> list[tuple[float, float, float]]:
    """One side window between shares a..b of the belt, low..high of the greenhouse height, kept inside the outline."""
    first, last = body.belt
    outline = np.array(body.profile[first : last + 1])
    z0, z1 = outline[0, 0], outline[-1, 0]
    belt_y = max(outline[0, 1], outline[-1, 1])
    top_y = outline[:, 1].max()
    bottom, top = belt_y + (top_y - belt_y) * low, belt_y + (top_y - belt_y) * high
    peak = int(np.argmax(outline[:, 1]))
    front = len(outline) - 2

    def limits(y: float) -> tuple[float, float]:
        rear = float(np.interp(y, outline[: peak + 1, 1], outline[: peak + 1, 0]))
        fore = float(np.interp(-y, -outline[front:, 1], outline[front:, 0]))
        return rear + 0.1, fore - 0.1

    def at(share: float, y: float) -> tuple[float, float, float]:
        rear, fore = limits(y)
        gap = 0.04 if share in (a,) else -0.04
        z = min(max(z0 + (z1 - z0) * share + gap, rear), fore)
        lift = (y - belt_y) / (top_y - belt_y)
        width = outline[0, 2] + (outline[peak, 2] - outline[0, 2]) * lift
        return side * float(width), y, z

    return [at(a, bottom), at(b, bottom), at(b, top), at(a, top)]
