"""Fronts of buildings: windows, doors, shop fronts and cornices in perspective, by building style."""

from __future__ import annotations

import numpy as np

from segdemo.datasets._street_buildings import FASCIAS, PLAIN, TRIM, WALL, Building, draw_shell
from segdemo.datasets._street_canvas import TOWARDS_CAMERA, Canvas, Colour, Floats, Paint, Vector, mix, scaled


class Front:
    """The wall along the street: rectangles in metres from its far end and above ground."""

    def __init__(self, canvas: Canvas, building: Building, sunlit: float) -> None:
        self.canvas, self.building, self.sunlit = canvas, building, sunlit
        self.length = building.across or building.z1 - building.z0
        self.side = -1.0 if building.s > 0 else 1.0
        self.normal: Vector = TOWARDS_CAMERA if building.across else (self.side, 0.0, 0.0)
        self.middle = building.z0 if building.across else max((building.z0 + building.z1) / 2, 6.0)

    def colour(self, base: Colour) -> Paint:
        return self.canvas.light.colour(base, self.normal, self.middle, self.sunlit)

    def quads(self, boxes: Floats, out: float = 0.0) -> list[list[float]]:
        """Project boxes (n, 4) of z0, z1, y0, y1 (z relative to the near end); `out` lifts them off the wall."""
        b = self.building
        along = np.minimum(np.maximum(boxes[:, [0, 1, 1, 0]], 0.0), self.length)
        fixed = np.full(along.shape, b.z0 - out if b.across else b.s + self.side * out)
        s, z = (b.s + along, fixed) if b.across else (fixed, b.z0 + along)
        flat = self.canvas.camera.points(s, boxes[:, [2, 2, 3, 3]], z)
        u = flat[..., 0]
        visible = (z[:, 1] > 0.8) & (u.max(axis=1) > 0) & (u.min(axis=1) < self.canvas.size_wh[0])
        quads: list[list[float]] = flat[visible].reshape(-1, 8).tolist()
        return quads

    def paint(self, boxes: Floats, base: Colour, out: float = 0.0, mark: int = PLAIN) -> None:
        self.canvas.fill_all(self.quads(boxes, out), self.colour(base), mark)

    def wall(self) -> None:
        b = self.building
        cuts = np.linspace(0, self.length, 4)
        boxes = np.array([(a, c, 0.0, b.height) for a, c in zip(cuts[:-1], cuts[1:], strict=True)])
        self.paint(boxes, b.wall, mark=WALL)

    def glass(self, boxes: Floats, rng: np.random.Generator) -> None:
        """Window panes: dark rooms, sky reflections, a few lit ones when the lamps are on."""
        light, quads = self.canvas.light, self.quads(boxes)
        kinds = np.where(rng.random(len(quads)) < (0.35 if light.lamps_on else 0.0), 4, rng.integers(0, 4, len(quads)))
        for kind in range(4):
            chosen = [quad for quad, k in zip(quads, kinds.tolist(), strict=True) if k == kind]
            if chosen:
                base = mix((44, 52, 60), scaled(light.haze, 0.8), (0.05, 0.16, 0.3, 0.55)[kind])
                self.canvas.fill_all(chosen, self.colour(base), PLAIN)
        lit = [quad for quad, k in zip(quads, kinds.tolist(), strict=True) if k == 4]
        if lit:
            self.canvas.fill_all(lit, light.glow((246, 206, 132), self.middle), PLAIN)

    def windows(self, boxes: Floats, rng: np.random.Generator, frame: Colour = TRIM, bars: int = 1) -> None:
        """Framed windows with sill and glazing bars; far ones are only panes."""
        if not len(boxes):
            return
        if self.middle > 55:
            self.glass(boxes, rng)
            return
        sill = boxes.copy()
        sill[:, 2], sill[:, 3] = boxes[:, 2] - 0.14, boxes[:, 2]
        self.paint(boxes + [-0.08, 0.08, -0.05, 0.16], scaled(self.building.wall, 1.18))
        self.paint(sill + [-0.1, 0.1, 0, 0], TRIM)
        self.paint(boxes, frame)
        self.glass(boxes + [0.08, -0.08, 0.08, -0.08], rng)
        if self.middle < 28:
            cross = (boxes[:, 2] + boxes[:, 3]) / 2
            self.paint(np.column_stack([boxes[:, :2], cross - 0.03, cross + 0.03]), frame)
            for k in range(1, bars + 1):
                x = boxes[:, 0] + (boxes[:, 1] - boxes[:, 0]) * k / (bars + 1)
                self.paint(np.column_stack([x - 0.025, x + 0.025, boxes[:, 2:]]), frame)

    def grid(self, pitch: float, width: float, storeys: range, low: float, high: float) -> Floats:
        """Window boxes at regular pitch on the given storeys; low and high within the storey."""
        n = max(1, int(self.length / pitch))
        gap = self.length / n
        starts = (np.arange(n) + 0.5) * gap - width / 2
        floors = np.array(list(storeys), dtype=float) * self.building.storey + (
            0.6 if self.building.style == "shops" else 0.2
        )
        z, y = np.meshgrid(starts, floors)
        z, y = z.ravel(), y.ravel()
        return np.stack([z, z + width, y + low, y + high], axis=1)


def _terrace(front: Front, b: Building, rng: np.random.Generator) -> None:
    pitch = float(rng.uniform(2.3, 3.0))
    door = (rng.uniform(20, 150, 3) * 0.8).tolist()
    frame = TRIM if rng.random() < 0.8 else (70, 60, 52)
    front.paint(np.array([[0, front.length, 0.0, 0.35]]), scaled(b.wall, 0.75))
    front.windows(front.grid(pitch, 1.1, range(1, b.storeys), 0.8, 2.4), rng, frame)
    ground = front.grid(pitch, 1.15, range(1), 0.8, 2.3)
    doors = ground[::2].copy()
    doors[:, 2], doors[:, 3] = 0.15, 2.3
    front.windows(ground[1::2], rng, frame)
    front.paint(doors + [-0.1, 0.1, 0, 0.35], TRIM)
    front.paint(doors, (door[0], door[1], door[2]))
    front.glass(np.column_stack([doors[:, :2], doors[:, 3] + 0.04, doors[:, 3] + 0.3]), rng)
    front.paint(np.array([[0, front.length, b.height - 0.3, b.height]]), scaled(TRIM, 0.85))


def _shops(front: Front, b: Building, rng: np.random.Generator) -> None:
    front.windows(
        front.grid(float(rng.uniform(2.2, 3.2)), 1.2, range(1, b.storeys), 0.8, 2.5), rng, bars=int(rng.integers(0, 3))
    )
    front.paint(np.array([[0, front.length, b.height - 0.35, b.height]]), scaled(b.wall, 1.15))
    n = max(1, round(front.length / float(rng.uniform(5, 8))))
    cuts = np.linspace(0, front.length, n + 1)
    for a, c in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        _shop(front, a + 0.1, c - 0.1, rng)


def _shop(front: Front, a: float, c: float, rng: np.random.Generator) -> None:
    fascia = FASCIAS[rng.integers(len(FASCIAS))]
    frame = scaled(fascia, 0.8) if rng.random() < 0.5 else (50, 50, 54)
    front.paint(np.array([[a, c, 0.0, 2.9]]), frame)
    panes = np.linspace(a + 0.15, c - 0.15, max(2, int((c - a) / 1.6)) + 1)
    boxes = np.column_stack(
        [panes[:-1] + 0.06, panes[1:] - 0.06, np.full(len(panes) - 1, 0.5), np.full(len(panes) - 1, 2.75)]
    )
    boxes[rng.integers(len(boxes)), 2] = 0.08
    room = mix((96, 84, 70), (150, 132, 104), float(rng.random()))
    front.paint(boxes, room if not front.canvas.light.lamps_on else (236, 206, 150))
    sky = boxes.copy()
    sky[:, 2] = 2.1
    front.paint(sky, mix(room, scaled(front.canvas.light.haze, 0.85), 0.45))
    goods = boxes[rng.random(len(boxes)) < 0.6]
    for box in goods:
        low = box[2] + 0.1
        patch = np.array([[box[0] + 0.1, box[1] - 0.1, low, low + float(rng.uniform(0.3, 1.2))]])
        front.paint(patch, mix(FASCIAS[rng.integers(len(FASCIAS))], room, 0.35))
    front.paint(np.array([[a, c, 2.9, 3.55]]), fascia, out=0.12)
    ink = (240, 238, 228) if sum(fascia) < 450 else (40, 40, 44)
    if front.middle < 60:
        letters = np.arange(a + (c - a) * 0.22, a + (c - a) * 0.78, 0.34)
        letters = letters[rng.random(len(letters)) < 0.85]
        front.paint(
            np.column_stack(
                [letters, letters + 0.2, np.full(len(letters), 3.08), 3.3 + 0.1 * rng.random(len(letters))]
            ),
            ink,
            out=0.12,
        )
    if rng.random() < 0.25:
        _awning(front, a, c, fascia)


def _awning(front: Front, a: float, c: float, colour: Colour) -> None:
    b, point = front.building, front.canvas.camera.point
    reach = b.s + front.side * 1.3
    z0, z1 = b.z0 + a, b.z0 + c
    if z0 < 2.0 or b.across:
        return
    n = max(2, int((c - a) / 0.6))
    edges = np.linspace(z0, z1, n + 1).tolist()
    for k in range(n - 1, -1, -1):
        base = colour if k % 2 else (232, 230, 222)
        quad = [
            point(b.s, 2.95, edges[k]),
            point(b.s, 2.95, edges[k + 1]),
            point(reach, 2.4, edges[k + 1]),
            point(reach, 2.4, edges[k]),
        ]
        front.canvas.fill(quad, front.canvas.light.colour(base, (front.side * 0.4, 0.9, 0.0), front.middle), PLAIN)


def _office(front: Front, b: Building, rng: np.random.Generator) -> None:
    frame: Colour = (90, 94, 98) if rng.random() < 0.6 else TRIM
    if rng.random() < 0.5:
        for k in range(b.storeys):
            y = k * b.storey
            front.paint(np.array([[0.3, front.length - 0.3, y + 0.9, y + 2.9]]), frame)
        front.glass(front.grid(1.5, 1.36, range(b.storeys), 0.8, 2.6), rng)
    else:
        front.windows(front.grid(float(rng.uniform(2.0, 3.4)), 1.6, range(b.storeys), 0.9, 2.7), rng, frame, bars=1)
    front.paint(np.array([[0, front.length, b.height - 0.5, b.height]]), scaled(b.wall, 0.85))
    front.paint(np.array([[0, front.length, 0.0, 0.5]]), scaled(b.wall, 0.7))


def _stone(front: Front, b: Building, rng: np.random.Generator) -> None:
    front.windows(
        front.grid(float(rng.uniform(3.0, 4.0)), 1.3, range(b.storeys), 0.8, 3.0), rng, scaled(b.wall, 0.9), bars=2
    )
    for k in range(1, b.storeys + 1):
        y = k * b.storey
        front.paint(np.array([[0, front.length, y - 0.1, y + 0.12]]), scaled(b.wall, 1.15))
    for z in np.arange(0, front.length, 4.0).tolist():
        front.paint(np.array([[z, z + 0.5, 0.0, b.height]]), scaled(b.wall, 0.88), out=0.3)


def _house(front: Front, b: Building, rng: np.random.Generator) -> None:
    front.windows(front.grid(float(rng.uniform(3.0, 4.2)), 1.7, range(b.storeys), 0.8, 2.2), rng, bars=2)
    z = front.length * float(rng.uniform(0.3, 0.7))
    front.paint(np.array([[z - 0.6, z + 0.6, 0.0, 2.4]]), TRIM)
    front.paint(np.array([[z - 0.48, z + 0.48, 0.0, 2.2]]), FASCIAS[rng.integers(len(FASCIAS))])
    front.paint(np.array([[0, front.length, b.height - 0.25, b.height]]), TRIM)


_STYLES = {"terrace": _terrace, "shops": _shops, "office": _office, "stone": _stone, "house": _house}


def draw_building(canvas: Canvas, building: Building, sunlit: float) -> None:
    """Draw a whole building."""
    rng = np.random.default_rng(building.seed)
    draw_shell(canvas, building, rng, sunlit)
    front = Front(canvas, building, sunlit)
    front.wall()
    _STYLES[building.style](front, building, rng)
