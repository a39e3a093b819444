"""ADE20K scene parsing (ADEChallengeData2016): `images/{training,validation}`, `annotations/{training,validation}`.

http://sceneparsing.csail.mit.edu. Label images hold 0 for what is not labelled and k + 1 for class k, 0 to 149.
"""

from functools import partial
from typing import Final

import numpy as np

from segdemo.datasets.dataset import Entry, FileDataset, Truth, choose_split, pair
from segdemo.datasets.files import PICTURES, Files
from segdemo.datasets.truth import decode_ids, labels_of
from segdemo.labels import ADE20K, VOID

_CLASS_OF: Final = np.array([VOID, *range(len(ADE20K.classes))], np.int16)


def open_files(files: Files) -> FileDataset:
    """The validation split, or the only one. Raises `ImageError`."""
    splits = {path.split("/")[1] for path in files.sizes if path.startswith("annotations/") and path.count("/") > 1}
    split = choose_split(splits, f"annotations of {files.name}")
    entries, skipped = pair(files.named(f"images/{split}", *PICTURES), files.named(f"annotations/{split}", ".png"))
    return FileDataset(f"ADE20K {split}", ADE20K, files, entries, skipped, partial(_read_truth, files))


def _read_truth(files: Files, entry: Entry, size_hw: tuple[int, int]) -> Truth:
    [path] = entry.truth
    return labels_of(decode_ids(files.read(path), path, size_hw), _CLASS_OF, path), None
