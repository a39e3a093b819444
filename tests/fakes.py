"""Stand-ins for what a test does not want to wait for."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from segdemo.errors import WeightsError
from segdemo.images import InputImage
from segdemo.models import Answer, catalog
from segdemo.prediction import Segments

READER = "starter/segformer"  # its fake reads its answer from the picture
DENSE = "starter/fcn"  # its fake has stages that can be looked into


class FakeModel:
    """Answers by position: above class 0, below 1 on the left and 3 on the right; one object where the task has any.

    That of `READER` finds its classes in the red of a picture where that has some of the numbers 0 to 10 and no other,
    and its confidence in the green.

    only: the one class that it says everywhere instead. `looked_at` names every picture whose pixels it was given.
    """

    trained = True
    findings = ""

    def __init__(self, key: str, device: str = "cpu", precision: str = "fp32", only: int | None = None) -> None:
        self.spec, self.only = catalog.find(key), only
        self.space, self.device = self.spec.space, device
        # "auto" as on a processor with units for bf16, whatever this one has.
        self.precision = "bf16" if precision == "auto" else precision
        self.looked_at: list[str] = []

    def compile(self) -> None:
        pass

    def longest_look(self, tile: int) -> int | None:
        return tile

    def transfer(self, images: Sequence[InputImage]) -> Any:
        self.looked_at += [image.name for image in images]
        return images

    def preprocess(self, pictures: Any, scale: float = 1, tile: int | None = None) -> Any:
        return pictures

    def forward(self, inputs: Any) -> Any:
        return inputs

    def postprocess(self, outputs: Any, size_hw: tuple[int, int]) -> list[Answer]:
        if self.spec.key == READER and 0 < outputs[0].rgb[..., 0].max() <= 10:
            return [
                Answer(image.rgb[..., 0], (image.rgb[..., 1] / np.float32(255)).astype(np.float16), None)
                for image in outputs
            ]
        height, width = size_hw
        labels = np.zeros(size_hw, np.uint8)
        labels[height // 2 :, : width // 2] = 1
        labels[height // 2 :, width // 2 :] = 3
        if self.only is not None:
            labels[:] = self.only
        return [Answer(labels, None, self._segments(size_hw)) for _ in outputs]

    def class_probabilities(self, outputs: Any, size_hw: tuple[int, int]) -> Iterator[Any]:
        """Sure of what `postprocess` says, in two bands."""
        import torch

        labels = torch.from_numpy(np.stack([answer.labels for answer in self.postprocess(outputs, size_hw)]))
        sure = torch.nn.functional.one_hot(labels.long(), len(self.space.classes)).permute(0, 3, 1, 2).float()
        yield from sure.split(1 + size_hw[0] // 2, dim=2)

    @property
    def module(self) -> Any:
        """A network of 8 parameters."""
        import torch

        return torch.nn.Linear(3, 2)

    def settle(self, outputs: Any) -> Any:
        return outputs

    def _segments(self, size_hw: tuple[int, int]) -> Segments | None:
        if self.spec.task == "semantic":
            return None
        height, width = size_hw[0] // 4, size_hw[1] // 4
        return Segments(
            boxes_xyxy=np.array([[width, height, 2 * width, 2 * height]], np.int32),
            masks=(np.ones((height, width), np.bool_),),
            class_ids=np.array([1], np.uint8),
            scores=np.array([0.75], np.float32),
        )


class DenseFake(FakeModel):
    """Answers like the others; before that it is a network: it scores each class by the light in cells of 8 × 8 pixels.

    The brighter a cell, the higher the class: class 0 has the logit 0, class 10 the light, in [0, 1].
    """

    def preprocess(self, pictures: Any, scale: float = 1, tile: int | None = None) -> Any:
        import torch

        return torch.stack([torch.from_numpy(one.rgb.copy()).permute(2, 0, 1) for one in pictures]).float() / 255

    def forward(self, inputs: Any) -> Any:
        import torch

        light = torch.nn.functional.avg_pool2d(inputs, 8).mean(1, keepdim=True)
        return light * torch.linspace(0, 1, len(self.space.classes)).view(1, -1, 1, 1)


class FakeModels:
    """In place of `segdemo.models.load`: remembers what it made.

    failing: by key, what is raised. says: by key, the one class that is said everywhere.
    """

    def __init__(self) -> None:
        self.made: list[FakeModel] = []
        self.asked: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.says: dict[str, int] = {}

    def load(self, key: str, device: str = "auto", precision: str = "fp32", **_: Any) -> FakeModel:
        self.asked.append(key)
        if key in self.failing:
            raise self.failing[key]
        kind = DenseFake if key == DENSE else FakeModel
        self.made.append(kind(key, device, precision, self.says.get(key)))
        return self.made[-1]

    def looked_at(self) -> list[tuple[str, str]]:
        return [(model.spec.key, name) for model in self.made for name in model.looked_at]


MISSING = WeightsError("The weights of this model are missing: fetch them on a machine with a network.")
