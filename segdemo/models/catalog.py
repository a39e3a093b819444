"""The only list of models. A literal table; importing it costs nothing and needs no torch.

A row names its checkpoint as its source names it: a torchvision weights enum, a hub id with a revision, a starter's folder.
"""

from dataclasses import dataclass
from typing import Literal

from segdemo.errors import ModelError
from segdemo.labels import CAMVID, LabelSpace

Task = Literal["semantic", "instance", "panoptic"]
Source = Literal["starter", "torchvision", "huggingface"]
Library = Literal["torchvision", "transformers"]


@dataclass(frozen=True)
class PublishedFigure:
    """A score as its authors or maintainers print it; shown apart from anything measured here."""

    metric: str  # "mIoU", "mask AP", "PQ"
    value: float  # in percent, as published
    dataset: str
    protocol: str
    source: str


@dataclass(frozen=True)
class ModelSpec:
    """One checkpoint: what it is, where its weights come from, what it knows."""

    key: str
    title: str
    family: str  # groups rows in the picker: "FCN", "DeepLabV3", "Mask R-CNN", "SegFormer", "Mask2Former", ...
    architecture: str  # torchvision builder, or transformers class name
    library: Library  # which adapter runs it
    task: Task
    source: Source
    checkpoint: str  # enum member, hub id, or starter folder
    revision: str | None
    space: LabelSpace
    paper: str
    year: int
    licence: str
    download_bytes: int  # 0 for starters
    published: tuple[PublishedFigure, ...] = ()


_FCN_PAPER = "https://arxiv.org/abs/1411.4038"
_DEEPLABV3_PAPER = "https://arxiv.org/abs/1706.05587"
_MASKRCNN_PAPER = "https://arxiv.org/abs/1703.06870"
_SEGFORMER_PAPER = "https://arxiv.org/abs/2105.15203"
_MASK2FORMER_PAPER = "https://arxiv.org/abs/2112.01527"


def _starter(
    name: str, title: str, family: str, architecture: str, library: Library, task: Task, paper: str, year: int
) -> ModelSpec:
    return ModelSpec(
        key=f"starter/{name}", title=title, family=family, architecture=architecture, library=library, task=task,
        source="starter", checkpoint=name, revision=None, space=CAMVID, paper=paper, year=year,
        licence="MIT code; weights trained on CamVid (CC BY-NC 4.0): non-commercial use", download_bytes=0,
    )  # fmt: skip


CATALOG: tuple[ModelSpec, ...] = (
    _starter("fcn", "FCN starter", "FCN", "fcn_small", "torchvision", "semantic", _FCN_PAPER, 2014),
    _starter("deeplabv3", "DeepLabV3 starter", "DeepLabV3", "deeplabv3_small", "torchvision", "semantic",
             _DEEPLABV3_PAPER, 2017),
    _starter("maskrcnn", "Mask R-CNN starter", "Mask R-CNN", "maskrcnn_small", "torchvision", "instance",
             _MASKRCNN_PAPER, 2017),
    _starter("segformer", "SegFormer starter", "SegFormer", "SegformerForSemanticSegmentation", "transformers",
             "semantic", _SEGFORMER_PAPER, 2021),
    _starter("mask2former", "Mask2Former starter", "Mask2Former", "Mask2FormerForUniversalSegmentation",
             "transformers", "panoptic", _MASK2FORMER_PAPER, 2021),
)  # fmt: skip


def find(key: str) -> ModelSpec:
    """The row with this key. Raises `ModelError` naming the valid keys otherwise."""
    for spec in CATALOG:
        if spec.key == key:
            return spec
    raise ModelError(f"There is no model {key!r}; choose one of: {', '.join(s.key for s in CATALOG)}.")
