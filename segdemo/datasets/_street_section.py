"""The cross section of a street, and the list of things to draw in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from segdemo.datasets._street_buildings import Building
from segdemo.datasets._street_canvas import Canvas, Colour, Light, StreetClass, tag
from segdemo.datasets._street_plants import Tree, random_bush, random_tree

FAR = 115.0  # metres; where an open street fades into the skyline
CROSSING = 8.0  # width of the road that ends a street at a T-junction


def child(rng: np.random.Generator) -> np.random.Generator:
    """A generator for one thing, so that how it is drawn moves nothing else."""
    return np.random.default_rng(int(rng.integers(2**31)))


@dataclass
class Side:
    """One side of the street; distances in metres from the camera's line, signed."""

    sign: float
    kerb: float
    verge: float
    pavement: float
    garden: float
    district: str
    gaps: list[tuple[float, float]] = field(default_factory=list)  # side streets
    buildings: list[Building] = field(default_factory=list)

    @property
    def path(self) -> float:
        """Inner edge of the pavement."""
        return self.kerb + self.sign * self.verge

    @property
    def back(self) -> float:
        """Outer edge of the pavement."""
        return self.path + self.sign * self.pavement

    @property
    def wall(self) -> float:
        """The building line."""
        return self.back + self.sign * self.garden

    def open_at(self, z: float) -> bool:
        """Whether a side street joins at z."""
        return any(low - 1 < z < high + 1 for low, high in self.gaps)


@dataclass
class Street:
    """Cross section and contents of one street."""

    left: Side
    right: Side
    centre: float
    lane: float
    lanes: int
    winter: bool
    leaf: Colour
    light: Light
    end: float  # depth of the far kerb of a T-junction, or FAR
    islands: list[float] = field(default_factory=list)  # depths of refuges in the middle of the road
    things: list[tuple[float, Callable[[Canvas], None]]] = field(default_factory=list)
    instances: list[StreetClass] = field(default_factory=list)

    @property
    def reach(self) -> float:
        """How far both sides run."""
        return self.end - CROSSING if self.end < FAR else FAR

    def add(self, depth: float, draw: Callable[[Canvas], None]) -> None:
        """Register a thing to draw; things are drawn from the largest depth to the smallest."""
        self.things.append((depth, draw))

    def instance(self, label: StreetClass) -> int:
        """Tag of a new instance."""
        self.instances.append(label)
        return tag(label, instance=len(self.instances))

    def plant(self, tree: Tree, depth: float | None = None) -> None:
        """Register a tree or bush, by default at its own depth."""
        self.add(tree.z if depth is None else depth, partial(tree.draw, sunlit=1.0))

    def tree_at(self, rng: np.random.Generator, s: float, z: float, tall: float = 1.0) -> Tree:
        """A tree in this street's season and leaf, or, with probability 1 - tall, a bush."""
        if rng.random() < tall:
            return random_tree(rng, s, z, self.winter, self.leaf)
        return random_bush(rng, s, z, self.leaf)

    def sunlit(self, s: float, z: float) -> float:
        """1 in the sun, 0.15 in a building's shadow."""
        sun = self.light.sun
        side = self.left if sun[0] < 0 else self.right
        if abs(sun[0]) < 0.05 or self.light.direct < 0.25:
            return 1.0
        distance = abs(side.wall - s)
        rise = distance / abs(sun[0]) * max(sun[1], 0.05)
        source = z + distance / abs(sun[0]) * sun[2]
        for building in side.buildings:
            if building.z0 < source < building.z1:
                return 1.0 if building.height + building.roof_rise * 0.7 < rise else 0.15
        return 1.0
