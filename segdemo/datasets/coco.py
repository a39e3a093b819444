"""COCO: `annotations/{instances,panoptic}_SPLIT.json`, pictures in `SPLIT/`, panoptic PNGs in `panoptic_SPLIT/`.

https://cocodataset.org/#format-data. Category ids, which have gaps, are mapped to COCO-80 or COCO-133 by their names.
Instances overlap and leave most pixels out, so they give no label map. Panoptic PNGs number the segments as red + 256
green + 65536 blue; in their label map a crowd has its class too.
"""

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from segdemo.datasets.coco_masks import crop
from segdemo.datasets.dataset import TABLE_FAULTS, Entry, FileDataset, Skipped, Truth, choose_split, fault_of
from segdemo.datasets.files import PICTURES, Files
from segdemo.datasets.truth import MOST_SEGMENTS, cut_out, decode_ids, number
from segdemo.errors import ImageError
from segdemo.images import shown
from segdemo.labels import COCO_PANOPTIC, COCO_THINGS, VOID, LabelSpace
from segdemo.sample import TrueSegments


@dataclass(frozen=True)
class _Picture:
    """What a table says of a picture; annotations as they stand in it."""

    size_hw: tuple[int, int]
    annotations: list[dict[str, Any]]


@dataclass(frozen=True)
class _Table:
    """pictures: by path. class_ids: by category id. strays: annotations of pictures that are not listed."""

    path: str
    panoptic: bool
    pictures: Mapping[str, _Picture]
    class_ids: Mapping[int, int]
    strays: int

    @property
    def space(self) -> LabelSpace:
        return COCO_PANOPTIC if self.panoptic else COCO_THINGS

    def class_id(self, category: Any) -> int:
        if category not in self.class_ids:
            raise ValueError(f"category {category} is not defined")
        return self.class_ids[category]

    def picture(self, path: str, size_hw: tuple[int, int]) -> _Picture:
        """Raises `ImageError` where the picture's file has another size than the table says."""
        picture = self.pictures[path]
        if picture.size_hw != size_hw:
            raise ImageError(
                f"{shown(path)} is {size_hw[1]}×{size_hw[0]}, but {picture.size_hw[1]}×{picture.size_hw[0]} in "
                f"{self.path}; use the pictures that were labelled."
            )
        if len(picture.annotations) > MOST_SEGMENTS:
            raise ImageError(f"{shown(path)} has more than {MOST_SEGMENTS:,} annotations, too many to be read.")
        return picture


def open_files(files: Files) -> FileDataset:
    """The val split or the only one: its panoptic truth if the PNGs are there, else instances. Raises `ImageError`."""
    tables = files.named("annotations", ".json")
    panoptic = [name for name in tables if name.startswith("panoptic_") and _png_folder(files, _split(name))]
    instances = [name for name in tables if name.startswith("instances_")]
    for kind in (panoptic, instances):
        if kind:
            split = choose_split([_split(name) for name in kind], f"annotations of {files.name}")
            return open_table(files, next(tables[name][0] for name in kind if _split(name) == split))
    raise ImageError(f"{files.name} lacks the PNG files of annotations/panoptic_*.json; unpack them beside it.")


def open_table(files: Files, path: str) -> FileDataset:
    """The pictures that a table lists. Raises `ImageError`."""
    split = _split(posixpath.splitext(posixpath.basename(path))[0])
    table = _read_table(files, path, split)
    entries, skipped = _entries(files, table, _png_folder(files, split))
    return FileDataset(
        name=f"COCO {split} {'panoptic' if table.panoptic else 'instances'}",
        space=table.space,
        files=files,
        entries=entries,
        skipped=skipped,
        read_truth=partial(_read_panoptic, files, table) if table.panoptic else partial(_read_instances, table),
        tables=(path,),
    )


def _split(name: str) -> str:
    """val2017 of instances_val2017."""
    return name.split("_", 1)[-1]


def _png_folder(files: Files, split: str) -> str | None:
    folders = (f"annotations/panoptic_{split}", f"panoptic_{split}")
    return next((f for f in folders if any(path.startswith(f"{f}/") for path in files.sizes)), None)


def _read_table(files: Files, path: str, split: str) -> _Table:
    try:
        table = json.loads(files.read(path))
        pictures = {i["id"]: _Picture((int(i["height"]), int(i["width"])), []) for i in table["images"]}
        by_name = {str(i["file_name"]): pictures[i["id"]] for i in table["images"]}
        if len(by_name) < len(table["images"]):
            raise ValueError("a picture is listed twice")
        listed = [a for a in table["annotations"] if a["image_id"] in pictures]
        for annotation in listed:
            pictures[annotation["image_id"]].annotations.append(annotation)
        panoptic = any("segments_info" in annotation for annotation in listed[:1])
        names = {int(c["id"]): str(c["name"]) for c in table["categories"]}
    except TABLE_FAULTS as error:
        raise ImageError(
            f"{shown(path)} is not as COCO's ({fault_of(error)}); "
            'it is to hold {"images", "annotations", "categories"}.'
        ) from error
    folder = _picture_folder(files, split, by_name)
    by_path = {posixpath.join(folder, name): by_name[name] for name in sorted(by_name)}
    class_ids = _class_ids(names, COCO_PANOPTIC if panoptic else COCO_THINGS, path)
    return _Table(path, panoptic, by_path, class_ids, len(table["annotations"]) - len(listed))


def _picture_folder(files: Files, split: str, names: Mapping[str, _Picture]) -> str:
    for folder in (split, f"images/{split}", "images", ""):
        if any(posixpath.join(folder, name) in files.sizes for name in names):
            return folder
    raise ImageError(f"{files.name} holds none of the {len(names):,} listed pictures; put them into {split}/.")


def _class_ids(names: Mapping[int, str], space: LabelSpace, path: str) -> dict[int, int]:
    """Class ids of `space` by category id."""
    unknown = sorted(set(names.values()) - set(space.classes))
    if unknown:
        raise ImageError(
            f"{shown(path)} has {len(unknown)} categories that {space.name} has not, {shown(unknown[0])} among them; "
            "use COCO's names, or label images with a classes.json."
        )
    return {category: space.classes.index(name) for category, name in names.items()}


def _entries(files: Files, table: _Table, pngs: str | None) -> tuple[tuple[Entry, ...], tuple[Skipped, ...]]:
    entries, skipped = [], []
    for path, picture in table.pictures.items():
        labels = _png_of(picture, pngs) if table.panoptic else None
        if path not in files.sizes:
            skipped.append(Skipped(path, f"is listed in {table.path} and missing"))
        elif table.panoptic and labels not in files.sizes:
            skipped.append(Skipped(path, "has no label image"))
        else:
            entries.append(Entry(path, () if labels is None else (labels,)))
    folders = {posixpath.dirname(path) for path in table.pictures}
    for path in files.sizes:
        if posixpath.dirname(path) in folders and path not in table.pictures and path.lower().endswith(PICTURES):
            skipped.append(Skipped(path, f"is not listed in {table.path}"))
    if table.strays:
        skipped.append(Skipped(table.path, f"has {table.strays:,} annotations of pictures that it does not list"))
    return tuple(entries), tuple(skipped)


def _png_of(picture: _Picture, folder: str | None) -> str | None:
    if folder is None or len(picture.annotations) != 1:
        return None
    return posixpath.join(folder, str(picture.annotations[0].get("file_name")))


def _read_instances(table: _Table, entry: Entry, size_hw: tuple[int, int]) -> Truth:
    boxes, masks, class_ids, crowd = [], [], [], []
    for annotation in table.picture(entry.picture, size_hw).annotations:
        try:
            cropped = crop(annotation["segmentation"], size_hw)
            class_id, is_crowd = table.class_id(annotation["category_id"]), bool(annotation.get("iscrowd", 0))
        except TABLE_FAULTS as error:
            raise _unusable(entry, annotation, table, error) from error
        if cropped is None:  # smaller than a pixel: nothing that could be found
            continue
        boxes.append(cropped[0])
        masks.append(cropped[1])
        class_ids.append(class_id)
        crowd.append(is_crowd)
    return None, TrueSegments(
        np.array(boxes, np.int32).reshape(-1, 4), tuple(masks), np.array(class_ids, np.uint8), np.array(crowd, bool)
    )


def _read_panoptic(files: Files, table: _Table, entry: Entry, size_hw: tuple[int, int]) -> Truth:
    [path], [annotation] = entry.truth, table.picture(entry.picture, size_hw).annotations
    try:
        segments = {int(s["id"]): s for s in annotation["segments_info"]}
        classes = {i: table.class_id(s["category_id"]) for i, s in segments.items()}
        crowds = {i for i, s in segments.items() if s.get("iscrowd", 0)}
    except TABLE_FAULTS as error:
        raise _unusable(entry, annotation, table, error) from error
    ids, positions = number(decode_ids(files.read(path), path, size_hw), path)
    if set(ids.tolist()) - {0} != segments.keys():
        raise ImageError(f"{shown(path)} does not show the segments that {table.path} lists; use files of one release.")
    class_ids = np.array([classes.get(i, VOID) for i in ids.tolist()], np.uint8)
    kept = np.flatnonzero(ids > 0)
    crowd = np.isin(ids[kept], list(crowds))
    return class_ids[positions], cut_out(positions, kept, class_ids[kept], crowd)


def _unusable(entry: Entry, annotation: dict[str, Any], table: _Table, error: Exception) -> ImageError:
    return ImageError(
        f"{shown(entry.picture)} cannot be used: its annotation {annotation.get('id', '')} in {table.path} has a fault "
        f"({fault_of(error)}); mend or remove it."
    )
