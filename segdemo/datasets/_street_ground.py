"""Road, markings, kerbs, pavements, verges, side streets and the distant skyline."""

from __future__ import annotations

import numpy as np

from segdemo.datasets._street_canvas import (
    TOWARDS_CAMERA,
    UP,
    Canvas,
    Colour,
    Floats,
    Material,
    Paint,
    StreetClass,
    mix,
    scaled,
    tag,
)  # fmt: skip
from segdemo.datasets._street_section import FAR, Side, Street

ROAD = tag(StreetClass.ROAD, Material.ASPHALT)
PAVEMENT = tag(StreetClass.PAVEMENT, Material.PAVING)
GRASS = tag(StreetClass.TREE, Material.GRASS)
DEPTHS = np.geomspace(0.6, FAR, 30)
PAINT: Colour = (214, 212, 204)
YELLOW: Colour = (206, 172, 60)


def _along(canvas: Canvas, s: float, depths: Floats) -> list[float]:
    flat: list[float] = canvas.camera.points(np.full(depths.shape, s), np.zeros(depths.shape), depths).ravel().tolist()
    return flat


def _band(canvas: Canvas, s0: float, s1: float, colour: Paint, mark: int, z0: float = 0.6, z1: float = FAR) -> None:
    """A strip of ground between two lines along the street."""
    inside = DEPTHS[(z0 < DEPTHS) & (z1 > DEPTHS)]
    depths = np.concatenate([[z0], inside, [z1]])
    canvas.fill(_along(canvas, s0, depths) + _along(canvas, s1, depths[::-1]), colour, mark)


def draw_skyline(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    """Hazy roofs and trees beyond the end of the street, across the whole picture."""
    light, camera = canvas.light, canvas.camera
    reach = FAR * canvas.size_wh[0] / camera.focal
    middle = -camera.drift(FAR)
    for _ in range(45):
        z = FAR * float(rng.uniform(0.8, 1.3))
        s = middle + float(rng.uniform(-reach, reach)) * 0.75
        w, h = float(rng.uniform(5, 16)), float(rng.uniform(4, 13))
        u, v = camera.point(s, -1.0, z)
        k = camera.scale(z)
        if rng.random() < 0.55:
            n = 10
            angle = np.linspace(0, np.pi, n)
            bumps = rng.uniform(0.75, 1.1, n)
            ring = [
                (u + w * k * float(np.cos(a)) * b * 0.7, v - h * k * float(np.sin(a)) * b)
                for a, b in zip(angle, bumps, strict=True)
            ]
            canvas.fill(
                ring, light.colour(scaled(street.leaf, 0.8), UP, z * 1.2), tag(StreetClass.TREE, Material.FOLIAGE)
            )
        else:
            base = mix((150, 110, 90), (180, 176, 168), float(rng.random()))
            roof = v - h * k
            box = [
                (u - w * k / 2, v),
                (u + w * k / 2, v),
                (u + w * k / 2, roof),
                (u, roof - 2.5 * k),
                (u - w * k / 2, roof),
            ]
            canvas.fill(box, light.colour(base, TOWARDS_CAMERA, z * 1.2), tag(StreetClass.BUILDING, Material.WALL))


def draw_ground(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    """Everything that lies flat."""
    light, (width, height) = canvas.light, canvas.size_wh
    asphalt = mix((92, 92, 96), (128, 124, 120), float(rng.random()))
    horizon = canvas.camera.point(-canvas.camera.drift(FAR), 0.0, FAR)[1]
    grass = mix((96, 112, 62), (118, 116, 78), float(rng.random()))
    field = [(0.0, horizon), (float(width), horizon), (float(width), float(height)), (0.0, float(height))]
    canvas.fill(field, light.colour(grass, UP, 40), GRASS)
    paving = mix((158, 153, 146), (182, 166, 146), float(rng.random()))
    for side in (street.left, street.right):
        _draw_side(canvas, street, side, (asphalt, grass, paving), rng)
    _band(canvas, street.left.kerb, street.right.kerb, light.colour(asphalt, UP, 14), ROAD, z1=street.reach)
    if street.end < FAR:
        span = 1.2 * FAR
        _band(canvas, -span, span, light.colour(paving, UP, street.end), PAVEMENT, street.end, street.end + 30)
        _band(canvas, -span, span, light.colour(asphalt, UP, street.end), ROAD, street.reach, street.end)
    _draw_wear(canvas, street, asphalt, rng)
    _draw_markings(canvas, street, rng)
    for z in street.islands:
        _draw_island(canvas, street.centre, z)


def _draw_side(
    canvas: Canvas, street: Street, side: Side, colours: tuple[Colour, Colour, Colour], rng: np.random.Generator
) -> None:
    light, end = canvas.light, street.reach
    asphalt, grass, paving = colours
    paved = side.garden == 0 or rng.random() < 0.4
    ground, mark = (paving, PAVEMENT) if paved else (grass, GRASS)
    edge = side.wall + side.sign * (1.0 if paved else 30.0)
    _band(canvas, side.back, edge, light.colour(ground, UP, 12), mark, z1=end)
    _band(canvas, side.path, side.back, light.colour(paving, UP, 12), PAVEMENT, z1=end)
    _draw_slabs(canvas, side, paving, rng)
    if side.verge:
        _band(canvas, side.kerb, side.path, light.colour(grass, UP, 12), GRASS, z1=end)
    for low, high in side.gaps:
        _band(canvas, side.kerb, side.sign * 60, light.colour(paving, UP, low), PAVEMENT, low - 1.5, high + 1.5)
        _band(canvas, side.kerb, side.sign * 60, light.colour(asphalt, UP, low), ROAD, low, high)
    stone = light.colour(scaled(paving, 1.12), UP, 12)
    dark = light.colour(scaled(asphalt, 0.72), UP, 12)
    cuts = [0.6] + [z for gap in side.gaps for z in gap] + [end]
    for z0, z1 in zip(cuts[::2], cuts[1::2], strict=True):
        if z1 > z0:
            _band(canvas, side.kerb - side.sign * 0.12, side.kerb, dark, ROAD, z0, z1)
            _band(canvas, side.kerb, side.kerb + side.sign * 0.16, stone, PAVEMENT, z0, z1)


def _draw_slabs(canvas: Canvas, side: Side, paving: Colour, rng: np.random.Generator) -> None:
    """Joints between paving slabs, as far as they can be seen."""
    joint = canvas.light.colour(scaled(paving, 0.86), UP, 8)
    depths = np.arange(1.2, 22, float(rng.uniform(0.6, 0.95)))
    rows = canvas.camera.points(
        np.broadcast_to([side.path, side.back], (len(depths), 2)), np.zeros((len(depths), 2)), depths[:, None]
    )
    canvas.lines(rows.reshape(len(depths), 4).tolist(), 1, joint, PAVEMENT)
    for s in np.arange(1, side.pavement, 0.9).tolist():
        place = side.path + side.sign * s
        canvas.lines([_along(canvas, place, np.array([0.8, 2, 4, 8, 14, 22]))], 1, joint, PAVEMENT)


def _draw_island(canvas: Canvas, s: float, z: float) -> None:
    """A refuge: a kerbed patch of pavement from half a metre before z."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for grow, gain in ((0.12, 1.15), (0.0, 0.95)):
        x, depth = (0.75 + grow) * np.cos(angle), (2.6 + grow) * np.sin(angle)
        ring = canvas.camera.points(s + x, np.zeros(16), z + 1.8 + depth).ravel().tolist()
        canvas.fill(ring, canvas.light.colour(scaled((166, 160, 152), gain), UP, z), PAVEMENT)


def _draw_wear(canvas: Canvas, street: Street, asphalt: Colour, rng: np.random.Generator) -> None:
    """Wheel tracks, patches, joints and manhole covers."""
    light = canvas.light
    left, right = street.left.kerb, street.right.kerb
    track = light.colour(scaled(asphalt, float(rng.uniform(0.92, 1.07))), UP, 14)
    for k in range(street.lanes):
        for x in (-0.75, 0.75):
            s = street.centre + street.lane * (k - 0.5) + x
            _band(canvas, s - 0.28, s + 0.28, track, ROAD, z1=street.reach)
    for _ in range(int(rng.integers(0, 7))):
        z, s = float(rng.uniform(3, 50)), float(rng.uniform(left, right - 1))
        colour = light.colour(scaled(asphalt, float(rng.uniform(0.78, 1.12))), UP, z)
        _band(canvas, s, min(s + float(rng.uniform(0.4, 2.5)), right), colour, ROAD, z, z + float(rng.uniform(0.6, 8)))
    for _ in range(int(rng.integers(0, 4))):
        z, s = float(rng.uniform(4, 30)), float(rng.uniform(left + 0.6, right - 0.6))
        ring = [
            canvas.camera.point(s + 0.32 * float(np.cos(a)), 0, z + 0.32 * float(np.sin(a)))
            for a in np.linspace(0, 6, 12)
        ]
        canvas.fill(ring, light.colour(scaled(asphalt, 0.62), UP, z), ROAD)


def _draw_markings(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    light = canvas.light
    fade = float(rng.uniform(0.55, 1.0))
    white = scaled(PAINT, fade)
    dash, gap = ((2.0, 4.0), (4.0, 2.0), (1.0, 5.0), (3.0, 6.0))[rng.integers(4)]
    phase = float(rng.uniform(0, dash + gap))
    for k in range(street.lanes - 1):
        s = street.centre + street.lane * k
        for z in np.arange(phase, min(street.reach, 100) - dash, dash + gap).tolist():
            _band(canvas, s - 0.07, s + 0.07, light.colour(white, UP, z), ROAD, max(z, 0.6), max(z + dash, 0.7))
    if rng.random() < 0.5:
        _draw_edge_lines(canvas, street, scaled(YELLOW, fade), 2 if rng.random() < 0.6 else 1)
    if rng.random() < 0.25:
        _draw_zebra(canvas, street, white, float(rng.uniform(7, 26)))
    if rng.random() < 0.3:
        z = float(rng.uniform(6, 28))
        _band(canvas, street.left.kerb, street.centre, light.colour(white, UP, z), ROAD, z, z + 0.3)
    if rng.random() < 0.2:
        _draw_hatching(canvas, street, scaled(YELLOW, fade), float(rng.uniform(6, 22)))
    if rng.random() < 0.3:
        _draw_arrow(canvas, street.centre - street.lane / 2, float(rng.uniform(6, 16)), white)


def _draw_edge_lines(canvas: Canvas, street: Street, colour: Colour, count: int) -> None:
    shade = canvas.light.colour(colour, UP, 12)
    for side in (street.left, street.right):
        for k in range(count):
            s = side.kerb - side.sign * (0.25 + 0.2 * k)
            _band(canvas, s - 0.045, s + 0.045, shade, ROAD, z1=street.reach)


def _draw_zebra(canvas: Canvas, street: Street, colour: Colour, z: float) -> None:
    shade = canvas.light.colour(colour, UP, z)
    for s in np.arange(street.left.kerb + 0.3, street.right.kerb - 0.4, 1.2).tolist():
        _band(canvas, s, s + 0.6, shade, ROAD, z, z + 2.8)


def _draw_hatching(canvas: Canvas, street: Street, colour: Colour, z: float) -> None:
    """A box junction: crossed yellow lines."""
    left, right, depth = street.left.kerb, street.right.kerb, 9.0
    shade = canvas.light.colour(colour, UP, z)
    for t in np.linspace(0, 1, 6).tolist():
        for x0, x1 in ((left, right), (right, left)):
            near = (x0 + (x1 - x0) * t, z), (x1, z + depth * (1 - t))
            far = (x0, z + depth * t), (x0 + (x1 - x0) * (1 - t), z + depth)
            for (s0, z0), (s1, z1) in (near, far):
                ends = ((s0 - 0.08, z0), (s0 + 0.08, z0), (s1 + 0.08, z1), (s1 - 0.08, z1))
                canvas.fill([canvas.camera.point(s, 0.0, d) for s, d in ends], shade, ROAD)


def _draw_arrow(canvas: Canvas, s: float, z: float, colour: Colour) -> None:
    point, shade = canvas.camera.point, canvas.light.colour(colour, UP, z)
    _band(canvas, s - 0.08, s + 0.08, shade, ROAD, z, z + 2.4)
    canvas.fill([point(s - 0.35, 0, z + 2.3), point(s + 0.35, 0, z + 2.3), point(s, 0, z + 4.0)], shade, ROAD)
