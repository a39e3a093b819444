"""What is known of a checkpoint before it is loaded; importing it costs nothing and needs no torch."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from segdemo.labels import LabelSpace

Task = Literal["semantic", "instance", "panoptic"]
Source = Literal["starter", "torchvision", "huggingface", "release", "local"]
Library = Literal["torchvision", "transformers", "torch", "smp"]


TASKS: Final[dict[Task, str]] = {  # what a model of each kind gives
    "semantic": "a class for every pixel",
    "instance": "single objects with their outlines",
    "panoptic": "a class for every pixel and single objects",
}


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
    architecture: str  # builder of torchvision or of `architectures`, or transformers class name
    library: Library  # which adapter runs it
    task: Task
    source: Source
    checkpoint: str  # enum member, hub id, file of a release, starter folder, or path on this machine
    revision: str | None  # of a hub id
    space: LabelSpace
    paper: str  # address; "" where nobody knows it, as of a checkpoint that somebody brings
    year: int | None
    licence: str
    download_bytes: int  # 0 for starters
    published: tuple[PublishedFigure, ...] = ()

    @property
    def shown_checkpoint(self) -> str:
        """The checkpoint for others to read: no path of this machine."""
        return self.key if self.source == "local" else self.checkpoint

    def record(self) -> dict[str, Any]:
        """For JSON, as `parse` reads it."""
        return asdict(self) | {"space": self.space.record()}

    @classmethod
    def parse(cls, record: dict[str, Any]) -> "ModelSpec":
        """What `record` gave."""
        published = tuple(PublishedFigure(**figure) for figure in record["published"])
        return cls(**record | {"space": LabelSpace.parse(record["space"]), "published": published})
