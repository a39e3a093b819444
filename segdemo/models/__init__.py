"""Load a model of the catalogue and run it: four stages, the same for the app, the command line and the benchmark.

model = load("starter/segformer")
[prediction] = predict(model, [image])
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np

from segdemo import devices
from segdemo.errors import ModelError
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.labels import LabelSpace
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec
from segdemo.models.stages import Stages
from segdemo.models.turns import Turns
from segdemo.prediction import Prediction, Segments, StageTimes

Precision = Literal["fp32", "bf16", "fp16"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "fp16"]  # "auto": `usual_precision`
Weights = Literal["trained", "untrained"]
# How a network is run: as the app does it; through torch.compile; with its numbers in another order in memory.
Way = Literal["default", "compile", "channels-last", "contiguous"]
WAYS: Final[tuple[Way, ...]] = ("default", "compile", "channels-last", "contiguous")
NO_EXTRAS: Final = Extras()
SCORE_THRESHOLD = 0.5  # of the instances that make the label map

Progress = Callable[[int, int | None], None]  # bytes done, bytes in all (None: unknown)


@dataclass(frozen=True)
class Answer:
    """What an adapter's postprocess gives for one picture; fields as in `Prediction`."""

    labels: np.ndarray
    confidence: np.ndarray | None
    segments: Segments | None


class Model(Protocol):
    """A loaded network and its four stages. Shared between people: it keeps nothing of any picture.

    Those of semantic models have more, for views and tiles (`assembling.SemanticModel`): `preprocess` takes a scale
    and a tile, and `class_probabilities` stands beside `postprocess`.
    """

    spec: ModelSpec
    space: LabelSpace
    device: str
    precision: Precision
    trained: bool

    @property
    def module(self) -> Any:
        """The torch network, for its parameters."""

    @property
    def findings(self) -> str:
        """What `settle` fixes, in words; "" for nothing."""

    def compile(self) -> None:
        """Run the network, where it is one graph of operators, through torch.compile from the next call on."""

    def longest_look(self, tile: int) -> int | None:
        """The side in pixels of the largest square of a picture that is one look, where tiles of that side are as large
        in the network's input as a picture usually is. `tile`: they are pictures of their own. None: all are one look.
        """

    def transfer(self, images: Sequence[InputImage]) -> Any:
        """The bytes of pictures of one size to the model's device."""

    def preprocess(self, pictures: Any) -> Any:
        """What `transfer` gave to the network's input."""

    def forward(self, inputs: Any) -> Any:
        """The bare network."""

    def postprocess(self, outputs: Any, size_hw: tuple[int, int]) -> list[Answer]:
        """The network's output to answers at the pictures' size, in the order of the pictures."""

    def settle(self, outputs: Any) -> Any:
        """The network's output with a fixed number of things found, so that postprocessing always takes as long."""


# A run that is timed is alone: others beside it would raise peak memory and spoil its times.
TURNS = Turns()


def load(
    key: str,
    device: str = "auto",
    precision: PrecisionChoice = "fp32",
    weights: Weights = "trained",
    progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:
    """Build the model with this key, with its weights, on a device, ready to run.

    device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1", "mps".
    precision: "auto" is that of `usual_precision`; the model tells which.
    weights: "untrained" builds the architecture alone, for timing only; `predict` refuses it.
    progress: told of bytes while weights are downloaded.
    score_threshold: instances scored lower are left out. Average precision wants the doubtful ones too; the label map
        is made of those scored 0.5 or more all the same. Panoptic answers have a rule of their own.
    Raises `ModelError` for an unknown key, device or precision and `WeightsError` where weights cannot be had.
    """
    spec = catalog.find(key)
    where = devices.choose(device)
    chosen = usual_precision(where) if precision == "auto" else precision
    devices.check_precision(where, chosen)
    if where == "cpu":
        devices.keep_pages()
    model = _adapter(spec)(spec, where, chosen, weights == "trained", progress, score_threshold)
    devices.release_threads()
    return model


def usual_precision(device: str) -> Precision:
    """The fastest precision on a device, as `devices.choose` names it, that leaves a model's answers as they are.

    bf16 on a CPU with instructions for it: with the starters there, fewer than 0.5 % of the labels change, mean IoU by
    less than 0.001, and the network takes 0.3 to 0.9 of the time. `benchmarks/precision.py` measures it.
    """
    return "bf16" if devices.has_fast_bf16(device) else "fp32"


def predict(
    model: Model, images: Sequence[InputImage], side_by_side: int = 1, extras: Extras = NO_EXTRAS
) -> list[Prediction]:
    """Answers in the order of the pictures; pictures of one size run as one batch.

    side_by_side: how many threads call this at once, each of which gets its share of the CPU's cores. Their times are
        not those of a run alone.
    A batch that does not fit into the device's memory is halved. Raises `ModelError` where one picture does not fit,
    or the model cannot have the extras.
    """
    if not model.trained:
        raise ModelError(f"{model.spec.key} is untrained: it can be timed, but what it draws means nothing.")
    by_size: dict[tuple[int, int], list[int]] = {}
    for i, image in enumerate(images):
        by_size.setdefault(image.size_hw, []).append(i)
    found: dict[int, Prediction] = {}
    for size_hw, indices in by_size.items():
        answers, times = _run_halving(model, [images[i] for i in indices], side_by_side, extras)
        for i, answer in zip(indices, answers, strict=True):
            found[i] = Prediction(
                model=model.spec.key, space=model.space, labels=answer.labels, confidence=answer.confidence,
                segments=answer.segments, times=times, extras=extras.on(size_hw),
            )  # fmt: skip
    return [found[i] for i in range(len(images))]


def run_stages(
    model: Model,
    images: Sequence[InputImage],
    side_by_side: int = 1,
    settle: Callable[[Any], Any] | None = None,
    extras: Extras = NO_EXTRAS,
) -> tuple[list[Answer], StageTimes]:
    """Run the four stages on pictures of one size, timed with the device synchronised; untrained models too.

    side_by_side: see `predict`. settle: changes the network's output before postprocessing, in no stage's time.
    With tiles or several views, each stage's time is the sum over them.
    """
    extras.check(model.spec.key, model.spec.task)
    size_hw = images[0].size_hw
    turn = TURNS.alone() if side_by_side == 1 else TURNS.together()
    with turn, devices.inference(model.device, side_by_side):
        stages = Stages(model, settle)
        if used := extras.on(size_hw):
            from segdemo.models import assembling  # it needs torch

            answers = assembling.answers(stages, images, used)
        else:
            answers = model.postprocess(stages.outputs(images), size_hw)
        return answers, stages.times(len(images))


def arrange(model: Model, way: Way) -> None:
    """Let a model that nobody else uses run in another way, to measure what that gives."""
    import torch

    if way == "compile":
        model.compile()
    elif way != "default":
        order = torch.channels_last if way == "channels-last" else torch.contiguous_format
        model.module.to(memory_format=order)


def macs(model: Model, images: Sequence[InputImage]) -> float:
    """Multiply-accumulates of the forward pass, half of torch's count of operations; NaN where it cannot count."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # What is compiled runs as it was written: the counter sees operators, not kernels.
    with devices.inference(model.device), torch.compiler.set_stance("force_eager"):
        inputs = model.preprocess(model.transfer(images))
        try:
            with FlopCounterMode(display=False) as counter:
                model.forward(inputs)
        except (RuntimeError, NotImplementedError):
            return math.nan
    return counter.get_total_flops() / 2 or math.nan


def _adapter(spec: ModelSpec) -> Callable[[ModelSpec, str, Precision, bool, Progress | None, float], Model]:
    # Imported here: each library takes seconds, and most people need one of them first.
    if spec.library == "torch":
        import segdemo.models.from_torch as torch_adapter

        return torch_adapter.load
    if spec.library == "torchvision":
        import segdemo.models.from_torchvision as torchvision_adapter

        return torchvision_adapter.load
    if spec.library == "smp":
        import segdemo.models.from_smp as smp_adapter

        return smp_adapter.load
    import segdemo.models.from_transformers as transformers_adapter

    return transformers_adapter.load


def _run_halving(
    model: Model, images: Sequence[InputImage], side_by_side: int, extras: Extras
) -> tuple[list[Answer], StageTimes]:
    try:
        return run_stages(model, images, side_by_side, extras=extras)
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
    # Outside the except block: the traceback holds the tensors that did not fit.
    devices.free_memory(model.device)
    if len(images) == 1:
        height, width = images[0].size_hw
        raise ModelError(
            f"{model.spec.key} does not fit into the memory of {model.device} at {width}×{height}; "
            "choose a smaller picture, a smaller model or another device."
        )
    half = len(images) // 2
    first, times_first = _run_halving(model, images[:half], side_by_side, extras)
    second, times_second = _run_halving(model, images[half:], side_by_side, extras)
    return first + second, _mean_times(times_first, half, times_second, len(images) - half)


def _mean_times(a: StageTimes, n: int, b: StageTimes, m: int) -> StageTimes:
    def mean(x: float, y: float) -> float:
        return (x * n + y * m) / (n + m)

    return StageTimes(
        mean(a.transfer_s, b.transfer_s),
        mean(a.preprocess_s, b.preprocess_s),
        mean(a.forward_s, b.forward_s),
        mean(a.postprocess_s, b.postprocess_s),
    )
