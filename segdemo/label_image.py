"""Label images: PNG files whose pixels say which class is where."""

from collections import Counter
from typing import Final

import numpy as np

from segdemo.errors import ImageError
from segdemo.images import opened, shown
from segdemo.labels import VOID, LabelSpace
from segdemo.palettes import Color

_UNKNOWN: Final = -1
_MOST_NAMED: Final = 5

# Not labelled, as data sets paint it: black in most, VOC's outlines. A class of that colour keeps it.
_VOID_COLORS: Final[tuple[Color, ...]] = ((0, 0, 0), (224, 224, 192))


def decode_labels(data: bytes, name: str, space: LabelSpace, size_hw: tuple[int, int]) -> np.ndarray:
    """Decode a label image to a label map: (H, W) uint8, ids of `space` and `VOID`.

    A grey PNG holds class ids, an RGB one the data set's colours. A palette PNG is read by its colours where
    each one that it uses is a different class's (or void), since programs that give an RGB image a palette
    number the colours as they like; otherwise its indices are ids.

    Void are the id 255, the id after the last class (the `ignore_index` of data sets such as CamVid), black
    and the colour of VOC's outlines where no class has them, and what is fully transparent.

    size_hw: of the picture it belongs to. An EXIF orientation is not applied. Raises `ImageError` for another
    size, for ids and colours that name no class, and for files that cannot be read.
    """
    with opened(data, name, formats=("PNG",)) as picture:
        if (picture.height, picture.width) != size_hw:
            raise ImageError(
                f"{shown(name)} is {picture.width}×{picture.height} and its picture {size_hw[1]}×{size_hw[0]}; "
                "save the label image at the size of the picture."
            )
        values, mode, palette = np.asarray(picture), picture.mode, picture.getpalette("RGB")
    alpha = values[..., -1] if mode in ("LA", "RGBA") else None
    if mode in ("RGB", "RGBA"):
        keys, table = _pack(values), _table_of_colors(space)
    elif mode == "P":
        keys, table = values, _table_of_palette(values, palette or [], space)
    else:
        keys, table = values[..., 0] if mode == "LA" else values, _table_of_ids(space)
        keys = keys if keys.dtype == np.uint8 else keys.astype(np.uint16)
    found = np.take(table, keys)
    if alpha is not None:
        found[alpha == 0] = VOID
    unknown = found == _UNKNOWN
    if unknown.any():
        raise _unknown_error(keys[unknown], mode in ("RGB", "RGBA"), name, space)
    return found.astype(np.uint8)


def _table_of_ids(space: LabelSpace) -> np.ndarray:
    """(65536,) int16: the class id, `VOID` or -1 for every value of a grey pixel."""
    count = len(space.classes)
    table = np.full(2**16, _UNKNOWN, np.int16)
    table[:count] = np.arange(count)
    table[[count, VOID]] = VOID
    return table


def _table_of_colors(space: LabelSpace) -> np.ndarray:
    """(2^24,) int16: the class id, `VOID` or -1 for every packed colour."""
    table = np.full(2**24, _UNKNOWN, np.int16)
    for key, class_id in _ids_by_color(space).items():
        table[key] = class_id
    return table


def _table_of_palette(indices: np.ndarray, palette: list[int], space: LabelSpace) -> np.ndarray:
    """(256,) int16: the class id, `VOID` or -1 for every index, by colours or as ids: see `decode_labels`."""
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette) // 3] = np.reshape(palette, (-1, 3))
    keys = _pack(colors[used]).tolist()
    by_color = _ids_by_color(space)
    ids = [by_color.get(key, _UNKNOWN) for key in keys]
    if _UNKNOWN in ids or len(set(keys)) < len(keys) or set(ids) == {VOID}:
        return _table_of_ids(space)[:256]
    table = np.full(256, _UNKNOWN, np.int16)
    table[used] = ids
    return table


def _ids_by_color(space: LabelSpace) -> dict[int, int]:
    """Class id or `VOID` by packed colour; a colour that several classes share names none of them."""
    classes = [int(key) for key in _pack(np.array(space.colors))]
    shared = {key for key, times in Counter(classes).items() if times > 1}
    void = dict.fromkeys(_pack(np.array(_VOID_COLORS)).tolist(), VOID)
    known = void | {key: class_id for class_id, key in enumerate(classes)}
    return {key: class_id for key, class_id in known.items() if key not in shared}


def _pack(rgb: np.ndarray) -> np.ndarray:
    """(..., 3 or 4) colours to (...) uint32: red, green and blue in 24 bits."""
    packed = rgb[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= 8
        packed |= rgb[..., channel].astype(np.uint8)
    return packed


def _unknown_error(keys: np.ndarray, are_colors: bool, name: str, space: LabelSpace) -> ImageError:
    values, counts = np.unique(keys, return_counts=True)
    order = np.argsort(-counts, kind="stable")

    def spelt(i: int) -> str:
        value = int(values[i])
        color = (value >> 16, value >> 8 & 255, value & 255)
        return f"{color if are_colors else value} ({counts[i]:,} pixels)"

    listed = ", ".join(spelt(i) for i in order[:_MOST_NAMED])
    more = f" and {len(values) - _MOST_NAMED:,} more" if len(values) > _MOST_NAMED else ""
    what = "colours that name no single class" if are_colors else "ids without a class"
    remedy = "its colours" if are_colors else f"the ids 0 to {len(space.classes) - 1}, and {VOID} for void"
    return ImageError(f"{shown(name)} holds {what} of {space.name}: {listed}{more}; use {remedy}.")
