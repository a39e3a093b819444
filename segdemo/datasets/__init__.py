"""Labelled pictures: folders and zip archives in the layouts of public data sets, and generated street scenes.

    dataset = open_dataset("camvid/val")
    for i in range(len(dataset)):
        sample = dataset.read(i)

`dataset` and `files` say what a data set is, and what it is read from; each layout is a module of its own.
"""

import os
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from segdemo.datasets import ade20k, cityscapes, coco, folder, scenes, voc
from segdemo.datasets.archive import files_of_zip
from segdemo.datasets.dataset import Dataset, Skipped, choose_split
from segdemo.datasets.files import Files, files_of_folder
from segdemo.errors import ImageError
from segdemo.images import shown

__all__ = ["Dataset", "Skipped", "open_dataset", "open_zip"]


@dataclass(frozen=True)
class _Layout:
    """marker: of the path of a file that only this layout has, from the data set's top."""

    description: str
    marker: str
    open_files: Callable[[Files], Dataset]


# In the order of preference where one folder fits several.
_LAYOUTS: Final = (
    _Layout("images/, labels/ and classes.json", r"classes\.json", folder.open_files),
    _Layout("VOC (JPEGImages/, SegmentationClass/)", r"SegmentationClass/[^/]+\.png", voc.open_files),
    _Layout("Cityscapes (leftImg8bit/, gtFine/)", r"gtFine/.+_gtFine_label(Train)?Ids\.png", cityscapes.open_files),
    _Layout("ADE20K (images/, annotations/)", r"annotations/(training|validation)/[^/]+\.png", ade20k.open_files),
    _Layout("COCO (annotations/*.json)", r"annotations/(instances|panoptic)_[^/]+\.json", coco.open_files),
)


def open_dataset(source: str | Path) -> Dataset:
    """A data set by what it is called or where it lies. Raises `ImageError`, one sentence, where it cannot be used.

    source: "street-scenes", "street-scenes:COUNT" or "street-scenes:COUNT:SEED"; a folder in any layout, or one that
    holds it up to two folders down; a zip archive of that; a JSON table of COCO's. Of several splits the one for
    validation is taken.
    """
    if str(source).split(":")[0] == scenes.NAME:
        return scenes.open_scenes(str(source))
    path = Path(source)
    if os.path.isdir(path):
        return _open_files(files_of_folder(path))
    if not os.path.isfile(path):
        raise ImageError(
            f"{shown(str(path))} is not there; name a folder, a zip archive, a JSON table of COCO's or {scenes.NAME}."
        )
    if path.suffix.lower() == ".json":
        top = path.parent.parent if path.parent.name == "annotations" else path.parent
        return coco.open_table(files_of_folder(top), path.relative_to(top).as_posix())
    return _open_archive(path)


def open_zip(file: BinaryIO, name: str) -> Dataset:
    """A data set in a zip archive, such as an upload; `file` must stay open while it is read. Raises `ImageError`."""
    return _open_files(files_of_zip(file, name))


def _open_archive(path: Path) -> Dataset:
    try:
        file = path.open("rb")
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    try:
        dataset = open_zip(file, path.name)
    except ImageError:
        file.close()
        raise
    weakref.finalize(dataset, file.close)
    return dataset


def _open_files(files: Files) -> Dataset:
    """The data set that lies nearest to the top."""
    layouts: dict[str, _Layout] = {}  # by folder
    for layout in _LAYOUTS:
        marked = re.compile(rf"(?:((?:[^/]+/)?[^/]+)/)??{layout.marker}")
        for match in filter(None, map(marked.fullmatch, files.sizes)):
            layouts.setdefault(match[1] or "", layout)
    if not layouts:
        raise ImageError(
            f"{shown(files.name)} is no data set known here; it is to hold one of these: "
            f"{'; '.join(layout.description for layout in _LAYOUTS)}."
        )
    depth = min(map(_depth, layouts))
    top = choose_split([f for f in layouts if _depth(f) == depth], files.name)
    return layouts[top].open_files(files.below(top))


def _depth(folder: str) -> int:
    return len(folder.split("/")) if folder else 0
