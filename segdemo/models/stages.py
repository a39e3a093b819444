"""A model's stages on one or many parts of a picture, with the seconds that each of them takes in all."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from segdemo import devices
from segdemo.images import InputImage
from segdemo.prediction import StageTimes

if TYPE_CHECKING:
    from segdemo.models import Model


class Stages:
    """One run of a model: `outputs` as often as needed, and whatever becomes of them is postprocessing.

    settle: changes the network's output before postprocessing, in no stage's time.
    """

    def __init__(self, model: "Model", settle: Callable[[Any], Any] | None = None) -> None:
        self.model = model
        self._settle = settle
        self._seconds = dict.fromkeys(("transfer", "preprocess", "forward", "settle"), 0.0)
        self._began_s = time.perf_counter()

    def outputs(self, images: Sequence[InputImage], **how: Any) -> Any:
        """What the network says of pictures of one size. how: what the model's `preprocess` is told besides."""
        # No name for the pictures: their copy, 300 MB at 100 megapixels, goes before the forward pass needs its memory.
        inputs = self._timed(
            "preprocess", partial(self.model.preprocess, **how), self._timed("transfer", self.model.transfer, images)
        )
        outputs = self._timed("forward", self.model.forward, inputs)
        return outputs if self._settle is None else self._timed("settle", self._settle, outputs)

    def times(self, pictures: int) -> StageTimes:
        """Seconds of each stage for each of the pictures, all that was no other stage being postprocessing."""
        devices.synchronise(self.model.device)
        total_s = time.perf_counter() - self._began_s
        transfer_s, preprocess_s, forward_s, _ = seconds = self._seconds.values()
        rest_s = total_s - sum(seconds)
        return StageTimes(transfer_s / pictures, preprocess_s / pictures, forward_s / pictures, rest_s / pictures)

    def _timed(self, stage: str, work: Callable[..., Any], *arguments: Any) -> Any:
        devices.synchronise(self.model.device)  # what is still queued belongs to the stage before
        start = time.perf_counter()
        result = work(*arguments)
        devices.synchronise(self.model.device)
        self._seconds[stage] += time.perf_counter() - start
        return result
