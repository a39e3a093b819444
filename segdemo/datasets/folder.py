"""A labelled folder: `images/NAME.*`, `labels/NAME.png`, `classes.json`.

`classes.json` holds {"name", "ignore_index", "classes": [{"id", "name", "color"}, ...]}; the ignored id is void.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdemo.errors import ImageError
from segdemo.images import decode
from segdemo.label_image import decode_labels
from segdemo.labels import LabelSpace


@dataclass(frozen=True)
class LabelledFolder:
    """Pairs of picture and label files, sorted by name, and the classes they use."""

    path: Path
    space: LabelSpace
    pairs: tuple[tuple[Path, Path], ...]

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """One picture (H, W, 3) uint8 and its labels (H, W) uint8 with VOID. Raises `ImageError`."""
        picture_path, label_path = self.pairs[index]
        picture = decode(picture_path.read_bytes(), picture_path.name)
        labels = decode_labels(label_path.read_bytes(), label_path.name, self.space, picture.size_hw)
        return picture.rgb, labels


def open_folder(path: Path) -> LabelledFolder:
    """List a folder's pairs. Raises `ImageError` where it has none, lacks `classes.json`, or a label is missing."""
    try:
        table = json.loads((path / "classes.json").read_text())
        classes = [c for c in sorted(table["classes"], key=lambda c: c["id"]) if c["id"] != table["ignore_index"]]
        space = LabelSpace(
            name=table["name"],
            classes=tuple(c["name"] for c in classes),
            colors=tuple((int(r), int(g), int(b)) for r, g, b in (c["color"] for c in classes)),
            things=frozenset(c["id"] for c in classes if c.get("thing", c["name"] in _COMMON_THINGS)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImageError(
            f"{path} is not a labelled folder: classes.json is missing or unreadable ({error})."
        ) from error
    pictures = sorted(p for p in (path / "images").glob("*") if p.suffix.lower() in _PICTURE_SUFFIXES)
    pairs = tuple((p, path / "labels" / f"{p.stem}.png") for p in pictures)
    missing = [label.name for _, label in pairs if not label.is_file()]
    if missing:
        raise ImageError(f"{path} lacks {len(missing)} label images, {missing[0]} among them; add them to labels/.")
    if not pairs:
        raise ImageError(f"{path} holds no pictures; put them into images/ and their labels into labels/.")
    return LabelledFolder(path, space, pairs)


_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
# A table that does not say which classes are countable things is read by their names.
_COMMON_THINGS = {
    "car",
    "pedestrian",
    "bicyclist",
    "person",
    "rider",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
}
