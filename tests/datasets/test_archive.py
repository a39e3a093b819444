"""Hostile and broken archives end in a sentence, and never in more memory than they are worth."""

import io
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from making import yard, zipped

from segdemo.datasets import archive, open_zip
from segdemo.datasets.archive import files_of_zip
from segdemo.errors import ImageError


def refusal(file: io.BytesIO) -> str:
    with pytest.raises(ImageError) as caught:
        files_of_zip(file, "upload.zip")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_member(member: zipfile.ZipInfo | str, data: bytes = b"x", method: int = zipfile.ZIP_STORED) -> io.BytesIO:
    file = zipped(yard(["a"]))
    with zipfile.ZipFile(file, "a") as opened:
        opened.writestr(member, data, method)
    return file


def with_mode(mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("images/a.jpg")
    member.create_system = 3
    member.external_attr = mode << 16
    return member


@pytest.mark.parametrize(
    "name",
    ["../evil.png", "images/../../evil.png", "/etc/passwd", "..", "C:/evil.png", "C:\\evil.png", "..\\evil.png",
     "\\\\host\\share\\evil.png", "images//a.png", "./images/b.png"],
)  # fmt: skip
def test_a_path_that_leaves_the_archive_is_refused(name):
    assert "is no plain path within the archive" in refusal(with_member(name))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind):
    assert "is a link or a device" in refusal(with_member(with_mode(kind | 0o777), b"/etc/passwd"))


@pytest.mark.parametrize("kind", [0, stat.S_IFREG])
def test_ordinary_files_are_not(kind):
    assert "images/a.jpg" in files_of_zip(with_member(with_mode(kind | 0o644)), "upload.zip").sizes


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["images/a.png", "images/A.PNG", "IMAGES/a.png", "images\\a.png", "images/a.png/"])
def test_two_members_of_one_name_are_refused(name):
    assert "images/a.png twice" in refusal(with_member(name))


def test_an_encrypted_member_is_refused():
    data = bytearray(zipped({"a": b"x"}).getvalue())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    assert "a is encrypted" in refusal(io.BytesIO(bytes(data)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_unpacking_has_no_bound_are_refused(method):
    assert "other than deflate" in refusal(with_member("images/b.png", b"x" * 100, method))


def test_a_bomb_is_refused_by_its_ratio():
    assert "100 times its size" in refusal(with_member("images/b.bmp", bytes(2**23), zipfile.ZIP_DEFLATED))


def test_a_small_file_may_be_packed_very_well():
    file = with_member("images/b.png", bytes(2**20), zipfile.ZIP_DEFLATED)
    assert files_of_zip(file, "upload.zip").read("images/b.png") == bytes(2**20)


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MOST_MEMBERS", 2, "holds 3 files and at most 2"),
        ("LARGEST_TOTAL_BYTES", 300, "unpacks to"),
        ("LARGEST_FILE_BYTES", 300, "unpacks to"),
        ("_LARGEST_READ_BYTES", 100, "directory is too long"),
    ],
)
def test_an_archive_beyond_a_limit_is_refused(monkeypatch, limit, value, message):
    monkeypatch.setattr(archive, limit, value)
    assert message in refusal(zipped(yard(["a"])))


def test_members_that_share_their_bytes_are_refused():
    """The better zip bomb: many entries of the directory for one member."""
    data = zipped({"a": np.random.default_rng(0).bytes(5000)}).getvalue()
    start = data.index(b"PK\1\2")
    entry = data[start : data.rindex(b"PK\5\6")]
    entries = b"".join(entry[:-1] + bytes([name]) for name in b"abcdefgh")
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 8, 8, len(entries), start, 0)
    assert "overlap" in refusal(io.BytesIO(data[:start] + entries + end))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_larger_than_declared_is_damaged_and_not_unpacked(method):
    data = bytearray(zipped({"a": bytes(2**25)}, method).getvalue())
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<L", data, data.rindex(signature) + offset, 1000)
    files = files_of_zip(io.BytesIO(bytes(data)), "upload.zip")
    tracemalloc.start()
    with pytest.raises(ImageError, match="a is damaged in its archive"):
        files.read("a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_a_member_smaller_than_declared_is_damaged():
    data = bytearray(zipped({"a": b"abc"}).getvalue())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, 1000)
    with pytest.raises(ImageError, match="a is damaged in its archive"):
        files_of_zip(io.BytesIO(bytes(data)), "upload.zip").read("a")


def read_all(data: bytes) -> None:
    dataset = open_zip(io.BytesIO(data), "upload.zip")
    for i in range(len(dataset)):
        dataset.read(i)


@pytest.mark.parametrize("share", range(10))
def test_an_archive_cut_short_is_refused(share):
    data = zipped(yard(["a", "b"])).getvalue()
    assert "is not a readable zip archive" in refusal(io.BytesIO(data[: len(data) * share // 10]))


def test_broken_bytes_end_in_a_sentence():
    good = zipped(yard(["a", "b"])).getvalue()
    refusals = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        data = np.frombuffer(good, np.uint8).copy()
        data[rng.integers(0, data.size, rng.integers(1, 20))] = rng.integers(0, 256, 1)
        try:
            read_all(data.tobytes())
        except ImageError as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert not any("\n" in refusal for refusal in refusals)
