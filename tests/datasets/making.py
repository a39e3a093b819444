"""Tiny data sets as files by path, in a folder or in a zip archive."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

SIZE_HW = (12, 16)

CLASSES = {
    "name": "Yard",
    "ignore_index": 3,
    "classes": [
        {"id": 0, "name": "ground", "color": [90, 90, 90]},
        {"id": 1, "name": "car", "color": [200, 0, 0]},
        {"id": 2, "name": "hen", "color": [0, 0, 200], "thing": True},
        {"id": 3, "name": "void", "color": [0, 0, 0]},
    ],
}


def png(pixels: np.ndarray, palette: np.ndarray | None = None) -> bytes:
    picture = Image.fromarray(pixels)
    if palette is not None:
        picture.putpalette(palette.astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def photograph(seed: int, size_hw: tuple[int, int] = SIZE_HW) -> bytes:
    return png(np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), np.uint8))


def random_labels(seed: int, ids: list[int]) -> np.ndarray:
    return np.random.default_rng(seed).choice(ids, SIZE_HW).astype(np.uint8)


def yard(names: list[str]) -> dict[str, bytes]:
    """A labelled folder."""
    files = {"classes.json": json.dumps(CLASSES).encode()}
    for seed, name in enumerate(names):
        files[f"images/{name}.png"] = photograph(seed)
        files[f"labels/{name}.png"] = png(random_labels(seed, [0, 1, 2, 3]))
    return files


def write(top: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    return top


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file
