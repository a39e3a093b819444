"""The pictures a person can look at: the sample scenes, what they uploaded and what their camera took."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from segdemo.errors import ImageError
from segdemo.images import InputImage
from segdemo.ui import cache

# Generated scenes that show different things, by seed; the first is there on a first visit.
SCENES: Final = {37: "Shops", 30: "Traffic", 7: "Bus", 9: "Zebra", 14: "Autumn", 21: "Dusk"}
MOST_UPLOADS: Final = 12
MOST_UPLOAD_MB: Final = 25


@dataclass(frozen=True)
class Picture:
    """A picture that may not be decoded yet.

    id: the SHA-256 of its bytes, or "scene-" and the seed. data: the file's bytes, empty for a scene.
    """

    id: str
    name: str
    data: bytes = b""
    seed: int | None = None

    def image(self) -> InputImage:
        """The pixels. Raises `ImageError` where the file cannot be read."""
        if self.seed is not None:
            return cache.scene_image(self.seed, self.name)
        return cache.decoded(self.id, self.name, self.data)

    def thumbnail(self) -> bytes | ImageError:
        """A small JPEG, all of one shape, or why the file cannot be read."""
        return cache.thumbnail(self.id, self.name, self.image)

    def own_labels(self) -> np.ndarray | None:
        """A scene's exact labels, (H, W) uint8 in CamVid's classes."""
        return None if self.seed is None else cache.scene(self.seed).labels


def samples() -> list[Picture]:
    """The generated scenes."""
    return [Picture(f"scene-{seed}", name, seed=seed) for seed, name in SCENES.items()]
