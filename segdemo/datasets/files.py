"""The files of a data set, wherever they lie: layouts see names and bytes, not folders and archives."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from segdemo.errors import ImageError
from segdemo.images import shown

PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MOST_FILES: Final = 1_000_000
LARGEST_FILE_BYTES: Final = 2**29  # the table of COCO's train split has 450 MB
_DEEPEST: Final = 8  # folders within each other; a link that leads back into itself ends here


@dataclass(frozen=True)
class Files:
    """Readable files by their path from the top, parts joined by "/"; hidden ones are left out.

    name: of the folder or archive. sizes: bytes by path, paths sorted. read_bytes: safe to call from several threads.
    """

    name: str
    sizes: Mapping[str, int]
    read_bytes: Callable[[str], bytes]

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises `ImageError` where it is too large, gone or damaged."""
        size = self.sizes[path]
        if size > LARGEST_FILE_BYTES:
            raise ImageError(
                f"{shown(path)} has {size / 1e6:,.0f} MB and at most {LARGEST_FILE_BYTES / 1e6:,.0f} MB can be read; "
                "make it smaller."
            )
        return self.read_bytes(path)

    def below(self, folder: str) -> "Files":
        """The same files as seen from a folder ("a/b", "" for the top)."""
        if not folder:
            return self
        top = f"{folder}/"
        sizes = {path.removeprefix(top): size for path, size in self.sizes.items() if path.startswith(top)}
        return Files(f"{self.name}/{folder}", sizes, partial(_read_below, self.read_bytes, top))

    def named(self, folder: str, *endings: str) -> dict[str, list[str]]:
        """Paths in `folder` and below it that end so, in either case, by their name without folder and ending."""
        found: dict[str, list[str]] = {}
        for path in self.sizes:
            if path.startswith(f"{folder}/"):
                ending = next((e for e in endings if path.lower().endswith(e.lower())), None)
                if ending:
                    found.setdefault(path[len(folder) + 1 : -len(ending)], []).append(path)
        return found


def files_of_folder(path: Path) -> Files:
    """The files in a folder and below it. Raises `ImageError` where it cannot be listed or holds too many."""
    found: dict[str, int] = {}
    pending = [""]
    try:
        while pending:
            folder = pending.pop()
            with os.scandir(path / folder) as entries:
                for entry in entries:
                    inner = folder + entry.name
                    if is_hidden(inner):
                        continue
                    if entry.is_file():
                        found[inner] = entry.stat().st_size
                    elif entry.is_dir() and inner.count("/") < _DEEPEST:
                        pending.append(f"{inner}/")
            if len(found) + len(pending) > MOST_FILES:
                raise ImageError(f"{path} holds more than {MOST_FILES:,} files; name the data set's own folder.")
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check the path and its permissions.") from error
    name = "/".join(path.resolve().parts[1:][-2:])
    return Files(name, dict(sorted(found.items())), partial(_read_file, path))


def is_hidden(path: str) -> bool:
    """What systems add by themselves: names that begin with a dot, and what macOS puts into its archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _read_file(folder: Path, path: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise ImageError(f"{shown(path)} cannot be read ({error.strerror}); check the file.") from error


def _read_below(read_bytes: Callable[[str], bytes], top: str, path: str) -> bytes:
    return read_bytes(top + path)
