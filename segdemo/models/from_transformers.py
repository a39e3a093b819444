"""transformers' networks behind the four stages: one adapter for each kind of output, logits of pixels and queries.

Label names, sizes and colours come from the checkpoint's own files. Only its weights are read, never code: safetensors
where there are any, else a pickle in torch's `weights_only` mode.

All in bfloat16, without `placing.autocast`, Mask2Former samples a pixel beside where it means to, and on a CPU out of
bounds.
"""

import pickle
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
import torch.nn.functional as F
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig
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
    catalog,
    checkpoint_config,
    mask_queries,
    panoptic_contest,
    preprocessing,
    weights,
)
from segdemo.models.architectures import published_configs
from segdemo.models.footprint import Footprint, footprint
from segdemo.models.fused_head import fuse_head
from segdemo.models.mask_queries import SETTLED, MaskQueries
from segdemo.models.masked_decoder import decode_lightly
from segdemo.models.output_kinds import LOGITS, QUERIES
from segdemo.models.panoptic_contest import PANOPTIC_RULE, PanopticRule
from segdemo.models.parts import in_parts, longest_side
from segdemo.models.placing import autocast, expect_finite, place
from segdemo.models.preprocessing import Preprocessing
from segdemo.models.sampled_attention import sample_by_rows
from segdemo.models.spec import ModelSpec, Task
from segdemo.models.transfer import to_device
from segdemo.models.upsampling import labels_from_logits, probabilities_from_logits

_ONE_SIZE = ("beit", "data2vec-vision", "eomt", "eomt_dinov3")
# Those, networks that hold the attention of all places to all others, and UPerNet, whose logits have the input's size.
_TILE_BY_TILE = (*_ONE_SIZE, "dpt", "mobilevit", "upernet")
_SQUARE = (512, 512)  # a picture of this shape says what size the input usually has
_DAMAGED = (EOFError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError)
_UNREADABLE = (OSError, ImportError, *_DAMAGED)  # some backbones need a library that is not here

# Its bars and reports go to standard error, where the command line has one line for each failure.
logging.disable_progress_bar()
logging.set_verbosity_error()
warnings.filterwarnings("ignore", "You'd better set embed_dim")  # for a CUDA kernel that transformers does not have


def load(
    spec: ModelSpec, device: str, precision: Precision, trained: bool, progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:  # fmt: skip
    """Build the row's network, load its weights from their folder, make it ready for inference on the device.

    Without weights, a row's shape comes from the table of published shapes, that of a starter and of what somebody
    brought from its folder.
    Raises `WeightsError` where weights cannot be had or read, `ModelError` where they are of something else.
    """
    kind, network_class = KINDS[spec.architecture], getattr(transformers, spec.architecture)
    if trained or spec.source == "starter" or not catalog.in_catalog(spec):
        folder = weights.fetch(spec, progress) if trained else weights.configurations(spec)
        config, prepare = _read_settings(spec, folder, network_class)
        network = _read_network(spec, folder, network_class) if trained else network_class(config)
    else:
        config, processor = published_configs.find(spec)
        network, prepare = network_class(config), preprocessing.of_processor(processor)
    quicken(network, device)
    place(network, device, precision)
    return kind(spec, spec.space, device, precision, trained, network, prepare, score_threshold)


def quicken(network: nn.Module, device: str) -> None:
    """Give a network the parts that answer as transformers' own do, in less time."""
    fuse_head(network)
    decode_lightly(network)
    if device == "cpu":
        sample_by_rows(network)


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

    @property
    def _usual_hw(self) -> tuple[int, int]:
        return self.prepare.resized_hw(_SQUARE)

    @cached_property
    def _footprint(self) -> Footprint | None:
        return footprint(self._logits, self._usual_hw, self.device)

    def _logits(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError

    def transfer(self, images: Sequence[InputImage]) -> Tensor:
        """(N, 3, H, W) uint8."""
        return to_device(images, self.device)

    def preprocess(self, pictures: Tensor, scale: float = 1, tile: int | None = None) -> Tensor:
        """(N, 3, h, w) float32, `scale` times as large as usual, or as large as tiles of that side usually are; N times
        the number of windows, where the checkpoint asks for windows of the picture.
        """
        return self.prepare(pictures, scale, tile)

    def _run(self, inputs: Tensor, **others: Tensor) -> Any:
        with autocast(self.device, self.precision):
            return self.network(pixel_values=inputs, **others)


class LogitsModel(_TransformersModel):
    """Networks that give every pixel a logit for each class: SegFormer, UPerNet, BEiT, DPT, MobileViT and the like."""

    def longest_look(self, tile: int) -> int | None:
        """A tile, where more than a usual input would take too much memory or cannot be had; else any picture."""
        config: Any = self.network.config
        return tile if config.model_type in _TILE_BY_TILE else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (N, C, h, w), at the input's size or a fraction of it, whatever the network gives."""
        if self.longest_look(tile=1):
            return self._logits(inputs)
        return in_parts(self._logits, inputs, self._usual_hw, lambda: self._footprint)

    def _logits(self, inputs: Tensor) -> Tensor:
        return self._run(inputs).logits

    def postprocess(self, outputs: Tensor, size_hw: tuple[int, int]) -> list[Answer]:
        """The most probable class of every pixel."""
        expect_finite(outputs, self.spec.key, self.precision)
        labels, confidence = labels_from_logits(outputs, size_hw)
        return [Answer(*maps, None) for maps in zip(labels.cpu().numpy(), confidence.cpu().numpy(), strict=True)]

    def class_probabilities(self, outputs: Tensor, size_hw: tuple[int, int]) -> Iterator[Tensor]:
        """Of every pixel, in bands of rows."""
        expect_finite(outputs, self.spec.key, self.precision)
        return probabilities_from_logits(outputs, size_hw)


class QueriesModel(_TransformersModel):
    """Networks that give a class and a mask to each of their queries, read as the row's task wants.

    MaskFormer (https://arxiv.org/abs/2107.06278), Mask2Former (https://arxiv.org/abs/2112.01527), OneFormer
    (https://arxiv.org/abs/2211.06220) and EoMT (https://arxiv.org/abs/2503.19108).
    """

    findings: ClassVar[str] = f"{SETTLED} queries that are sure of a class"

    def longest_look(self, tile: int) -> int:
        """The side of the largest square of a picture for which there is memory, of some tiles: a look has so many
        queries, whatever its size. A tile, where a larger input cannot be had, or its memory not be told.
        """
        config: Any = self.network.config
        return tile if config.model_type in _ONE_SIZE else longest_side(tile, self._usual_hw, self._footprint)

    def settle(self, outputs: MaskQueries) -> MaskQueries:
        """The masks as they are, the first of them sure of a class, the others of none."""
        return mask_queries.settled(outputs)

    def forward(self, inputs: Tensor) -> MaskQueries:
        """Class and mask logits of all queries, masks at a fraction of the input's size."""
        outputs = self._run(inputs, **self._task(len(inputs)))
        height, width = inputs.shape[-2:]
        return MaskQueries(outputs.class_queries_logits, outputs.masks_queries_logits, (height, width))

    def _logits(self, inputs: Tensor) -> Tensor:
        return self.forward(inputs).mask_logits

    def _task(self, count: int) -> dict[str, Tensor]:
        """What OneFormer is told besides the pictures: its task, once for each."""
        if self.spec.architecture != "OneFormerForUniversalSegmentation":
            return {}
        config: Any = self.network.config
        tokens = torch.tensor(_TASK_TOKENS[self.spec.task], device=self.device)
        return {"task_inputs": F.pad(tokens, (0, config.task_seq_len - len(tokens))).expand(count, -1)}

    def postprocess(self, outputs: MaskQueries, size_hw: tuple[int, int]) -> list[Answer]:
        """Labels, and the segments of instance and panoptic models."""
        expect_finite(outputs.class_logits, self.spec.key, self.precision)
        expect_finite(outputs.mask_logits, self.spec.key, self.precision)
        outputs = self._placed(outputs, size_hw)
        if self.spec.task == "semantic":
            return mask_queries.semantic(outputs, size_hw)
        if self.spec.task == "instance":
            return mask_queries.instances(outputs, size_hw, self.score_threshold)
        return panoptic_contest.panoptic(outputs, size_hw, self.space.things, self._rule())

    def _rule(self) -> PanopticRule:
        """The checkpoint's own, where `training.export` wrote one into its configuration."""
        return PanopticRule(**getattr(self.network.config, PANOPTIC_RULE, {}))

    def class_probabilities(self, outputs: MaskQueries, size_hw: tuple[int, int]) -> Iterator[Tensor]:
        """Of every pixel, in bands of rows; where the task is semantic."""
        expect_finite(outputs.class_logits, self.spec.key, self.precision)
        expect_finite(outputs.mask_logits, self.spec.key, self.precision)
        return mask_queries.class_probabilities(self._placed(outputs, size_hw), size_hw)

    def _placed(self, outputs: MaskQueries, size_hw: tuple[int, int]) -> MaskQueries:
        """With what the picture fills of the input, where that is not all of it."""
        if not (self.prepare.square or self.prepare.window):
            return outputs
        return replace(outputs, filled_hw=self.prepare.resized_hw(size_hw), starts=self.prepare.starts(size_hw))


KINDS: Final[dict[str, type[LogitsModel] | type[QueriesModel]]] = {
    **dict.fromkeys(LOGITS, LogitsModel),
    **dict.fromkeys(QUERIES, QueriesModel),
}

# "the task is semantic" and so on in the vocabulary of CLIP's tokenizer, which OneFormer's checkpoints use, with its
# start and its end. Looked up once, so that nobody has to fetch a vocabulary for three sentences.
_TASK_TOKENS: Final[dict[Task, tuple[int, ...]]] = {
    "semantic": (49406, 518, 10549, 533, 29119, 1550, 49407),
    "instance": (49406, 518, 10549, 533, 34572, 49407),
    "panoptic": (49406, 518, 10549, 533, 1072, 24755, 49407),
}


def _read_settings(spec: ModelSpec, folder: Path, network_class: Any) -> tuple[Any, Preprocessing]:
    try:
        PanopticRule(**checkpoint_config.read(folder).get(PANOPTIC_RULE, {}))  # or it is refused here
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if not isinstance(config, network_class.config_class):
            raise ModelError(f"{folder} holds a {config.model_type!r} network, not the {spec.family} of {spec.key}.")
        prepare = preprocessing.of_folder(folder, config.model_type)
    except _UNREADABLE as error:
        raise _unreadable(spec, folder, error) from error
    _check_classes(spec, folder, [config.id2label[i] for i in sorted(config.id2label)])
    _check_size(spec, config, prepare)
    return config, prepare


def _check_size(spec: ModelSpec, config: Any, prepare: Preprocessing) -> None:
    """Some networks have a position for each place of a picture of one size, and take no other."""
    if config.model_type in _ONE_SIZE:
        side, found = config.image_size, prepare.input_hw((2, 3))
        if found != (side, side):
            asked = f"{found[1]}×{found[0]}"
            raise ModelError(f"{spec.title} takes pictures of {side}×{side}, but its files ask for {asked}.")


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
