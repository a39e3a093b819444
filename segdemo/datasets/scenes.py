"""Generated street scenes as a data set: always there, with exact instances, without end."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from segdemo.datasets.dataset import Skipped
from segdemo.datasets.street_scenes import street_scene
from segdemo.datasets.truth import segments_of_instances
from segdemo.errors import ImageError
from segdemo.images import InputImage
from segdemo.labels import CAMVID, LabelSpace
from segdemo.sample import Sample

NAME: Final = "street-scenes"
COUNT: Final = 60
# The starters learned from seeds below 100,000 and some chose their best step by seeds from 900,000 on.
FIRST_SEED: Final = 910_000
MOST_SCENES: Final = 100_000


@dataclass(frozen=True)
class StreetScenes:
    """`count` scenes of 480×360 pixels, drawn when read: the same for the same seed."""

    count: int = COUNT
    first_seed: int = FIRST_SEED

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        return ()

    @property
    def name(self) -> str:
        return f"{self.count} generated street scenes"

    @property
    def space(self) -> LabelSpace:
        return CAMVID

    @cached_property
    def digest(self) -> str:
        """Over the seeds and the first scene, which shows when scenes come to be drawn otherwise."""
        first = street_scene(self.first_seed)
        described = repr((self.count, self.first_seed)).encode()
        return hashlib.sha256(described + first.rgb.tobytes() + first.instances.tobytes()).hexdigest()

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Sample:
        """Raises `IndexError` past the last scene."""
        seed = range(self.first_seed, self.first_seed + self.count)[index]
        name = f"{NAME}/{seed}"
        scene = street_scene(seed)
        scene.rgb.flags.writeable = False
        image = InputImage(scene.rgb, hashlib.sha256(scene.rgb.tobytes()).hexdigest(), name)
        return Sample(
            name, image, scene.labels, segments_of_instances(scene.instances, scene.labels, CAMVID.things, name)
        )


def open_scenes(source: str) -> StreetScenes:
    """`street-scenes`, `street-scenes:COUNT` or `street-scenes:COUNT:SEED`. Raises `ImageError`."""
    name, *numbers = source.split(":")
    fits = name == NAME and len(numbers) <= 2 and all(n.isascii() and n.isdecimal() and len(n) < 10 for n in numbers)
    scenes = StreetScenes(*map(int, numbers)) if fits else None
    if scenes is None or not 0 < scenes.count <= MOST_SCENES:
        raise ImageError(
            f"{source} names no street scenes; write {NAME}:COUNT:SEED with a count from 1 to {MOST_SCENES:,}."
        )
    return scenes
