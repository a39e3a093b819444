"""Cars, vans and buses standing in the street: colours, light and shadows of their meshes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from segdemo.datasets._street_bodies import BODIES, mesh
from segdemo.datasets._street_canvas import Canvas, Colour, Paint, scaled

PAINTS: tuple[Colour, ...] = (
    (196, 200, 204), (168, 172, 178), (120, 124, 130), (58, 62, 68), (30, 32, 36), (232, 232, 228),
    (150, 28, 30), (188, 44, 36), (28, 52, 110), (48, 92, 150), (20, 70, 60), (206, 180, 120),
    (90, 120, 150), (110, 36, 60), (222, 160, 30), (70, 96, 70),
)  # fmt: skip
GLASS: Colour = (44, 52, 60)
TYRE: Colour = (26, 26, 28)
TRIM: Colour = (46, 47, 50)


@dataclass(frozen=True)
class Vehicle:
    """One vehicle: body, paint, place of its centre, heading (0 = away from the camera), brake lights."""

    body: str
    paint: Colour
    s: float
    z: float
    turn: float
    size: float
    braking: bool

    @property
    def nearest(self) -> float:
        """Depth of its nearest point."""
        length = BODIES[self.body].profile[-1][0] * self.size
        return self.z - abs(math.cos(self.turn)) * length / 2 - abs(math.sin(self.turn)) * 0.9

    def draw(self, canvas: Canvas, mark: int, sunlit: float) -> None:
        """Draw it with contact and cast shadow."""
        shape = mesh(self.body)
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        x, y, length = (shape.corners * self.size).T
        s, z = self.s + x * cos + length * sin, self.z - x * sin + length * cos
        normals = shape.normals.copy()
        normals[:, 0], normals[:, 2] = (
            shape.normals[:, 0] * cos + shape.normals[:, 2] * sin,
            shape.normals[:, 2] * cos - shape.normals[:, 0] * sin,
        )
        camera = canvas.camera
        first = list(shape.starts[:-1])
        seen = camera.faces(s[first], y[first], z[first], normals)
        flat = camera.points(s, y, z).ravel().tolist()
        self._shade_ground(canvas, sunlit)
        for i, kind in enumerate(shape.kinds):
            if seen[i]:
                colour = self._colour(canvas, kind, tuple(normals[i]), sunlit)
                canvas.fill(flat[2 * shape.starts[i] : 2 * shape.starts[i + 1]], colour, mark)

    def _shade_ground(self, canvas: Canvas, sunlit: float) -> None:
        profile = BODIES[self.body].profile
        half_length, half_width = profile[-1][0] * self.size / 2, profile[1][2] * self.size
        cos, sin = math.cos(self.turn), math.sin(self.turn)

        def at(x: float, length: float, height: float) -> tuple[float, float, float]:
            sun = canvas.light.sun
            reach = height / max(sun[1], 0.25)
            return (
                self.s + x * cos + length * sin - sun[0] * reach,
                0.0,
                self.z - x * sin + length * cos - sun[2] * reach,
            )

        corners = [
            (-half_width, -half_length),
            (half_width, -half_length),
            (half_width, half_length),
            (-half_width, half_length),
        ]
        if sunlit > 0.5 and canvas.light.direct > 0.25:
            height = max(p[1] for p in profile) * 0.9
            for i in range(4):
                a, b = corners[i], corners[(i + 1) % 4]
                canvas.shade([at(*a, 0), at(*b, 0), at(*b, height), at(*a, height)], 0.85)
        canvas.shade([at(x * 1.04, length * 1.01, 0) for x, length in corners], 1.0)

    def _colour(self, canvas: Canvas, kind: str, normal: tuple[float, ...], sunlit: float) -> Paint:
        light, z = canvas.light, self.z
        n = (normal[0], normal[1], normal[2])
        if kind == "red":
            return light.glow((235, 40, 30), z) if self.braking else light.colour((150, 20, 22), n, z, sunlit)
        if kind == "lamp" and light.lamps_on:
            return light.glow((255, 246, 214), z)
        if kind in ("glass", "shine"):
            sky = 0.5 * max(n[1], 0.0) + (0.16 if kind == "shine" else 0.06)
            base = tuple(g + (h - g) * sky for g, h in zip(GLASS, light.haze, strict=True))
            return light.colour((base[0], base[1], base[2]), n, z, 0.3 * sunlit)
        base = {
            "bumper": scaled(self.paint, 0.82), "under": (22, 22, 24), "tyre": TYRE, "arch": (20, 20, 22),
            "hub": (150, 152, 156), "lamp": (225, 230, 232), "grille": TRIM, "rear plate": (228, 196, 60),
            "front plate": (228, 228, 224), "sill": scaled(self.paint, 0.6), "seam": scaled(self.paint, 0.6),
        }.get(kind, self.paint)  # fmt: skip
        return light.colour((base[0], base[1], base[2]), n, z, sunlit)
