"""What every data set offers, and the one kind that is read from files."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np

from segdemo.datasets.files import Files
from segdemo.errors import ImageError
from segdemo.images import decode, shown
from segdemo.labels import LabelSpace
from segdemo.sample import Sample, TrueSegments

# What reading a JSON table ends in whose author had another format in mind; `fault_of` says it in words.
TABLE_FAULTS: Final = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)

Truth = tuple[np.ndarray | None, TrueSegments | None]  # labels and segments as in `Sample`


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, by its path in the data set, and why: the rest of a sentence that begins with it."""

    name: str
    reason: str


class Dataset(Protocol):
    """Labelled pictures in a fixed order.

    skipped: files known from the start to be unusable, such as labels without a picture.
    digest: SHA-256, hexadecimal; data sets with one digest count as the same pictures with the same truth.
    """

    @property
    def name(self) -> str: ...
    @property
    def space(self) -> LabelSpace: ...
    @property
    def skipped(self) -> tuple[Skipped, ...]: ...
    @property
    def digest(self) -> str: ...
    def __len__(self) -> int: ...
    def read(self, index: int) -> Sample:
        """One sample, its name unique in the data set; safe to call from several threads.

        Raises `ImageError` where picture or truth does not decode, has the wrong size or an unknown id.
        """
        ...


@dataclass(frozen=True)
class Entry:
    """The files of one sample. truth: none, the label image, or the label image and the image of instances."""

    picture: str
    truth: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FileDataset:
    """A data set in files. read_truth: the truth of an entry whose picture has the size (H, W).

    tables: further files that the truth is taken from.
    """

    name: str
    space: LabelSpace
    files: Files
    entries: tuple[Entry, ...]
    skipped: tuple[Skipped, ...]
    read_truth: Callable[[Entry, tuple[int, int]], Truth]
    tables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.entries:
            listed = "".join(f"; {shown(s.name)} {s.reason}" for s in self.skipped[:1])
            raise ImageError(f"{self.name} holds no picture with its truth (left out: {len(self.skipped):,}{listed}).")

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, index: int) -> Sample:
        entry = self.entries[index]
        image = decode(self.files.read(entry.picture), entry.picture)
        labels, segments = self.read_truth(entry, image.size_hw)
        return Sample(entry.picture, image, labels, segments)

    @cached_property
    def digest(self) -> str:
        """Over the classes, the names and sizes of the pictures, and the contents of all truth, which is small.

        A picture that is changed without changing its size in bytes goes unseen: reading all of them would take as long
        as a fast model takes to look at them.
        """
        whole = hashlib.sha256(repr((self.space.classes, sorted(self.space.things), self.space.background)).encode())
        for table in self.tables:
            whole.update(hashlib.sha256(self.files.read(table)).digest())
        for entry in self.entries:
            whole.update(repr((entry.picture, self.files.sizes[entry.picture], entry.truth)).encode())
            for path in entry.truth:
                whole.update(self._content_digest(path))
        return whole.hexdigest()

    def _content_digest(self, path: str) -> bytes:
        try:
            return hashlib.sha256(self.files.read(path)).digest()
        except ImageError:  # reading the sample will tell
            return b"unreadable"


def fault_of(error: Exception) -> str:
    """What is wrong with a table, in a few words."""
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def pair(
    pictures: Mapping[str, list[str]],
    labels: Mapping[str, list[str]],
    instances: Mapping[str, list[str]] | None = None,
    names: Collection[str] | None = None,
) -> tuple[tuple[Entry, ...], tuple[Skipped, ...]]:
    """An entry for each name with a picture and labels, and the files without a partner, both sorted by name.

    pictures, labels, instances: paths by name, as `Files.named` gives them. names: the only ones to look for.
    """
    entries, skipped = [], []
    for name in sorted(pictures.keys() | labels.keys() if names is None else names):
        found, truths = pictures.get(name, []), labels.get(name, [])
        if found and truths:
            entries.append(Entry(found[0], (truths[0], *(instances or {}).get(name, [])[:1])))
            skipped += [Skipped(path, f"has the name of {found[0]}") for path in found[1:]]
            skipped += [Skipped(path, f"has the name of {truths[0]}") for path in truths[1:]]
        elif found or truths:
            skipped += [Skipped(path, "has no label image") for path in found]
            skipped += [Skipped(path, "has no picture") for path in truths]
        else:
            skipped.append(Skipped(name, "is listed and has neither picture nor label image"))
    return tuple(entries), tuple(skipped)


def choose_split(splits: Collection[str], where: str) -> str:
    """The split to evaluate on: the one named val, val2017 or validation, else the only one. Raises `ImageError`.

    splits: names or paths that end in them.
    """
    candidates = [s for s in splits if s.rsplit("/", 1)[-1].lower().startswith("val")] or list(splits)
    if len(candidates) != 1:
        named = ", ".join(sorted(candidates)[:5])
        raise ImageError(f"{shown(where)} holds {len(candidates)} splits or data sets ({named}); name or keep one.")
    return candidates[0]
