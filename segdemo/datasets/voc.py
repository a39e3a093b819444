"""PASCAL VOC segmentation: `JPEGImages/`, `SegmentationClass/`, `SegmentationObject/`, `ImageSets/Segmentation/`.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/. Label images are palette PNGs of ids 0 to 20; 255, the outlines of
objects among it, is void.
"""

from functools import partial

from segdemo.datasets.dataset import FileDataset, choose_split, pair
from segdemo.datasets.files import PICTURES, Files
from segdemo.datasets.folder import read_truth
from segdemo.errors import ImageError
from segdemo.labels import VOC


def open_files(files: Files) -> FileDataset:
    """The pictures of a split's list, or all with labels where there is no list. Raises `ImageError`."""
    split, names = _listed(files)
    entries, skipped = pair(
        files.named("JPEGImages", *PICTURES),
        files.named("SegmentationClass", ".png"),
        files.named("SegmentationObject", ".png"),
        names,
    )
    return FileDataset(f"VOC {split}".strip(), VOC, files, entries, skipped, partial(read_truth, files, VOC))


def _listed(files: Files) -> tuple[str, list[str] | None]:
    """The split's name and the names that its list holds; "" and None without lists."""
    lists = files.named("ImageSets/Segmentation", ".txt")
    if not lists:
        return "", None
    split = choose_split(lists, f"ImageSets/Segmentation of {files.name}")
    path = lists[split][0]
    try:
        return split, sorted(set(files.read(path).decode().split()))
    except UnicodeDecodeError as error:
        raise ImageError(f"{path} of {files.name} is not a list of names; each line is to hold one.") from error
