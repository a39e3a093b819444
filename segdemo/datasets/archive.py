"""Zip archives from anyone: read member by member into memory, nothing extracted, refused where they look hostile.

The checks are on what the archive's directory declares. They hold for what is read too: `zipfile` gives no more bytes
of a member than declared and compares their checksum; with the two methods of compression accepted here it unpacks no
more than it gives; and members that share or overstate their packed bytes do not fit into the file together.
"""

import stat
import threading
import zipfile
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import BinaryIO, Final

from segdemo.datasets.files import LARGEST_FILE_BYTES, Files, is_hidden
from segdemo.errors import ImageError
from segdemo.images import shown

MOST_MEMBERS: Final = 100_000
LARGEST_TOTAL_BYTES: Final = 32 * 2**30  # Cityscapes with its pictures has 12
HIGHEST_RATIO: Final = 100
_HARMLESS_BYTES: Final = 2**20  # unpacked, whatever the ratio: a label image of one class packs very well
_LARGEST_READ_BYTES: Final = 2**24  # the directory is read at once: 160 bytes for each member
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def files_of_zip(file: BinaryIO, name: str) -> Files:
    """The files of an archive, which stays open and is read on demand, from several threads if need be.

    Raises `ImageError`, one sentence, for what is no zip archive or breaks a limit, and for archives with paths that
    lead out of them, links, two members of one name (in whichever case), encrypted members or overlapping ones.
    """
    try:
        archive = zipfile.ZipFile(_BoundedReads(file))
    except ImageError:
        raise
    except Exception as error:  # zipfile raises anything on broken bytes, NotImplementedError and ValueError among it
        raise ImageError(f"{shown(name)} is not a readable zip archive; pack or upload it again.") from error
    file.seek(0, 2)
    _check_archive(archive.infolist(), file.tell(), name)
    members = {_path(m): m for m in archive.infolist() if not m.is_dir() and not is_hidden(_path(m))}
    sizes = {path: members[path].file_size for path in sorted(members)}
    return Files(name, sizes, partial(_read_member, archive, members, threading.Lock()))


class _BoundedReads:
    """A file for `zipfile`, which takes an archive's whole directory into memory before anyone can count members."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _LARGEST_READ_BYTES:
            raise ImageError(f"The archive's directory is too long; pack at most {MOST_MEMBERS:,} files.")
        return self._file.read(_LARGEST_READ_BYTES if size < 0 else size)


def _check_archive(members: list[zipfile.ZipInfo], archive_bytes: int, name: str) -> None:
    if len(members) > MOST_MEMBERS:
        raise ImageError(f"{shown(name)} holds {len(members):,} files and at most {MOST_MEMBERS:,} can be read.")
    for member in members:
        fault = _fault(member)
        if fault:
            raise ImageError(f"{shown(name)} is refused: {shown(member.filename)} {fault}.")
    twice = _first_twice(_path(m).rstrip("/").casefold() for m in members)
    if twice:
        raise ImageError(f"{shown(name)} is refused: it holds {shown(twice)} twice; pack each file once.")
    if sum(m.compress_size for m in members) > archive_bytes:
        raise ImageError(f"{shown(name)} is refused: its files overlap each other; pack it again.")
    total = sum(m.file_size for m in members)
    if total > LARGEST_TOTAL_BYTES:
        raise ImageError(
            f"{shown(name)} unpacks to {total / 1e9:,.1f} GB and at most {LARGEST_TOTAL_BYTES / 1e9:,.1f} GB can be "
            "read; pack fewer pictures."
        )


def _fault(member: zipfile.ZipInfo) -> str | None:
    """What is wrong with a member, as the rest of a sentence."""
    parts = _path(member).rstrip("/").split("/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if {"", ".", ".."} & set(parts) or ":" in parts[0]:
        return "is no plain path within the archive; pack the data set's folder itself"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device; pack the file that it stands for"
    if member.flag_bits & 1:
        return "is encrypted; pack it without a password"
    if member.compress_type not in _METHODS:
        return "is packed by a method other than deflate; pack it again as an ordinary zip file"
    if member.file_size > LARGEST_FILE_BYTES:
        return f"unpacks to {member.file_size / 1e6:,.0f} MB and at most {LARGEST_FILE_BYTES / 1e6:,.0f} MB can be read"
    if member.file_size > max(_HARMLESS_BYTES, HIGHEST_RATIO * member.compress_size):
        return f"unpacks to more than {HIGHEST_RATIO} times its size, as bombs do; save pictures as PNG or JPEG"
    return None


def _path(member: zipfile.ZipInfo) -> str:
    """Some Windows programs part folders by backslashes."""
    return member.filename.replace("\\", "/")


def _first_twice(names: Iterable[str]) -> str | None:
    return next((name for name, times in Counter(names).items() if times > 1), None)


def _read_member(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], opening: threading.Lock, path: str
) -> bytes:
    member = members[path]
    try:
        with opening:  # an archive counts its open members without a lock of its own
            stream = archive.open(member)
        try:
            data = b"".join(iter(partial(stream.read, min(member.file_size + 1, _LARGEST_READ_BYTES)), b""))
        finally:
            with opening:
                stream.close()
        if len(data) < member.file_size:
            raise EOFError("shorter than declared")
    except Exception as error:  # as above, zlib.error and EOFError too
        raise ImageError(f"{shown(path)} is damaged in its archive; pack or upload it again.") from error
    return data
