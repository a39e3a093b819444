"""A labelled folder: `images/NAME.*`, `labels/NAME.png`, `classes.json`, and `instances/NAME.png` where known.

`classes.json` holds {"name", "ignore_index", "classes": [{"id", "name", "color", "thing"}, ...]}. Classes are numbered
from 0; the ignored id, void, is the one after them or 255. Label images are read by `decode_labels`. Instance images
hold numbers of one's own choice with up to 16 bits, 0 where there is none; without them no instances are known.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any, Final

from segdemo.datasets.dataset import TABLE_FAULTS, Entry, FileDataset, Truth, fault_of, pair
from segdemo.datasets.files import PICTURES, Files, files_of_folder
from segdemo.datasets.truth import decode_ids, segments_of_instances
from segdemo.errors import ImageError
from segdemo.label_image import decode_labels
from segdemo.labels import VOID, LabelSpace

# A table that does not say which classes are countable things is read by their names.
_COMMON_THINGS: Final = {
    "car", "pedestrian", "bicyclist", "person", "rider", "truck", "bus", "train", "motorcycle", "bicycle",
}  # fmt: skip

_LONGEST_NAME: Final = 100


def open_folder(path: Path) -> FileDataset:
    """This very folder, unlike `open_dataset`, which looks for a data set in it. Raises `ImageError`."""
    return open_files(files_of_folder(path))


def open_files(files: Files) -> FileDataset:
    """Pairs of pictures and labels of one name. Raises `ImageError` without a usable `classes.json` or any pair."""
    space = _read_classes(files)
    entries, skipped = pair(
        files.named("images", *PICTURES), files.named("labels", ".png"), files.named("instances", ".png")
    )
    return FileDataset(files.name, space, files, entries, skipped, partial(read_truth, files, space))


def read_truth(files: Files, space: LabelSpace, entry: Entry, size_hw: tuple[int, int]) -> Truth:
    """From a label image as `decode_labels` reads it and, where there is one, an image of instances.

    Raises `ImageError`.
    """
    path, *instances = entry.truth
    labels = decode_labels(files.read(path), path, space, size_hw)
    if not instances:
        return labels, None
    numbers = decode_ids(files.read(instances[0]), instances[0], size_hw)
    return labels, segments_of_instances(numbers, labels, space.things, instances[0])


def _read_classes(files: Files) -> LabelSpace:
    if "classes.json" not in files.sizes:
        raise ImageError(f"{files.name} is not a labelled folder: classes.json is missing; add it.")
    try:
        return _label_space(json.loads(files.read("classes.json")))
    except TABLE_FAULTS as error:
        raise ImageError(
            f"The classes.json of {files.name} cannot be used ({fault_of(error)}); "
            'it holds {"name", "ignore_index", "classes": [{"id", "name", "color"}, …]}.'
        ) from error


def _label_space(table: dict[str, Any]) -> LabelSpace:
    ignored = table["ignore_index"]
    classes = [c for c in sorted(table["classes"], key=lambda c: c["id"]) if c["id"] != ignored]
    if [c["id"] for c in classes] != list(range(len(classes))) or ignored not in (len(classes), VOID, None):
        raise ValueError(f"ids must run from 0 without a gap, ignore_index be the next one or {VOID}")
    if any(len(str(c["name"])) > _LONGEST_NAME for c in classes):
        raise ValueError(f"names must have at most {_LONGEST_NAME} characters")
    return LabelSpace(
        name=str(table["name"]),
        classes=tuple(str(c["name"]) for c in classes),
        colors=tuple(_color(c["color"]) for c in classes),
        things=frozenset(c["id"] for c in classes if c.get("thing", c["name"] in _COMMON_THINGS)),
    )


def _color(rgb: list[int]) -> tuple[int, int, int]:
    red, green, blue = rgb
    if not all(isinstance(value, int) and 0 <= value <= 255 for value in rgb):
        raise ValueError(f"a colour must be three whole numbers from 0 to 255, got {rgb}")
    return red, green, blue
