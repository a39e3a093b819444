"""Who moves or parks in the street: cars, cyclists and pedestrians."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from segdemo.datasets._street_bodies import BODIES
from segdemo.datasets._street_canvas import StreetClass
from segdemo.datasets._street_furniture import draw_keep_left, draw_traffic_light
from segdemo.datasets._street_people import random_person
from segdemo.datasets._street_section import Side, Street, child
from segdemo.datasets._street_vehicles import PAINTS, Vehicle


def walk(rng: np.random.Generator, street: Street, s: float, z: float, cycling: bool = False) -> None:
    """A pedestrian, or someone on a bicycle."""
    person = random_person(rng, s, z, cycling)
    mark = street.instance(StreetClass.BICYCLIST if cycling else StreetClass.PEDESTRIAN)
    lit = street.sunlit(s, z)
    street.add(z, partial(person.draw, mark=mark, sunlit=lit))


def drive(rng: np.random.Generator, street: Street, s: float, z: float, turn: float, body: str | None = None) -> None:
    """A vehicle with its centre at (s, z); `turn` 0 drives away from the camera."""
    names = list(BODIES)
    name = body or str(rng.choice(names, p=[0.36, 0.22, 0.22, 0.13, 0.03, 0.04]))
    paint = PAINTS[rng.integers(len(PAINTS))]
    if name == "decker" and rng.random() < 0.7:
        paint = (178, 28, 34)
    if name == "van" and rng.random() < 0.6:
        paint = (232, 232, 228)
    vehicle = Vehicle(name, paint, s, z, turn, float(rng.uniform(0.94, 1.06)), bool(rng.random() < 0.3))
    mark = street.instance(StreetClass.CAR)
    lit = street.sunlit(s, z)
    if vehicle.nearest > 1.2:
        street.add(vehicle.nearest, partial(vehicle.draw, mark=mark, sunlit=lit))


def park_cars(rng: np.random.Generator, street: Street, side: Side) -> None:
    """A row of parked cars along one kerb."""
    z = float(rng.uniform(3, 18))
    share = float(rng.uniform(0.5, 0.97))
    away = 0.0 if side.sign < 0 else math.pi
    while z < min(street.reach - 4, 85):
        if rng.random() < share and not side.open_at(z):
            turn = away if rng.random() < 0.85 else away + math.pi
            body = str(rng.choice(["hatchback", "saloon", "estate", "van"], p=[0.45, 0.2, 0.27, 0.08]))
            drive(
                rng,
                street,
                side.kerb - side.sign * float(rng.uniform(1.0, 1.25)),
                z,
                turn + float(rng.normal(0, 0.02)),
                body,
            )
        z += float(rng.uniform(4.9, 6.0))


def fill_road(rng: np.random.Generator, street: Street) -> None:
    """Moving traffic, refuges, cyclists and people crossing."""
    for k in range(street.lanes):
        _fill_lane(rng, street, k)
    if street.lanes > 1 and rng.random() < 0.2:
        _place_refuge(rng, street, float(rng.uniform(9, 30)))
    left, right = street.left.kerb, street.right.kerb
    if rng.random() < 0.16:
        turn = float(rng.choice([-1, 1])) * math.pi / 2
        drive(rng, street, float(rng.uniform(left, right)), float(rng.uniform(8, 40)), turn)
    for _ in range(int(rng.poisson(1.7))):
        s = left + 0.7 if rng.random() < 0.6 else right - 0.7
        walk(rng, street, s, 4.5 + 32 * float(rng.random()) ** 1.4, cycling=True)
    if rng.random() < 0.25:
        z = float(rng.uniform(8, 30))
        for _ in range(int(rng.integers(1, 4))):
            walk(rng, street, float(rng.uniform(left, right)), z + float(rng.uniform(-1, 1)))


def _fill_lane(rng: np.random.Generator, street: Street, k: int) -> None:
    """Lane 0 is the camera's own; the others come towards it."""
    s = street.centre + street.lane * (k - 0.5)
    z = float(rng.uniform(7, 35)) if k == 0 else float(rng.uniform(4, 30))
    spread = float(rng.choice([9.0, 20.0, 45.0]))
    while z < min(street.reach, 95):
        if rng.random() < 0.75:
            drive(rng, street, s + float(rng.normal(0, 0.15)), z, 0.0 if k == 0 else math.pi)
        z += 6.5 + float(rng.exponential(spread))


def _place_refuge(rng: np.random.Generator, street: Street, z: float) -> None:
    """An island in the middle of the road, with keep-left bollards and perhaps a traffic light."""
    street.islands.append(z)
    for place, draw in ((z, draw_keep_left), (z + 1.5, draw_traffic_light), (z + 3.5, draw_keep_left)):
        if draw is draw_keep_left or rng.random() < 0.5:
            street.add(place, partial(draw, s=street.centre, z=place, rng=child(rng), sunlit=1.0))
