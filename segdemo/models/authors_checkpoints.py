"""Checkpoints in the forms that their authors published, into networks of our own.

FastFCN: a file of wuhuikai/FastFCN, whose tensors' names tell backbone, head and number of classes.
Segmenter: a folder of rstrudel/segmenter, `checkpoint.pth` beside `variant.yml`.
Brain U-Net: the released file of mateuszbuda/brain-segmentation-pytorch.
Only tensors are read (torch's `weights_only`), never code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from segdemo.errors import WeightsError
from segdemo.models import Progress, sidecar, state_dicts, weights
from segdemo.models.architectures import segmenter
from segdemo.models.architectures.brain_unet import BrainUNet
from segdemo.models.architectures.fastfcn import (
    EncodingHead,
    FastFcn,
    FcnHead,
    JointPyramidUpsampling,
    resnet,
)
from segdemo.models.semantic import Network
from segdemo.models.spec import ModelSpec

_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF: Final = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_ONLY_FOR_TRAINING: Final = ("auxlayer.", "pretrained.fc.", "head.encmodule.selayer.")
_RESNETS: Final = {6: (3, 4, 6, 3), 23: (3, 4, 23, 3), 36: (3, 8, 36, 3)}  # by the blocks of the third stage


class ToInputSize(nn.Module):
    """A network whose logits its authors enlarge with the corners of the maps on each other."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, H, W) of normalised pictures (N, 3, H, W)."""
        return F.interpolate(self.network(pictures), pictures.shape[-2:], mode="bilinear", align_corners=True)


def read(spec: ModelSpec, trained: bool, progress: Progress | None) -> Network:
    """The network of a row whose weights are in its authors' form, on the CPU, float32.

    Its shape comes from the weights, which therefore must be there; only the brain U-Net has one shape for all.
    Raises `WeightsError` where they are damaged, hold code or are of another network.
    """
    if spec.architecture == "brain_unet":
        return brain_unet(weights.fetch(spec, progress) if trained else None)
    path = weights.fetch(spec, progress)
    if spec.architecture == "segmenter":
        network = segmenter_folder(path)
    else:
        described = sidecar.read(path)
        network = fastfcn(path, described.shorter_side, described.mean, described.std)
    if len(network.classes) != len(spec.space.classes):
        raise WeightsError(f"{path} knows {len(network.classes)} classes, not the {len(spec.space.classes)} named.")
    return network


def brain_unet(file: Path | None) -> Network:
    """The brain U-Net, filled from its file where one is given."""
    network = BrainUNet()
    if file is not None:
        state_dicts.fill(network, state_dicts.read(file), file)
    return Network(network, ("healthy", "abnormal"), 256, *_HALF)


def fastfcn(file: Path, shorter_side: int, mean: Sequence[float], std: Sequence[float]) -> Network:
    """A published FastFCN. How pictures are prepared, its file does not say.

    Raises `WeightsError` where it is damaged or of something else.
    """
    state = state_dicts.read(file)
    fitting = {
        k: v for k, v in state.items() if not k.startswith(("auxlayer.", "pretrained.fc.", "head.encmodule.selayer."))
    }
    blocks = 1 + max((int(k.split(".")[2]) for k in fitting if k.startswith("pretrained.layer3.")), default=-1)
    encoding = "head.encmodule.encoding.3.codewords" in fitting
    last = fitting.get("head.conv6.1.weight" if encoding else "head.conv5.4.weight")
    if blocks not in _RESNETS or last is None or "jpu.conv5.0.weight" not in fitting:
        raise WeightsError(f"{file} is no FastFCN with the head of FCN or EncNet; choose another checkpoint.")
    head = (EncodingHead if encoding else FcnHead)(2048, 512, len(last))
    network = FastFcn(resnet(_RESNETS[blocks]), JointPyramidUpsampling((512, 1024, 2048)), head)
    state_dicts.fill(network, fitting, file)
    return Network(ToInputSize(network), _numbered(len(last)), shorter_side, mean, std)


def segmenter_folder(folder: Path) -> Network:
    """A published Segmenter. Raises `WeightsError` where its files are damaged or of something else."""
    settings = read_variant(folder)
    network = segmenter.from_settings(settings.network, settings.window, settings.step)
    file = folder / "checkpoint.pth"
    state = {
        k: v for k, v in state_dicts.read(file).items() if not k.startswith(("encoder.head.", "encoder.head_dist."))
    }
    state_dicts.fill(network, state, file)
    mean_std = _HALF if settings.network.get("normalization") == "vit" else _IMAGENET
    classes = _numbered(settings.network["n_cls"])
    return Network(network, classes, settings.shorter_side, *mean_std, settings.network["patch_size"])


@dataclass(frozen=True)
class Variant:
    """What a Segmenter's `variant.yml` says: the network's settings, the data set it was trained on, and how pictures
    are brought to it, as the authors' evaluation does it: with a shorter side of so many pixels, in windows.
    """

    network: dict[str, Any]
    dataset: str
    shorter_side: int
    window: int
    step: int


class _Settings(yaml.SafeLoader):  # type: ignore[misc]
    """Plain values alone, and Python's tuples, as which the authors' training writes a size."""


_Settings.add_constructor("tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node))


def read_variant(folder: Path) -> Variant:
    """The settings beside a Segmenter's weights. Raises `WeightsError` where they cannot be read."""
    file = folder / "variant.yml"
    try:
        with file.open(encoding="utf-8") as text:
            content = yaml.load(text.read(_MOST_SETTINGS), _Settings)  # noqa: S506 - a safe loader
        network, data = content["net_kwargs"], content.get("dataset_kwargs", {})
        patch, (height, width) = network["patch_size"], network["image_size"]
        learned = min(height, width)
        shorter_side, window = data.get("image_size", learned), data.get("crop_size", learned)
        sizes = [network[name] for name in ("patch_size", "d_model", "n_heads", "n_layers", "n_cls")]
        sizes += [height, width, network["decoder"].get("n_layers", 1), shorter_side, window]
        dataset = str(data.get("dataset", ""))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsError(f"{file} does not hold the settings of a Segmenter; get the folder again.") from error
    if not all(isinstance(size, int) and 0 < size <= _LARGEST for size in sizes) or window % patch:
        raise WeightsError(f"{file} asks for a network of impossible size; get the folder again.")
    step = max(patch, (window - _OVERLAP) // patch * patch)
    return Variant(network, dataset, shorter_side, window, step)


_OVERLAP: Final = 32  # pixels that neighbouring windows share at least, in the authors' evaluation
_MOST_SETTINGS: Final = 100_000  # characters; the authors' have 1,000
_LARGEST: Final = 4096


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"class {i}" for i in range(count))
