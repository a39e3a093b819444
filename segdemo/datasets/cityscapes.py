"""Cityscapes: `leftImg8bit/SPLIT/CITY/*_leftImg8bit.png` with `gtFine/SPLIT/CITY/*_gtFine_*.png`.

https://www.cityscapes-dataset.com. `labelTrainIds` hold the 19 classes' ids and 255, `labelIds` the ids 0 to 33 of
cityscapesScripts' `helpers/labels.py`, many of which are not scored; both give the same labels, and the first is taken
where there. `instanceIds` hold 1000 · label id + number for an instance, and the bare label id elsewhere: of a thing,
that is a group that nobody told apart.
"""

from functools import partial
from typing import Final

import numpy as np

from segdemo.datasets.dataset import Entry, FileDataset, Truth, choose_split, pair
from segdemo.datasets.files import Files
from segdemo.datasets.truth import cut_out, decode_ids, labels_of, number
from segdemo.labels import CITYSCAPES, VOID
from segdemo.sample import TrueSegments

# The label ids of the 19 classes, in the order of their train ids.
_SCORED: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_LABEL_IDS: Final = 34
_TRAIN_IDS_END: Final = "_gtFine_labelTrainIds.png"


def _table(known: int, class_ids: dict[int, int]) -> np.ndarray:
    """(256,) int16: `VOID` for 255 (in a byte, the id -1 of number plates) and ids below `known` without a class."""
    table = np.full(VOID + 1, -1, np.int16)
    table[[*range(known), VOID]] = VOID
    table[list(class_ids)] = list(class_ids.values())
    return table


_CLASS_OF_LABEL_ID: Final = _table(_LABEL_IDS, {label_id: i for i, label_id in enumerate(_SCORED)})
_CLASS_OF_TRAIN_ID: Final = _table(0, {i: i for i in range(len(_SCORED))})


def open_files(files: Files) -> FileDataset:
    """The val split, or the only one. Raises `ImageError`."""
    splits = {path.split("/")[1] for path in files.sizes if path.startswith("gtFine/") and path.count("/") > 1}
    split = choose_split(splits, f"gtFine of {files.name}")
    truth = f"gtFine/{split}"
    labels = files.named(truth, "_gtFine_labelIds.png") | files.named(truth, _TRAIN_IDS_END)
    entries, skipped = pair(
        files.named(f"leftImg8bit/{split}", "_leftImg8bit.png"), labels, files.named(truth, "_gtFine_instanceIds.png")
    )
    return FileDataset(f"Cityscapes {split}", CITYSCAPES, files, entries, skipped, partial(_read_truth, files))


def _read_truth(files: Files, entry: Entry, size_hw: tuple[int, int]) -> Truth:
    path, *instances = entry.truth
    by_train_id = path.lower().endswith(_TRAIN_IDS_END.lower())
    ids = decode_ids(files.read(path), path, size_hw)
    labels = labels_of(ids, _CLASS_OF_TRAIN_ID if by_train_id else _CLASS_OF_LABEL_ID, path)
    if not instances:
        return labels, None
    return labels, _segments(decode_ids(files.read(instances[0]), instances[0], size_hw), instances[0])


def _segments(instances: np.ndarray, name: str) -> TrueSegments:
    values, positions = number(instances, name)
    is_instance = values >= 1000
    class_ids = labels_of(np.where(is_instance, values // 1000, values), _CLASS_OF_LABEL_ID, name)
    kept = np.flatnonzero(np.isin(class_ids, list(CITYSCAPES.things)))
    return cut_out(positions, kept, class_ids[kept], ~is_instance[kept])
