"""Where a model's weights are on this machine, and how they come here.

Checkpoints that somebody names by their path are where they are. All others are looked for in this order: the package
(starters), the folder that SEGDEMO_CHECKPOINTS names, the cache that torch hub or the Hugging Face hub keeps anyway,
the network. See docs/offline.md.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Literal

from huggingface_hub import constants

from segdemo.errors import WeightsError
from segdemo.models import hub
from segdemo.models.download import Progress, download, file_sha256, intact, readable
from segdemo.models.spec import ModelSpec
from segdemo.models.web import Unavailable

__all__ = ["Progress", "WeightsState", "configurations", "fetch", "fingerprint", "state", "torch_checkpoints"]

WeightsState = Literal["bundled", "local", "downloaded", "absent"]

STARTERS = Path(__file__).parent / "starter"

# What torchvision's weights enums call their files, so that `state` need not import torch.
# A name ends in the beginning of the file's SHA-256.
TORCHVISION_FILES = {
    "FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1": "fcn_resnet50_coco-1167a1af.pth",
    "FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1": "fcn_resnet101_coco-7ecb50ca.pth",
    "DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1": "deeplabv3_resnet50_coco-cd0a2569.pth",
    "DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1": "deeplabv3_resnet101_coco-586e9e4e.pth",
    "DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1": ("deeplabv3_mobilenet_v3_large-fc3c493d.pth"),
    "LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1": "lraspp_mobilenet_v3_large-d234d4ea.pth",
    "MaskRCNN_ResNet50_FPN_Weights.COCO_V1": "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
    "MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1": "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
}
TORCHVISION_URL = "https://download.pytorch.org/models"
RELEASES_URL = "https://github.com"

_FILES = ("torchvision", "release")  # sources whose checkpoints are one file, its name ending in its hash


def state(spec: ModelSpec) -> WeightsState:
    """Where the weights are now, judged by a look at the disk: no network, no hash, no torch."""
    if spec.source == "starter":
        return "bundled" if _starter(spec) is not None else "absent"
    if spec.source == "local":
        return "local" if Path(spec.checkpoint).exists() else "absent"
    if _local(spec) is not None:
        return "local"
    return "downloaded" if _cached(spec) is not None else "absent"


def fetch(spec: ModelSpec, progress: Progress | None = None) -> Path:
    """The weights on this disk, downloaded where they are not: a hub-style folder or torchvision's .pth file.

    Any number of threads and programs may ask for the same at once. Where the source gives a hash, nothing is
    returned that has another.
    Raises `WeightsError`: one sentence that says what is missing, why, and what to do.
    """
    try:
        return _fetch(spec, progress or (lambda done, total: None))
    except Unavailable as why:
        raise WeightsError(_sentence(spec, str(why))) from why
    except OSError as error:
        cache = constants.HF_HUB_CACHE if spec.source == "huggingface" else torch_checkpoints()
        where = error.filename or cache
        raise WeightsError(_sentence(spec, f"{where} cannot be used ({error.strerror or error})")) from error


def configurations(spec: ModelSpec) -> Path:
    """A folder with the checkpoint's configurations, for its shape alone: of the hub's nothing else is fetched.

    Raises `WeightsError`.
    """
    if spec.source != "huggingface" or _local(spec) is not None:
        return fetch(spec)
    try:
        return hub.describe(spec.checkpoint, spec.revision or "main").folder
    except (Unavailable, OSError) as why:
        raise WeightsError(_sentence(spec, str(why))) from why


def fingerprint(spec: ModelSpec) -> str:
    """What tells these weights from others of the same key: a hash, a commit, torchvision's file name with its hash."""
    if spec.source in ("starter", "local"):
        return _fingerprint(fetch(spec))
    named = _file_name(spec) if spec.source in _FILES else spec.revision or "main"
    return f"{named}, local" if _local(spec) is not None else named


def _fingerprint(path: Path) -> str:
    """The hash of a file, or of the weights of a folder and of the configuration that says how to read them.

    Not of `training.export`'s record, which tells where they come from.
    """
    if path.is_file():
        return file_sha256(path)[:16]
    kinds = (".safetensors", ".bin", ".json", ".toml")
    files = sorted(file for file in path.iterdir() if file.suffix in kinds and file.name != "record.json")
    return hashlib.sha256(" ".join(map(file_sha256, files)).encode()).hexdigest()[:16]


def torch_checkpoints() -> Path:
    """torch hub's folder of checkpoints, by torch's rules but without importing it."""
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(caches, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def _fetch(spec: ModelSpec, progress: Progress) -> Path:
    if spec.source == "starter":
        starter = _starter(spec)
        if starter is None:
            raise Unavailable("it belongs to segdemo itself, but this copy is without it")
        return starter
    if spec.source == "local":
        if not Path(spec.checkpoint).exists():
            raise WeightsError(f"{spec.title} is missing: {spec.checkpoint} is not there any more; put it back.")
        return Path(spec.checkpoint)
    local = _local(spec)
    if local is not None:
        if spec.source in _FILES and not intact(local, _sha256(local.name)):
            raise Unavailable(f"{local} is damaged (its SHA-256 does not begin as its name says)")
        return local
    if spec.source == "huggingface":
        return hub.fetch(spec.checkpoint, spec.revision or "main", progress)
    file = torch_checkpoints() / _file_name(spec)
    lock = file.with_name(f"{file.name}.lock")
    download(_address(spec), file, lock, progress, _sha256(file.name))
    return file


def _starter(spec: ModelSpec) -> Path | None:
    if not re.fullmatch(r"[a-z0-9_]+", spec.checkpoint):
        raise WeightsError(f"{spec.checkpoint!r} is no name of a starter.")
    folder = STARTERS / spec.checkpoint
    return folder if any(folder.glob("*.safetensors")) else None


def _local(spec: ModelSpec) -> Path | None:
    """The file or the complete folder in the person's own folder of checkpoints."""
    for path in _local_places(spec):
        if path.is_file() if spec.source in _FILES else hub.lacks(path) is None:
            return path
    return None


def _local_places(spec: ModelSpec) -> list[Path]:
    folder = os.environ.get("SEGDEMO_CHECKPOINTS")
    return [Path(folder).expanduser() / name for name in _local_names(spec)] if folder else []


def _local_names(spec: ModelSpec) -> list[str]:
    """What a person may call it, the name we recommend first."""
    if spec.source in _FILES:
        return [_file_name(spec)]
    hub.check_id(spec.checkpoint)
    return [spec.checkpoint.replace("/", "--"), spec.checkpoint]


def _cached(spec: ModelSpec) -> Path | None:
    if spec.source == "huggingface":
        return hub.cached(spec.checkpoint, spec.revision or "main")
    file = torch_checkpoints() / _file_name(spec)
    return file if file.is_file() else None


def _address(spec: ModelSpec) -> str:
    if spec.source == "release":
        return f"{os.environ.get('SEGDEMO_RELEASES_URL', RELEASES_URL).rstrip('/')}/{spec.checkpoint}"
    return f"{os.environ.get('SEGDEMO_TORCHVISION_URL', TORCHVISION_URL).rstrip('/')}/{_file_name(spec)}"


def _file_name(spec: ModelSpec) -> str:
    if spec.source == "release":
        return spec.checkpoint.rsplit("/", 1)[1]
    try:
        return TORCHVISION_FILES[spec.checkpoint]
    except KeyError:
        raise WeightsError(f"segdemo knows no file of torchvision's weights {spec.checkpoint!r}.") from None


def _sha256(file_name: str) -> str:
    return Path(file_name).stem.rsplit("-", 1)[1]


def _sentence(spec: ModelSpec, why: str) -> str:
    if spec.source == "starter":
        return f"{spec.title} is missing: {why}; install segdemo again or train it (`python -m segdemo train`)."
    places = _local_places(spec)
    for folder in places:
        if folder.is_dir():
            why += f"; {folder} lacks {hub.lacks(folder)}"
    place = str(places[0]) if places else f"{_local_names(spec)[0]} in a folder that SEGDEMO_CHECKPOINTS names"
    return (
        f"{spec.title} ({readable(spec.download_bytes)}) is missing: {why}; run `python -m segdemo fetch {spec.key}` "
        f"on a machine with a network and copy what it names to {place} (see docs/offline.md)."
    )
