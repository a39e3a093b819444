"""Trees, hedges and bushes, built from many small leaf clusters lit from the sun's side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from segdemo.datasets._street_canvas import (
    TOWARDS_CAMERA,
    Canvas,
    Colour,
    Floats,
    Material,
    StreetClass,
    mix,
    scaled,
    tag,
)  # fmt: skip

LEAVES: tuple[Colour, ...] = (
    (104, 138, 64), (90, 124, 62), (122, 148, 72), (76, 112, 64), (138, 152, 78),
    (112, 128, 60), (186, 150, 62), (196, 118, 58), (70, 104, 74), (146, 164, 92),
)  # fmt: skip
BARK: tuple[Colour, ...] = ((82, 70, 58), (104, 94, 82), (70, 58, 48), (150, 142, 130))
TREE = tag(StreetClass.TREE, Material.FOLIAGE)
TWIGS = tag(StreetClass.TREE)
TRUNK = tag(StreetClass.TREE, Material.WALL)


@dataclass(frozen=True)
class Tree:
    """One tree or bush; `kind` is round, tall, conifer, bare or bush."""

    kind: str
    s: float
    z: float
    height: float
    width: float
    leaf: Colour
    bark: Colour
    seed: int

    def draw(self, canvas: Canvas, sunlit: float) -> None:
        """Draw trunk, crown and dappled shadow."""
        u, _ = canvas.camera.point(self.s, 0.0, self.z)
        reach = self.width * 0.75 * canvas.camera.scale(self.z)
        if not canvas.sees(u - reach, u + reach):
            return
        rng = np.random.default_rng(self.seed)
        if self.kind != "bush":
            _draw_trunk(canvas, self, sunlit)
        if self.kind == "bare":
            _draw_branches(canvas, self, rng, sunlit)
        else:
            _draw_crown(canvas, self, rng, sunlit)
        if sunlit > 0.5 and canvas.light.direct > 0.25 and self.z < 45:
            _draw_shadow(canvas, self, rng)


def random_tree(rng: np.random.Generator, s: float, z: float, winter: bool, palette: Colour) -> Tree:
    """A tree of a random kind; `palette` keeps the trees of a street alike."""
    kind = str(
        rng.choice(["bare", "round", "tall", "conifer"], p=[0.6, 0.2, 0.1, 0.1] if winter else [0.04, 0.6, 0.24, 0.12])
    )
    height = float(rng.uniform(4.5, 13.0))
    width = height * float({"bare": 0.7, "round": 0.75, "tall": 0.42, "conifer": 0.36}[kind] * rng.uniform(0.8, 1.2))
    own = LEAVES[rng.integers(len(LEAVES))]
    leaf = mix(palette, own, 0.3) if kind != "conifer" else (62, 92, 66)
    return Tree(kind, s, z, height, width, leaf, BARK[rng.integers(len(BARK))], int(rng.integers(2**31)))


def random_bush(rng: np.random.Generator, s: float, z: float, palette: Colour) -> Tree:
    """A low bush."""
    height = float(rng.uniform(0.8, 2.4))
    return Tree(
        "bush",
        s,
        z,
        height,
        height * float(rng.uniform(1.0, 2.0)),
        scaled(palette, 0.9),
        BARK[0],
        int(rng.integers(2**31)),
    )


def _draw_trunk(canvas: Canvas, tree: Tree, sunlit: float) -> None:
    camera, z = canvas.camera, tree.z
    top = tree.height * 0.6
    width = 0.035 * tree.height + 0.05
    u, v = camera.point(tree.s, 0.0, z)
    _, high = camera.point(tree.s, top, z)
    w = width * camera.scale(z) / 2
    colour = canvas.light.colour(tree.bark, TOWARDS_CAMERA, z, sunlit)
    dark = canvas.light.colour(scaled(tree.bark, 0.7), TOWARDS_CAMERA, z, sunlit)
    canvas.fill([(u - w * 1.3, v), (u + w * 1.3, v), (u + w * 0.6, high), (u - w * 0.6, high)], colour, TRUNK)
    side = 1 if canvas.light.sun[0] < 0 else -1
    canvas.fill([(u, v), (u + side * w * 1.3, v), (u + side * w * 0.6, high), (u, high)], dark, TRUNK)


def _lobes(tree: Tree, rng: np.random.Generator) -> Floats:
    """Centres and radii (n, 3) of the crown's main masses, in metres about the trunk."""
    h, w = tree.height, tree.width
    if tree.kind == "conifer":
        y = np.linspace(0.12, 0.92, 8)
        return np.stack([np.zeros(8), y * h, (1.1 - y) * w * 0.55], axis=1)
    if tree.kind == "bush":
        x = np.linspace(-0.35, 0.35, 4) * w
        return np.stack([x, np.full(4, 0.45 * h), np.full(4, 0.5 * h)], axis=1)
    n = 7
    angle = rng.uniform(0, math.tau, n)
    reach = np.sqrt(rng.uniform(0, 1, n)) * 0.55
    low = 0.36 if tree.kind == "round" else 0.26
    x = np.cos(angle) * reach * w * 0.5
    y = h * ((1 + low) / 2 + np.sin(angle) * reach * (1 - low) / 2)
    radius = rng.uniform(0.24, 0.36, n) * w
    return np.stack([x, y, radius], axis=1)


def _clusters(lobes: Floats, rng: np.random.Generator, count: int) -> tuple[Floats, Floats, Floats]:
    """Leaf clusters spread over the lobes: centres (n, 2), radii (n,), and where they face (n, 3: right, up, out)."""
    chosen = lobes[rng.integers(len(lobes), size=count)]
    angle = rng.uniform(0, math.tau, count)
    reach = np.sqrt(rng.uniform(0, 1.1, count))
    offset = np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach[:, None]
    centres = chosen[:, :2] + offset * chosen[:, 2:]
    centres[:, 1] = np.maximum(centres[:, 1], 0.15)
    out = np.sqrt(np.maximum(1 - reach**2, 0.0))
    size = float(np.clip(math.sqrt(60 / count), 0.36, 1.5))
    return centres, chosen[:, 2] * rng.uniform(0.15, 0.38, count) * size, np.column_stack([offset, out])


def _blobs(centres: Floats, radii: Floats, rng: np.random.Generator, corners: int = 7) -> Floats:
    """Irregular outlines (n, corners, 2)."""
    angle = np.arange(corners) * (math.tau / corners) + rng.uniform(0, 1, (len(radii), 1))
    radius = radii[:, None] * rng.uniform(0.6, 1.25, angle.shape)
    return centres[:, None] + np.stack([np.cos(angle), np.sin(angle)], axis=-1) * radius[..., None]


def _outlines(canvas: Canvas, tree: Tree, blobs: Floats) -> list[list[float]]:
    """Blobs in metres about the trunk as flat canvas outlines."""
    u, v = canvas.camera.point(tree.s, 0.0, tree.z)
    scale = canvas.camera.scale(tree.z)
    flat = blobs * np.array([scale, -scale]) + np.array([u, v])
    outlines: list[list[float]] = flat.reshape(len(blobs), -1).tolist()
    return outlines


def _draw_crown(canvas: Canvas, tree: Tree, rng: np.random.Generator, sunlit: float) -> None:
    """Dark masses first, then leaf clusters from the shaded inside to the lit outside."""
    light = canvas.light
    lobes = _lobes(tree, rng)
    most, few, detail = (70, 5, 9e3) if tree.kind == "bush" else (330, 8, 3.6e4)
    count = min(most, few + int(detail / (tree.z + 4) ** 2))
    sun = np.array([light.sun[0], light.sun[1], -light.sun[2]])
    towards = [(k / 7 * light.sun[0], k / 7 * light.sun[1], k / 7 * light.sun[2]) for k in range(8)]
    steps = [light.colour(scaled(tree.leaf, 0.56 + 0.1 * k), towards[k], tree.z, sunlit) for k in range(8)]
    canvas.fill_all(_outlines(canvas, tree, _blobs(lobes[:, :2], lobes[:, 2] * 0.85, rng, 14)), steps[0], TREE)
    centres, radii, facing = _clusters(lobes, rng, count)
    level = 0.3 + 0.42 * facing[:, 1] + 0.4 * np.clip(facing @ sun, 0, 1) + rng.uniform(-0.22, 0.22, count)
    order = np.argsort(facing[:, 2] * 0.5 + level)
    shades = np.clip(level[order] * 8, 0, 7).astype(int).tolist()
    for outline, shade in zip(_outlines(canvas, tree, _blobs(centres, radii, rng)[order]), shades, strict=True):
        canvas.fill(outline, steps[shade], TREE)


def _draw_branches(canvas: Canvas, tree: Tree, rng: np.random.Generator, sunlit: float) -> None:
    """A winter tree: a faint veil of twigs, with forking branches over it."""
    light, camera, z = canvas.light, canvas.camera, tree.z
    u, v = camera.point(tree.s, 0.0, z)
    scale = camera.scale(z)
    lobes = _lobes(tree, rng)
    twigs = light.colour(scaled(tree.bark, 0.8), TOWARDS_CAMERA, z, sunlit)
    canvas.veil(_outlines(canvas, tree, _blobs(lobes[:, :2], lobes[:, 2], rng, 40)), twigs, 0.16, TWIGS)
    bark = light.colour(scaled(tree.bark, 0.75), TOWARDS_CAMERA, z, sunlit)
    width = scale * 0.035 * tree.height
    for level, branches in enumerate(_fork(tree, rng, 6 if z < 12 else 5 if z < 35 else 4)):
        segments = branches * np.tile([scale, -scale], 2) + np.tile([u, v], 2)
        canvas.lines(segments.tolist(), width * 0.62 ** (level + 1), bark, TWIGS)


def _fork(tree: Tree, rng: np.random.Generator, depth: int) -> list[Floats]:
    """Branches of each level as lines (n, 4: x0, y0, x1, y1) in metres about the trunk."""
    start, angle = np.array([[0.0, tree.height * 0.3]]), np.array([math.pi / 2])
    length = np.array([tree.height * 0.24])
    levels = []
    for level in range(depth + 1):
        end = start + np.stack([np.cos(angle), np.sin(angle)], axis=1) * length[:, None]
        levels.append(np.column_stack([start, end]))
        forks = 3 if level >= depth - 2 else 2
        turns = rng.uniform((-0.6, 0.15, -0.15)[:forks], (-0.15, 0.6, 0.15)[:forks], (len(angle), forks))
        angle = (angle[:, None] + turns).ravel()
        length = np.repeat(length, forks) * rng.uniform(0.64, 0.84, len(angle))
        start = np.repeat(end, forks, axis=0)
    return levels


def _draw_shadow(canvas: Canvas, tree: Tree, rng: np.random.Generator) -> None:
    sun = canvas.light.sun
    reach = 1 / max(sun[1], 0.25)
    centres, radii, _ = _clusters(_lobes(tree, rng), rng, 16)
    x, y = np.moveaxis(_blobs(centres, radii, rng), -1, 0)
    canvas.shade_many(tree.s + x - sun[0] * y * reach, tree.z - sun[2] * y * reach + x * 0.3, 0.8)
    w = 0.03 * tree.height
    h = tree.height * 0.5 * reach
    canvas.shade([(tree.s - w, 0, tree.z), (tree.s + w, 0, tree.z), (tree.s + w - sun[0] * h, 0, tree.z - sun[2] * h),
                  (tree.s - w - sun[0] * h, 0, tree.z - sun[2] * h)], 0.8)  # fmt: skip
