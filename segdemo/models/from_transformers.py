"""transformers' networks behind the four stages: SegFormer, and Mask2Former for its three tasks.

Label names, sizes and colours come from the checkpoint's own files. Only its weights are read, never code: safetensors
where there are any, else a pickle in torch's `weights_only` mode.

Precision: weights are stored in it, and autocast chooses operator by operator. All in bfloat16, Mask2Former samples a
pixel beside where it means to, and on a CPU out of bounds.
"""

import pickle
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    Mask2FormerForUniversalSegmentation,
    SegformerForSemanticSegmentation,
)
from transformers.utils import logging

from segdemo.errors import ModelError, WeightsError
from segdemo.images import InputImage
from segdemo.labels import LabelSpace
from segdemo.models import (
    SCORE_THRESHOLD,
    Answer,
    Model,
    Precision,
    Progress,
    mask_queries,
    preprocessing,
    weights,
)
from segdemo.models.architectures import published_configs
from segdemo.models.catalog import ModelSpec
from segdemo.models.fused_head import fuse_head
from segdemo.models.mask_queries import SETTLED, MaskQueries
from segdemo.models.preprocessing import Preprocessing
from segdemo.models.transfer import to_device
from segdemo.models.upsampling import labels_from_logits, probabilities_from_logits

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_DAMAGED = (EOFError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError)
_UNREADABLE = (OSError, *_DAMAGED)

# Its bars and reports go to standard error, where the command line has one line for each failure.
logging.disable_progress_bar()
logging.set_verbosity_error()
warnings.filterwarnings("ignore", "You'd better set embed_dim")  # for a CUDA kernel that transformers does not have


def load(
    spec: ModelSpec, device: str, precision: Precision, trained: bool, progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:  # fmt: skip
    """Build the row's network, load its weights from their folder, make it ready for inference on the device.

    Without weights, a starter's shape still comes from its folder, any other from the table of published shapes.
    Raises `WeightsError` where weights cannot be had or read, `ModelError` where they are of something else.
    """
    kind = _KINDS[spec.architecture]
    network_class: Any = kind.network_class
    if trained or spec.source == "starter":
        folder = weights.fetch(spec, progress)
        config, prepare = _read_settings(spec, folder, network_class)
        network = _read_network(spec, folder, network_class) if trained else network_class(config)
    else:
        config, processor = published_configs.find(spec)
        network, prepare = network_class(config), preprocessing.of_processor(processor)
    fuse_head(network.requires_grad_(False).eval())
    network.to(device=device, dtype=_DTYPES[precision])
    if device == "cpu":
        network.to(memory_format=torch.channels_last)
    return kind(spec, spec.space, device, precision, trained, network, prepare, score_threshold)


@dataclass
class _TransformersModel:
    spec: ModelSpec
    space: LabelSpace
    device: str
    precision: Precision
    trained: bool
    network: nn.Module
    prepare: Preprocessing
    score_threshold: float

    findings: ClassVar[str] = ""

    @property
    def module(self) -> nn.Module:
        """The torch network."""
        return self.network

    def settle(self, outputs: Any) -> Any:
        """The same: a class map has the same size whatever it shows."""
        return outputs

    def compile(self) -> None:
        """The whole network."""
        self.network.compile()

    def transfer(self, images: Sequence[InputImage]) -> Tensor:
        """(N, 3, H, W) uint8."""
        return to_device(images, self.device)

    def preprocess(self, pictures: Tensor, scale: float = 1) -> Tensor:
        """(N, 3, h, w) float32, `scale` times as large as usual."""
        return self.prepare(pictures, scale)

    def _run(self, inputs: Tensor) -> Any:
        dtype = _DTYPES[self.precision]
        with torch.autocast(torch.device(self.device).type, dtype, enabled=dtype != torch.float32):
            return self.network(pixel_values=inputs)

    def _expect_finite(self, output: Tensor) -> None:
        if not torch.isfinite(output.sum(dtype=torch.float32)):
            raise ModelError(f"{self.spec.key} has no finite output in {self.precision}; choose another precision.")


class SegformerModel(_TransformersModel):
    """SegFormer (https://arxiv.org/abs/2105.15203): logits at a quarter of the input's size."""

    network_class = SegformerForSemanticSegmentation

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (N, C, h / 4, w / 4)."""
        return self._run(inputs).logits

    def postprocess(self, outputs: Tensor, size_hw: tuple[int, int]) -> list[Answer]:
        """The most probable class of every pixel."""
        self._expect_finite(outputs)
        labels, confidence = labels_from_logits(outputs, size_hw)
        return [Answer(*maps, None) for maps in zip(labels.cpu().numpy(), confidence.cpu().numpy(), strict=True)]

    def class_probabilities(self, outputs: Tensor, size_hw: tuple[int, int]) -> Iterator[Tensor]:
        """Of every pixel, in bands of rows."""
        self._expect_finite(outputs)
        return probabilities_from_logits(outputs, size_hw)


class Mask2FormerModel(_TransformersModel):
    """Mask2Former (https://arxiv.org/abs/2112.01527): class and mask of each query, read as the row's task wants."""

    network_class = Mask2FormerForUniversalSegmentation
    findings: ClassVar[str] = f"{SETTLED} queries that are sure of a class"

    def settle(self, outputs: MaskQueries) -> MaskQueries:
        """The masks as they are, the first of them sure of a class, the others of none."""
        return mask_queries.settled(outputs)

    def forward(self, inputs: Tensor) -> MaskQueries:
        """Class and mask logits of all queries, masks at a quarter of the input's size."""
        outputs = self._run(inputs)
        height, width = inputs.shape[-2:]
        return MaskQueries(outputs.class_queries_logits, outputs.masks_queries_logits, (height, width))

    def postprocess(self, outputs: MaskQueries, size_hw: tuple[int, int]) -> list[Answer]:
        """Labels, and the segments of instance and panoptic models."""
        self._expect_finite(outputs.class_logits)
        self._expect_finite(outputs.mask_logits)
        if self.spec.task == "semantic":
            return mask_queries.semantic(outputs, size_hw)
        if self.spec.task == "instance":
            return mask_queries.instances(outputs, size_hw, self.score_threshold)
        return mask_queries.panoptic(outputs, size_hw, self.space.things)

    def class_probabilities(self, outputs: MaskQueries, size_hw: tuple[int, int]) -> Iterator[Tensor]:
        """Of every pixel, in bands of rows; where the task is semantic."""
        self._expect_finite(outputs.class_logits)
        self._expect_finite(outputs.mask_logits)
        return mask_queries.class_probabilities(outputs, size_hw)


_KINDS: dict[str, type[SegformerModel] | type[Mask2FormerModel]] = {
    kind.network_class.__name__: kind for kind in (SegformerModel, Mask2FormerModel)
}


def _read_settings(spec: ModelSpec, folder: Path, network_class: Any) -> tuple[Any, Preprocessing]:
    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except _UNREADABLE as error:
        raise _unreadable(spec, folder, error) from error
    if not isinstance(config, network_class.config_class):
        raise ModelError(f"{folder} holds a {config.model_type!r} network, not the {spec.family} of {spec.key}.")
    _check_classes(spec, folder, [config.id2label[i] for i in sorted(config.id2label)])
    return config, preprocessing.of_processor(processor)


def _check_classes(spec: ModelSpec, folder: Path, names: list[str]) -> None:
    expected = spec.space.classes
    if len(names) != len(expected):
        raise ModelError(f"{folder} knows {len(names)} classes, but {spec.space.name} has {len(expected)}.")
    if spec.source == "starter" and tuple(names) != expected:
        odd = next(pair for pair in zip(names, expected, strict=True) if pair[0] != pair[1])
        raise ModelError(f"{folder} calls a class {odd[0]!r} that {spec.space.name} calls {odd[1]!r}.")


def _read_network(spec: ModelSpec, folder: Path, network_class: Any) -> nn.Module:
    try:
        network, report = network_class.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
        )
    except _UNREADABLE as error:
        raise _unreadable(spec, folder, error) from error
    if report["missing_keys"]:  # transformers would go on with random numbers
        missing = sorted(report["missing_keys"])
        raise ModelError(
            f"The weights in {folder} are not those of a {network_class.__name__}: {missing[0]} is missing."
        )
    return network


def _unreadable(spec: ModelSpec, folder: Path, error: Exception) -> WeightsError:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    return WeightsError(f"{spec.title} cannot be read from {folder} ({reason}); delete the folder and fetch it again.")
