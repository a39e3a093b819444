"""Camera, light and the two canvases (picture and tags) on which a street scene is drawn.

Street coordinates are metres: `s` to the right of the camera, `y` above the road, `z` ahead along the street. The
projection bends them (curve and hill), so that everything placed along the street follows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[float, float, float]
Point = tuple[float, float]
Paint = tuple[int, int, int]  # as the camera sees it, 0..255
Vector = tuple[float, float, float]
Outline = Sequence[Point] | list[float]  # corners, or u, v, u, v, ...
Tags = npt.NDArray[np.int32]
Floats = npt.NDArray[np.floating]

SUPERSAMPLE = 2
NEAREST = 0.6  # metres; anything closer is drawn at this depth
UP: Vector = (0.0, 1.0, 0.0)
TOWARDS_CAMERA: Vector = (0.0, 0.0, -1.0)


class StreetClass(IntEnum):
    """CamVid-11 class ids."""

    SKY = 0
    BUILDING = 1
    POLE = 2
    ROAD = 3
    PAVEMENT = 4
    TREE = 5
    SIGN = 6
    FENCE = 7
    CAR = 8
    PEDESTRIAN = 9
    BICYCLIST = 10


class Material(IntEnum):
    """Which texture the finishing pass lays over a pixel."""

    SMOOTH = 0
    ASPHALT = 1
    PAVING = 2
    GRASS = 3
    FOLIAGE = 4
    WALL = 5
    SKY = 6


def tag(label: StreetClass, material: Material = Material.SMOOTH, instance: int = 0) -> int:
    """Pack class, material and instance number into the one integer kept per pixel."""
    return int(label) | int(material) << 8 | instance << 16


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` 0 gives the first, 1 the second."""
    keep = 1.0 - share
    return (
        first[0] * keep + second[0] * share,
        first[1] * keep + second[1] * share,
        first[2] * keep + second[2] * share,
    )


def scaled(colour: Colour, gain: float) -> Colour:
    """A lighter (gain above 1) or darker colour."""
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera with shifted horizon and slight roll; lengths on the canvas are supersampled pixels."""

    size_hw: tuple[int, int]
    focal: float
    horizon: float
    height_m: float
    heading: float
    bend: float
    hill: float
    roll: float

    @property
    def centre(self) -> float:
        return self.size_hw[1] / 2

    def scale(self, z: float) -> float:
        """Canvas pixels per metre at depth z."""
        return self.focal / max(z, NEAREST)

    def drift(self, z: float) -> float:
        """How far the street has moved to the right, in metres, at depth z."""
        return (self.heading + 0.5 * self.bend * z) * z

    def point(self, s: float, y: float, z: float) -> Point:
        """Project one street point."""
        z = max(z, NEAREST)
        u = self.focal * (s / z + self.heading + 0.5 * self.bend * z)
        v = self.focal * ((self.height_m - y) / z - 0.5 * self.hill * z)
        return self.centre + u + self.roll * v, self.horizon + v - self.roll * u

    def faces(self, s: Floats, y: Floats, z: Floats, normals: Floats) -> npt.NDArray[np.bool_]:
        """Whether surfaces at street points (N,) with normals (N, 3) turn towards the camera, street bend included."""
        view = -(s + (self.heading + 0.5 * self.bend * z) * z), self.height_m - y, -z
        bent = normals[:, 2] - normals[:, 0] * (self.heading + self.bend * z)
        return normals[:, 0] * view[0] + normals[:, 1] * view[1] + bent * view[2] > 0

    def points(self, s: Floats, y: Floats, z: Floats) -> Floats:
        """Project street points of any common shape (...) to (..., 2)."""
        z = np.maximum(z, NEAREST)
        u = self.focal * (s / z + self.heading + 0.5 * self.bend * z)
        v = self.focal * ((self.height_m - y) / z - 0.5 * self.hill * z)
        flat = np.empty((*u.shape, 2))
        flat[..., 0] = self.centre + u + self.roll * v
        flat[..., 1] = self.horizon + v - self.roll * u
        return flat


@dataclass(frozen=True)
class Light:
    """Sun, sky light and haze of one scene; colours are 0..255, strengths about 0..1.3."""

    sun: Vector
    direct: float
    ambient: float
    sun_tint: Colour
    sky_tint: Colour
    haze: Colour
    haze_per_m: float
    lamps_on: bool

    def colour(self, base: Colour, normal: Vector, z: float, sunlit: float = 1.0) -> Paint:
        """Surface colour as the camera sees it from z metres away."""
        facing = normal[0] * self.sun[0] + normal[1] * self.sun[1] + normal[2] * self.sun[2]
        direct = self.direct * sunlit * facing if facing > 0 else 0.0
        ambient = self.ambient * (0.86 + 0.14 * normal[1])
        clear = math.exp(-max(z, 0.0) * self.haze_per_m)
        veil = 1.0 - clear
        (r, g, b), sky, sun, haze = base, self.sky_tint, self.sun_tint, self.haze
        return (
            min(255, int(r * (ambient * sky[0] + direct * sun[0]) * clear + haze[0] * veil)),
            min(255, int(g * (ambient * sky[1] + direct * sun[1]) * clear + haze[1] * veil)),
            min(255, int(b * (ambient * sky[2] + direct * sun[2]) * clear + haze[2] * veil)),
        )

    def glow(self, base: Colour, z: float) -> Paint:
        """Colour of something that shines by itself (lamp, lit window)."""
        veil = 1.0 - math.exp(-max(z, 0.0) * self.haze_per_m)
        r, g, b = mix(base, self.haze, veil)
        return min(255, int(r)), min(255, int(g)), min(255, int(b))

    @property
    def shadow_depth(self) -> float:
        """Share of the ground's light that a full shadow takes away."""
        direct = self.direct * max(self.sun[1], 0.0)
        return direct / (direct + self.ambient)


class Canvas:
    """Draws faces far to near; each pixel keeps the number of its face, so picture and labels cannot disagree.

    Face 0 is the sky. `resolve` looks up the faces' colours and tags.
    """

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera = camera
        self.light = light
        height, width = camera.size_hw
        self.size_wh = (width, height)
        self._faces = Image.new("I", self.size_wh, 0)
        self._shadows = Image.new("L", (width // SUPERSAMPLE, height // SUPERSAMPLE), 0)
        self._pen = ImageDraw.Draw(self._faces)
        self._shadow_pen = ImageDraw.Draw(self._shadows)
        self._colours: list[tuple[int, int, int, int]] = [(0, 0, 0, 255)]  # red, green, blue, share of sky
        self._marks = [tag(StreetClass.SKY, Material.SKY)]

    def _face(self, colour: Paint, mark: int) -> int:
        self._colours.append((*colour, 0))
        self._marks.append(mark)
        return len(self._marks) - 1

    def fill(self, points: Outline, colour: Paint, mark: int) -> None:
        """Fill a polygon."""
        self._pen.polygon(points, fill=self._face(colour, mark))

    def fill_all(self, outlines: Sequence[Outline], colour: Paint, mark: int) -> None:
        """Fill polygons that share colour and tag."""
        face = self._face(colour, mark)
        for outline in outlines:
            self._pen.polygon(outline, fill=face)

    def lines(self, segments: Sequence[Outline], width: float, colour: Paint, mark: int) -> None:
        """Draw lines `width` canvas pixels wide."""
        face, pixels = self._face(colour, mark), max(1, round(width))
        for segment in segments:
            self._pen.line(segment, fill=face, width=pixels)

    def veil(self, outlines: Sequence[list[float]], colour: Paint, strength: float, mark: int) -> None:
        """Tint the union of polygons (u, v, u, v, ...) so that what lies behind shows through; strength 0..1."""
        width, height = self.size_wh
        left = int(np.clip(min(min(o[::2]) for o in outlines), 0, width))
        top = int(np.clip(min(min(o[1::2]) for o in outlines), 0, height))
        right = int(np.clip(max(max(o[::2]) for o in outlines) + 1, 0, width))
        bottom = int(np.clip(max(max(o[1::2]) for o in outlines) + 1, 0, height))
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top), 0)
        pen = ImageDraw.Draw(mask)
        for outline in outlines:
            pen.polygon([n - (top if k % 2 else left) for k, n in enumerate(outline)], fill=255)
        behind = np.asarray(self._faces.crop((left, top, right, bottom)))
        used = np.flatnonzero(np.bincount(behind.ravel(), minlength=len(self._marks)))
        tinted = np.zeros(len(self._marks), dtype=np.int32)
        tinted[used] = np.arange(len(used)) + len(self._marks)
        keep, add = 1 - strength, [c * strength for c in colour]
        for r, g, b, sky in (self._colours[face] for face in used.tolist()):
            self._colours.append(
                (int(r * keep + add[0]), int(g * keep + add[1]), int(b * keep + add[2]), int(sky * keep))
            )
        self._marks.extend([mark] * len(used))
        self._faces.paste(Image.fromarray(tinted[behind]), (left, top), mask)

    def resolve(self, sky: Floats) -> tuple[Floats, Tags, Floats]:
        """Picture (H, W, 3) and ground shadow (H, W, 0..1) in float32, and tags (H, W); `sky` is its upper rows."""
        faces = np.asarray(self._faces)
        packed = np.take(np.array(self._colours, dtype=np.uint8).view(np.uint32)[:, 0], faces, mode="clip")
        colours = np.asarray(Image.frombuffer("RGBX", self.size_wh, packed).reduce(SUPERSAMPLE))
        picture = colours[..., :3].astype(np.float32)
        rows = len(sky)
        picture[:rows] += sky * (colours[:rows, :, 3:] * np.float32(1 / 255))
        start = SUPERSAMPLE // 2
        tags = np.take(
            np.array(self._marks, dtype=np.int32), faces[start::SUPERSAMPLE, start::SUPERSAMPLE], mode="clip"
        )
        soft = self._shadows.filter(ImageFilter.BoxBlur(max(0.5, self.size_wh[0] / SUPERSAMPLE / 600)))
        return picture, tags, np.asarray(soft, dtype=np.float32) / 255

    def sees(self, left: float, right: float) -> bool:
        """Whether the canvas columns left..right are at least partly in the picture."""
        return right > 0 and left < self.size_wh[0]

    def shade(self, street_points: Sequence[Vector], strength: float) -> None:
        """Darken the ground under a polygon of street points; strength 0..1."""
        half = 1 / SUPERSAMPLE
        project = self.camera.point
        flat = [(u * half, v * half) for u, v in (project(s, y, z) for s, y, z in street_points)]
        self._shadow_pen.polygon(flat, fill=int(255 * strength))

    def shade_many(self, s: Floats, z: Floats, strength: float) -> None:
        """Darken the ground under many polygons, corners (polygons, corners) in metres."""
        outlines = self.camera.points(s, np.zeros_like(s), z) / SUPERSAMPLE
        for outline in outlines.reshape(len(s), -1).tolist():
            self._shadow_pen.polygon(outline, fill=int(255 * strength))
