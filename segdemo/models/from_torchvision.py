"""torchvision's networks, the big ones and the starters, behind the four stages.

Speed: batch normalisation is folded into the convolutions (up to 40 % less CPU time, the same logits to 1e-5), and
tensors are laid out channels last (15 to 40 % less CPU time; half-precision convolutions of GPUs want it as well).

Precision: weights are stored in it, and autocast chooses operator by operator, so that what cannot bear it (RoI
pooling, suppression of overlapping boxes) stays in float32.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.segmentation import LRASPP
from torchvision.transforms import functional as TF

from segdemo.images import InputImage
from segdemo.labels import VOID, LabelSpace
from segdemo.models import SCORE_THRESHOLD, Answer, Model, Precision, Progress
from segdemo.models.catalog import ModelSpec
from segdemo.models.mask_pasting import paste
from segdemo.models.normalising import normalised
from segdemo.models.torchvision_networks import Network, build, fold_batch_norms
from segdemo.models.transfer import to_device
from segdemo.models.upsampling import labels_from_logits, probabilities_from_logits

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LONGEST = 8  # times the shorter side


def load(
    spec: ModelSpec, device: str, precision: Precision, trained: bool, progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:  # fmt: skip
    """Build the row's network, load its weights from their file, make it ready for inference on the device.

    Raises `WeightsError` where the weights cannot be had, are damaged, hold code or are of another network.
    """
    network = build(spec, trained, progress)
    fold_batch_norms(network.module)
    layout = torch.channels_last if device == "cpu" or precision != "fp32" else torch.contiguous_format
    network.module.to(device=device, dtype=_DTYPES[precision], memory_format=layout)
    if isinstance(network.module, MaskRCNN):
        return InstanceModel(spec, spec.space, device, precision, trained, network, score_threshold)
    return SemanticModel(spec, spec.space, device, precision, trained, network)


@dataclass
class _TorchvisionModel:
    spec: ModelSpec
    space: LabelSpace
    device: str
    precision: Precision
    trained: bool
    network: Network

    findings: ClassVar[str] = ""

    @property
    def module(self) -> nn.Module:
        """The torch network."""
        return self.network.module

    def settle(self, outputs: Any) -> Any:
        """The same: a class map has the same size whatever it shows."""
        return outputs

    def compile(self) -> None:
        """The encoder, and the head of a semantic network; what Mask R-CNN does with its findings is no one graph."""
        self.network.module.backbone.compile()
        if not isinstance(self.network.module, MaskRCNN):
            self.network.module.classifier.compile()

    def transfer(self, images: Sequence[InputImage]) -> Tensor:
        """(N, 3, H, W) uint8."""
        return to_device(images, self.device)

    def _normalised(self, rgb: Tensor) -> Tensor:
        mean, std = ([255 * value for value in values] for values in (self.network.mean, self.network.std))
        return normalised(rgb, mean, std)

    def _autocast(self) -> torch.autocast:
        dtype = _DTYPES[self.precision]
        return torch.autocast(torch.device(self.device).type, dtype, enabled=dtype != torch.float32)


@dataclass(frozen=True)
class GridLogits:
    """Logits (N, C, h, w) float32 on the network's own grid, and the size of its input."""

    logits: Tensor
    input_hw: tuple[int, int]


class SemanticModel(_TorchvisionModel):
    """FCN, DeepLabV3 or LR-ASPP, with the preprocessing of their weights.

    In torchvision the network itself resizes its logits to its input's size, from where they go to the picture's. Both
    steps are taken here in bands, which costs half of the first alone. Straight from the grid to the picture would not
    be the library's answer: with a trained network 0.02 % of the labels differ, with restless logits 0.5 %.
    """

    def __post_init__(self) -> None:
        self.network.module.classifier.register_forward_hook(_as_float32)

    def preprocess(self, pictures: Tensor, scale: float = 1) -> Tensor:
        """(N, 3, h, w) float32, `scale` times as large as usual."""
        height, width = pictures.shape[-2:]
        shorter_side = round(scale * self.network.shorter_side)
        resized = TF.resize(pictures, list(resized_hw((height, width), shorter_side)), antialias=True)
        return self._normalised(resized)

    def forward(self, inputs: Tensor) -> GridLogits:
        """Logits at an eighth of the input's size."""
        module = self.network.module
        with self._autocast():
            features = module.backbone(inputs)
            logits = module.classifier(features if isinstance(module, LRASPP) else features["out"])
        height, width = inputs.shape[-2:]
        return GridLogits(logits, (height, width))

    def postprocess(self, outputs: GridLogits, size_hw: tuple[int, int]) -> list[Answer]:
        """The most probable class of every pixel."""
        labels, confidence = labels_from_logits(outputs.logits, size_hw, outputs.input_hw)
        return [Answer(*maps, None) for maps in zip(labels.cpu().numpy(), confidence.cpu().numpy(), strict=True)]

    def class_probabilities(self, outputs: GridLogits, size_hw: tuple[int, int]) -> Iterator[Tensor]:
        """Of every pixel, in bands of rows."""
        return probabilities_from_logits(outputs.logits, size_hw, outputs.input_hw)


@dataclass(frozen=True)
class Detections:
    """What Mask R-CNN finds, in pixels of its input, best first.

    found: per picture boxes (K, 4), labels (K,), scores (K,) above the threshold, and masks (K, 1, 28, 28) in [0, 1].
    """

    found: list[dict[str, Tensor]]
    input_hw: tuple[int, int]


@dataclass
class InstanceModel(_TorchvisionModel):
    """Mask R-CNN up to its small masks, which `paste` takes to the picture; torchvision makes a full-size map of each.

    Only instances scored above the threshold get a mask. An untrained network scores none above 0.5: its time lacks the
    mask head.
    """

    score_threshold: float
    findings: ClassVar[str] = "as many detections as it may have, 100 at most"  # at a score threshold of 0
    class_ids: tuple[int, ...] = field(init=False)  # of the network's labels; VOID where the space has no such class

    def __post_init__(self) -> None:
        classes = self.space.classes
        self.class_ids = tuple(classes.index(name) if name in classes else VOID for name in self.network.classes)
        _prepare_detector(self.network.module, self.device, self.score_threshold)

    def preprocess(self, pictures: Tensor) -> ImageList:
        """As the network's own transform does, but normalised after the resize: both are linear, and this is less."""
        transform = self.network.module.transform
        height, width = pictures.shape[-2:]
        scale = min(self.network.shorter_side / min(height, width), transform.max_size / max(height, width))
        size_hw = (max(1, int(height * scale)), max(1, int(width * scale)))
        resized = F.interpolate(pictures.float(), size_hw, mode="bilinear")
        inputs = transform.batch_images(list(self._normalised(resized)), transform.size_divisible)
        return ImageList(inputs, [size_hw] * len(pictures))

    def forward(self, inputs: ImageList) -> Detections:
        """Boxes, labels, scores, small masks."""
        module = self.network.module
        with self._autocast():
            features = module.backbone(inputs.tensors)
            proposals, _ = module.rpn(inputs, features)
            found, _ = module.roi_heads(features, proposals, inputs.image_sizes)
        return Detections(found, inputs.image_sizes[0])

    def postprocess(self, outputs: Detections, size_hw: tuple[int, int]) -> list[Answer]:
        """Instances, and the label map that they make."""
        return [paste(found, outputs.input_hw, size_hw, self.class_ids) for found in outputs.found]


def resized_hw(size_hw: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """The size that brings the shorter side to `shorter_side`, rounded as torchvision rounds it.

    A picture longer than 8 : 1 keeps to that length instead: 10 by 50000 pixels would become 520 by 2.6 million.
    """
    shorter, longer = min(size_hw), max(size_hw)
    new_shorter, new_longer = shorter_side, int(shorter_side * longer / shorter)
    if new_longer > _LONGEST * shorter_side:
        new_longer = _LONGEST * shorter_side
        new_shorter = max(1, int(new_longer * shorter / longer))
    return (new_shorter, new_longer) if size_hw[0] <= size_hw[1] else (new_longer, new_shorter)


def _prepare_detector(module: MaskRCNN, device: str, score_threshold: float) -> None:
    roi_heads = module.roi_heads
    roi_heads.score_thresh = score_threshold
    for part in (module.backbone, module.rpn.head, roi_heads.box_predictor):
        part.register_forward_hook(_as_float32)
    # The RoI pools take the scales of their feature maps from the first picture they see, and keep them. A narrow
    # strip, mostly padding, gives wrong ones: so the first is a square.
    size_hw = (256, 256)
    with torch.inference_mode():
        features = module.backbone(torch.zeros(1, 3, *size_hw, device=device, dtype=next(module.parameters()).dtype))
        for pool in (roi_heads.box_roi_pool, roi_heads.mask_roi_pool):
            pool(features, [torch.tensor([[0.0, 0.0, 64.0, 64.0]], device=device)], [size_hw])


def _as_float32(_module: nn.Module, _inputs: Any, output: Any) -> Any:
    """Forward hook: boxes and logits are worked on in the precision they come in, and 1000 in bf16 is 2 pixels off."""
    if isinstance(output, Tensor):
        return output.float()
    if isinstance(output, dict):
        return {name: value.float() for name, value in output.items()}
    return type(output)(_as_float32(_module, _inputs, value) for value in output)
