"""What a benchmark times: a model in one setting, the pictures for it, and one call of its stages."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from segdemo import images, models, overlay
from segdemo.datasets.street_scenes import street_scene
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.models import NO_EXTRAS, Model, Precision, Way

MOST_PIXELS: Final = 50_000_000  # of a batch

_SCENE_HW: Final = (480, 640)


@dataclass(frozen=True)
class Case:
    """What is timed: a model on pictures of one size. untrained: the architecture with random weights."""

    model: str
    size_hw: tuple[int, int]
    batch: int = 1
    precision: Precision = "fp32"
    untrained: bool = False
    way: Way = "default"
    extras: Extras = Extras()

    @property
    def setting(self) -> tuple[tuple[int, int], int, str]:
        """Size, batch and precision: only times of one setting are compared between models."""
        return self.size_hw, self.batch, self.precision


def load(case: Case, device: str) -> Model:
    """The model, ready to run in the case's way. Raises as `models.load` does.

    A score threshold of 0: Mask R-CNN keeps as many detections as it may, whatever it has learned.
    """
    weights: models.Weights = "untrained" if case.untrained else "trained"
    model = models.load(case.model, device, case.precision, weights=weights, score_threshold=0.0)
    models.arrange(model, case.way)
    return model


def picture_file(size_hw: tuple[int, int]) -> bytes:
    """A generated scene of this size as a JPEG file; drawn small and enlarged, for drawing takes seconds."""
    from PIL import Image

    scene = Image.fromarray(street_scene(0, _SCENE_HW).rgb)
    return overlay.encode_jpeg(np.asarray(scene.resize(size_hw[::-1], Image.Resampling.BICUBIC)))


def decoded(file: bytes, batch: int) -> tuple[list[InputImage], float]:
    """The batch of pictures, and the seconds it took to decode it."""
    start = time.perf_counter()
    pictures = [images.decode(file, "scene.jpg") for _ in range(batch)]
    return pictures, time.perf_counter() - start


def of_record(record: dict[str, Any]) -> Case:
    """The case that `dataclasses.asdict` wrote; one from before there were extras had none."""
    extras = Extras(**record.get("extras", {}))
    return Case(**record | {"size_hw": tuple(record["size_hw"]), "extras": extras})


def call(model: Model, pictures: Sequence[InputImage], extras: Extras = NO_EXTRAS) -> tuple[float, float, float, float]:
    """Seconds of the four stages for the whole batch."""
    _, times = models.run_stages(model, pictures, settle=model.settle, extras=extras)
    n = len(pictures)
    return n * times.transfer_s, n * times.preprocess_s, n * times.forward_s, n * times.postprocess_s
