"""What the files of a checkpoint say of it, as a row like those of the catalogue: architecture, task and classes.

Five forms are known: a folder as transformers' `save_pretrained` writes it and the hub holds it, a folder of
`python -m segdemo train`, one of segmentation_models_pytorch with its sidecar, one of Segmenter's authors, and a state
dict of torchvision's networks or of FastFCN's authors in a file with its sidecar. Nothing here reads weights.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from segdemo import labels, palettes
from segdemo.errors import ModelError
from segdemo.labels import VOID, LabelSpace
from segdemo.models import catalog, checkpoint_config, sidecar
from segdemo.models.output_kinds import LOGITS, QUERIES
from segdemo.models.spec import ModelSpec, Task

_LONGEST_NAME: Final = 60  # of a class
_BACKGROUND: Final = ("background", "unlabeled", "unlabelled")
_SPACES: Final = (labels.CAMVID, labels.VOC, labels.CITYSCAPES, labels.COCO_THINGS, labels.COCO_PANOPTIC, labels.ADE20K)
_VARIANT: Final = "variant.yml"  # of rstrudel/segmenter
_ONLY_SEGMENTS: Final = {  # what a type of network is where the file does not name its class
    "eomt": "EomtForUniversalSegmentation",
    "eomt_dinov3": "EomtDinov3ForUniversalSegmentation",
    "mask2former": "Mask2FormerForUniversalSegmentation",
    "maskformer": "MaskFormerForInstanceSegmentation",
    "oneformer": "OneFormerForUniversalSegmentation",
    "upernet": "UperNetForSemanticSegmentation",
}
_STATE_DICTS: Final = (".pth", ".pt")
_SMP: Final = (
    "DPT", "DeepLabV3", "DeepLabV3Plus", "FPN", "Linknet", "MAnet", "PAN", "PSPNet", "Segformer", "UPerNet", "Unet",
    "UnetPlusPlus",
)  # fmt: skip
_TASKS: Final[tuple[Task, ...]] = ("panoptic", "instance", "semantic")


def looks_like_one(path: Path) -> bool:
    """Whether a folder or a file may be a checkpoint, by its name and what lies beside it."""
    if (path / "config.json").is_file() or (path / _VARIANT).is_file():
        return True
    return path.suffix in _STATE_DICTS and sidecar.place(path).is_file()


def read(key: str, name: str, path: Path) -> ModelSpec:
    """The row of a checkpoint in a folder or a file; its source and licence are the caller's to fill in.

    name: what a person calls it. Raises `ModelError` where it is none of a kind that is run here.
    """
    if path.is_file():
        return _of_state_dict(key, name, path)
    if (path / _VARIANT).is_file():
        return _of_segmenter(key, name, path)
    try:
        config = checkpoint_config.read(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(f"{name} is no checkpoint that segdemo can read ({reason}).") from error
    if "_model_class" in config:
        return _of_smp(key, name, path, config)
    if "network" in config and "model_type" not in config:
        return _of_training(key, name, config)
    return _of_transformers(key, name, config)


def _of_state_dict(key: str, name: str, path: Path) -> ModelSpec:
    if path.suffix not in _STATE_DICTS:
        raise ModelError(f"{name} is no checkpoint: name a folder, or a {' or '.join(_STATE_DICTS)} with its sidecar.")
    described = sidecar.read(path)
    if described.architecture == "fastfcn":
        space = space_of(distinct(list(described.classes)), "semantic", key)
        return _of_authors("FastFCN", 2019, "https://arxiv.org/abs/1903.11816", key, name, space)
    row = catalog.known(f"torchvision/{described.architecture}")
    if row is None:
        known = ", ".join(spec.architecture for spec in catalog.CATALOG if spec.source == "torchvision")
        raise ModelError(f"{sidecar.place(path)} names no architecture that segdemo has; it has fastfcn, {known}.")
    return _like(row, key, name, described.classes)


def _of_segmenter(key: str, name: str, path: Path) -> ModelSpec:
    from segdemo.models.authors_checkpoints import read_variant

    variant = read_variant(path)
    count = variant.network["n_cls"]
    trained_on = {"ade20k": labels.ADE20K, "cityscapes": labels.CITYSCAPES}.get(variant.dataset)
    if count > VOID:
        raise ModelError(f"{name} knows {count:,} classes; segdemo shows {VOID} at most.")
    space = trained_on if trained_on and len(trained_on.classes) == count else None
    space = space or space_of(tuple(f"class {i}" for i in range(count)), "semantic", key)
    return _of_authors("Segmenter", 2021, "https://arxiv.org/abs/2105.05633", key, name, space)


def _of_authors(family: str, year: int, paper: str, key: str, name: str, space: LabelSpace) -> ModelSpec:
    return ModelSpec(
        key=key, title=title_of(name), family=family, architecture=family.lower(), library="torch", task="semantic",
        source="local", checkpoint=name, revision=None, space=space, paper=paper, year=year, licence="",
        download_bytes=0,
    )  # fmt: skip


def _of_training(key: str, name: str, config: dict[str, Any]) -> ModelSpec:
    """As the starter or the row whose network was trained."""
    network, classes = str(config["network"]), config.get("classes")
    row = catalog.known(f"starter/{network.removesuffix('_small')}") or catalog.known(network)
    if row is None or row.library == "transformers":
        raise ModelError(f"{name} is of the network {network[:60]!r}, which this copy of segdemo does not have.")
    if not isinstance(classes, list) or not 0 < len(classes) <= VOID:
        raise ModelError(f"{name} does not name 1 to {VOID} classes.")
    return _like(row, key, name, tuple(map(str, classes)))


def _like(row: ModelSpec, key: str, name: str, classes: tuple[str, ...]) -> ModelSpec:
    """The architecture of a row of the catalogue with other weights, which may know other classes."""
    space = space_of(distinct(list(classes)), row.task, key)
    return replace(row, key=key, title=title_of(name), space=space, download_bytes=0, published=())


def _of_smp(key: str, name: str, path: Path, config: dict[str, Any]) -> ModelSpec:
    if not (path / "model.safetensors").is_file():  # the hub's form holds no sidecar and its snapshot no weights yet
        raise ModelError(f"{name} is of segmentation_models_pytorch; copy it to a folder and add {sidecar.IN_FOLDER}.")
    named, encoder = str(config["_model_class"]), str(config.get("encoder_name", ""))
    if named not in _SMP:
        raise ModelError(f"{name} is a {named[:60]!r}, none of {', '.join(_SMP)}.")
    usual = config.get("in_channels", 3) == 3 and not config.get("activation") and not config.get("aux_params")
    if not usual or set(encoder) & {"/", ":"}:
        raise ModelError(f"{name} is not built from colours to bare logits by an encoder of its library alone.")
    classes = distinct(list(sidecar.read(path).classes))
    return ModelSpec(
        key=key, title=title_of(name), family=named, architecture=named, library="smp", task="semantic",
        source="local", checkpoint=name, revision=None, space=space_of(classes, "semantic", key), paper="", year=None,
        licence="", download_bytes=0,
    )  # fmt: skip


def space_of(names: tuple[str, ...], task: Task, name: str) -> LabelSpace:
    """The classes of a checkpoint: a known label space where the names are its own, else one with computed colours.

    Which classes are things nobody says. All that an instance model finds are; of a panoptic model those that COCO,
    Cityscapes or another known label space call so.
    """
    known = next((space for space in _SPACES if _plain(space.classes) == _plain(names)), None)
    background = 0 if _plain(names)[0] in _BACKGROUND else None
    if known is not None and (known.things or task == "semantic"):
        return known
    colors = palettes.voc(len(names) + 1)
    own = LabelSpace(name, names, colors[:-1] if background == 0 else colors[1:], background=background)
    base = known or own
    return LabelSpace(base.name, base.classes, base.colors, _things(names, task, background), base.background)


def _things(names: tuple[str, ...], task: Task, background: int | None) -> frozenset[int]:
    if task == "semantic":
        return frozenset()
    if task == "instance":
        return frozenset(range(len(names))) - {background}
    called = frozenset().union(*(_plain(tuple(space.classes[i] for i in space.things)) for space in _SPACES))
    return frozenset(i for i, name in enumerate(_plain(names)) if name in called)


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names as they can be compared: "door;double door" and "Door" are the same."""
    return tuple(re.split(r"[;,]", name)[0].strip().strip("_").lower() for name in names)


def _of_transformers(key: str, name: str, config: dict[str, Any]) -> ModelSpec:
    architecture = _architecture(name, config)
    names = _names(name, config)
    task = _task(name, names) if architecture in QUERIES else "semantic"
    title = title_of(name)
    return ModelSpec(
        key=key, title=title, family=_family(architecture), architecture=architecture, library="transformers",
        task=task, source="local", checkpoint=name, revision=None, space=space_of(names, task, key), paper="",
        year=None, licence="", download_bytes=0,
    )  # fmt: skip


def title_of(name: str) -> str:
    """The last part of an id or a path, fit for a heading."""
    return re.sub(r"[^\w.-]", "_", name.rstrip("/").rsplit("/", 1)[-1])[:_LONGEST_NAME]


def _architecture(name: str, config: dict[str, Any]) -> str:
    named, model_type = config.get("architectures"), config.get("model_type")
    found = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    if model_type == "dinat" or "dinat" in (_part(config, "backbone_config").get("model_type"),):
        raise ModelError(
            f"{name} needs the library NATTEN, which segdemo is without; choose one with another backbone."
        )
    for one in found or [_ONLY_SEGMENTS.get(str(model_type), "")]:
        if one in (*LOGITS, *QUERIES):
            return one
    if "auto_map" in config:
        raise ModelError(f"{name} comes with its own code, which segdemo never runs; choose one of transformers' own.")
    what = found[0] if found else f"a network of type {model_type!r}" if model_type else "something without a type"
    families = ", ".join(sorted(map(_family, (*LOGITS, *QUERIES))))
    raise ModelError(f"{name} is {what[:80]}, no segmentation model that segdemo runs; it runs: {families}.")


def _family(architecture: str) -> str:
    """A network's name for people: "Segformer" of "SegformerForSemanticSegmentation"."""
    return architecture.split("For")[0]


def _part(config: dict[str, Any], key: str) -> dict[str, Any]:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _names(name: str, config: dict[str, Any]) -> tuple[str, ...]:
    """The classes by id; where the file names none, transformers' own LABEL_0, LABEL_1 and so on."""
    by_id, count = _part(config, "id2label"), config.get("num_labels")
    if not by_id:
        by_id = {str(i): f"LABEL_{i}" for i in range(count if isinstance(count, int) else 2)}
    if set(by_id) != {str(i) for i in range(len(by_id))}:
        raise ModelError(f"{name} does not number its classes from 0 on, so segdemo cannot tell what its answers mean.")
    if len(by_id) > VOID:
        raise ModelError(f"{name} knows {len(by_id):,} classes; segdemo shows {VOID} at most.")
    return distinct([str(by_id[str(i)]) for i in range(len(by_id))])


def distinct(names: list[str]) -> tuple[str, ...]:
    """Names fit for tables: in one line, not too long, numbered where several are the same."""
    tidy = [" ".join(name.split())[:_LONGEST_NAME] or "unnamed" for name in names]
    seen: dict[str, int] = {}
    for i, name in enumerate(tidy):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            tidy[i] = f"{name} ({seen[name]})"
    return tuple(tidy)


def _task(name: str, names: tuple[str, ...]) -> Task:
    """What a query model was trained for. Its files do not say, so its name does, else the classes it knows."""
    for task in _TASKS:
        if task in name.lower():
            return task
    if _plain(names) == _plain(labels.COCO_THINGS.classes):
        return "instance"
    return "panoptic" if _plain(names) == _plain(labels.COCO_PANOPTIC.classes) else "semantic"
