"""Decoding: every kind of picture comes out right, and everything else is one sentence."""

import hashlib
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from segdemo import devices, images
from segdemo.errors import ImageError
from segdemo.images import MAX_PIXELS, decode, opened, shown

RED, GREEN, BLUE, YELLOW, WHITE = (200, 30, 40), (20, 180, 60), (30, 60, 220), (240, 240, 10), (255, 255, 255)
LOSSY = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}}

# Where each orientation's stored picture has the four corners of the upright one, row by row (EXIF 2.3, tag 274).
STORED_AS = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}


def quarters(top_left=RED, top_right=BLUE, bottom_left=GREEN, bottom_right=YELLOW):
    """A 40×60 picture of four colours, so that every turn and mirroring of it is another picture."""
    rgb = np.empty((40, 60, 3), np.uint8)
    rgb[:20, :30], rgb[:20, 30:] = top_left, top_right
    rgb[20:, :30], rgb[20:, 30:] = bottom_left, bottom_right
    return rgb


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(file, kind, **{**LOSSY.get(kind, {}), **options})
    return file.getvalue()


def png(width, height, depth, color_type, rows):
    """A PNG made by hand: Pillow writes neither 16-bit RGB nor false sizes."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def assert_shows(rgb, expected, tolerance=0):
    """The middles of the quarters have the expected colours."""
    assert rgb.shape == expected.shape
    for y, x in ((10, 15), (10, 45), (30, 15), (30, 45)):
        np.testing.assert_allclose(rgb[y, x].astype(int), expected[y, x], atol=tolerance)


def refusal(data, name="photo.png", **options):
    """The sentence about a file that cannot be read, which must be one and end as one."""
    with pytest.raises(ImageError) as caught:
        decode(data, name, **options)
    sentence = str(caught.value)
    assert sentence.startswith(shown(name))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.fixture(params=["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def kind(request):
    return request.param


def test_every_format_is_read(kind):
    image = decode(encoded(quarters(), kind), "photo")
    assert_shows(image.rgb, quarters(), tolerance=4 if kind in LOSSY else 0)
    assert image.rgb.dtype == np.uint8
    assert image.size_hw == (40, 60)


def test_a_picture_carries_its_name_and_the_digest_of_its_bytes():
    data = encoded(quarters(), "PNG")
    image = decode(data, "street.png")
    assert image.name == "street.png"
    assert image.digest == hashlib.sha256(data).hexdigest()


def test_the_pixels_cannot_be_changed(kind):
    image = decode(encoded(quarters(), kind), "photo")
    with pytest.raises(ValueError, match="read-only"):
        image.rgb[0, 0] = 0
    assert image.rgb.flags.c_contiguous


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_each_orientation_is_turned_upright(kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    stored = np.ascontiguousarray(STORED_AS[orientation](quarters()))
    image = decode(encoded(stored, kind, exif=exif), "photo")
    assert_shows(image.rgb, quarters(), tolerance=4 if kind in LOSSY else 0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    assert_shows(decode(encoded(quarters(), "PNG", exif=exif), "photo").rgb, quarters())


def test_damaged_exif_does_not_keep_a_picture_out():
    data = encoded(quarters(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff" + bytes(range(40)))
    assert_shows(decode(data, "photo.jpg").rgb, quarters(), tolerance=4)


def test_grey_becomes_rgb(kind):
    grey = np.asarray(Image.fromarray(quarters()).convert("L"))
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert_shows(decode(encoded(grey, kind), "photo").rgb, expected, tolerance=3 if kind in LOSSY else 0)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_one_bit_becomes_black_and_white(kind):
    bits = quarters()[..., 0] > 100
    expected = np.repeat(np.where(bits, 255, 0)[..., None], 3, axis=2)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(bits), kind), "scan").rgb, expected)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_palette_image_becomes_rgb(kind):
    assert_shows(decode(encoded(Image.fromarray(quarters()).quantize(8), kind), "photo").rgb, quarters())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_laid_over_white(kind):
    rgba = np.dstack([quarters(), np.full((40, 60), 255, np.uint8)])
    rgba[:20, 30:, 3] = 0
    rgba[20:, :30, 3] = 51
    expected = quarters(top_right=WHITE, bottom_left=(208, 240, 216))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert_shows(decode(encoded(rgba, kind, **options), "logo").rgb, expected, tolerance=1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_with_alpha_is_laid_over_white(kind):
    picture = Image.fromarray(quarters()).convert("LA")
    picture.putalpha(Image.fromarray(np.where(quarters()[..., 0] == RED[0], 0, 255).astype(np.uint8)))
    expected = np.asarray(Image.fromarray(quarters(top_left=WHITE)).convert("L").convert("RGB"))
    assert_shows(decode(encoded(picture, kind), "logo").rgb, expected)


def test_a_transparent_palette_entry_becomes_white():
    picture = Image.fromarray(quarters()).quantize(4)
    red = picture.getpixel((0, 0))
    whole = decode(encoded(picture, "PNG", transparency=red), "logo.png")
    assert_shows(whole.rgb, quarters(top_left=WHITE))
    half = decode(encoded(picture, "PNG", transparency=b"\xff" * red + b"\x80"), "logo.png")
    assert_shows(half.rgb, quarters(top_left=(227, 142, 147)), tolerance=1)


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_a_colour_declared_transparent_becomes_white(mode):
    if mode == "I;16":
        picture, key = Image.fromarray(quarters()[..., 0].astype(np.uint16) * 257), RED[0] * 257
        expected = np.repeat(quarters(top_left=WHITE)[..., :1], 3, axis=2)
    else:
        picture = Image.fromarray(quarters()).convert(mode)
        key = picture.getpixel((0, 0))
        expected = np.asarray(Image.fromarray(quarters()).convert(mode).convert("RGB")).copy()
        expected[:20, :30] = WHITE
    assert_shows(decode(encoded(picture, "PNG", transparency=key), "logo.png").rgb, expected)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb_and_is_not_inverted(kind):
    picture = Image.fromarray(quarters()).convert("CMYK")
    data = encoded(picture, kind)
    assert Image.open(io.BytesIO(data), formats=[kind]).mode == "CMYK"
    assert_shows(decode(data, "print").rgb, quarters(), tolerance=4)


def test_a_cmyk_jpeg_is_stored_inverted_as_adobe_does():
    data = encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")
    assert b"Adobe" in data
    assert decode(data, "white.jpg").rgb.min() > 250


@pytest.mark.parametrize("options", [{}, {"compression": "jpeg"}])
def test_ycbcr_tiff_becomes_rgb(options):
    picture = Image.fromarray(quarters()).convert("RGB" if options else "YCbCr")
    assert_shows(decode(encoded(picture, "TIFF", **options), "scan.tif").rgb, quarters(), tolerance=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind):
    values = np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27
    values[0, :2] = 0, 65535
    rgb = decode(encoded(values, kind), "depth").rgb
    np.testing.assert_array_equal(rgb[..., 0], np.round(values / 257).astype(np.uint8))
    assert (rgb == rgb[..., :1]).all()


def test_sixteen_bit_grey_of_a_big_endian_tiff_is_scaled():
    values = np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27
    data = encoded(Image.frombytes("I;16B", (60, 40), values.astype(">u2").tobytes()), "TIFF")
    assert data[:2] == b"MM"
    np.testing.assert_array_equal(decode(data, "x.tif").rgb[..., 0], np.round(values / 257).astype(np.uint8))


def test_sixteen_bit_grey_with_white_as_zero_is_not_a_negative():
    values = np.full((4, 4), 257 * 10, np.uint16)
    data = encoded(values, "TIFF")
    entry = struct.pack("<HHI", 262, 3, 1)
    assert data.count(entry + b"\1") == 1
    data = data.replace(entry + b"\1", entry + b"\0")
    assert (decode(data, "scan.tif").rgb == 245).all()


@pytest.mark.parametrize(("color_type", "samples"), [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bit_colour_and_alpha_keep_their_shades(color_type, samples):
    pixel = np.array([50000, 30000, 10000, 65535], ">u2")
    if samples == 2:
        pixel = pixel[[0, 3]]
    row = b"\0" + pixel[:samples].tobytes() * 8
    rgb = decode(png(8, 8, 16, color_type, row * 8), "deep.png").rgb
    expected = [194, 194, 194] if samples == 2 else [194, 116, 38]
    np.testing.assert_allclose(rgb[3, 3].astype(int), expected, atol=1)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.ones((8, 8), np.float32), "floating-point"),
        (np.ones((8, 8), np.int32), "32-bit"),
        (Image.new("LAB", (8, 8)), "LAB"),
    ],
)
def test_pixels_without_a_fixed_white_are_refused(picture, words):
    sentence = refusal(encoded(picture, "TIFF"), "depth.tif")
    assert words in sentence
    assert "8 or 16 bits" in sentence


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "MPO"])
def test_the_first_frame_is_taken(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    second = Image.new("RGB", (60, 40), "black")
    data = encoded(quarters(), kind, save_all=True, append_images=[second], **options)
    assert_shows(decode(data, "moving").rgb, quarters(), tolerance=30 if kind == "MPO" else 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"Dear all,\nplease find attached\n", "holds text"),
        ("Grüße aus Köln".encode(), "holds text"),
        (bytes(2000), "not a picture in any known format"),
        (b"GIF89a" + bytes(60), "of type GIF"),
        (b"\0\0\0\x18ftypheic" + bytes(60), "of type HEIC"),
        (b"\0\0\0\x18ftypavif" + bytes(60), "of type AVIF"),
        (b"\0\0\0\x18ftypisom" + bytes(60), "of type video"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "of type SVG"),
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg/>', "of type SVG"),
        (b"%PDF-1.7\n" + bytes(60), "of type PDF"),
        (b"PK\x03\x04" + bytes(60), "of type zip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "damaged PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "damaged JPEG"),
        (b"RIFF\x20\0\0\0WEBPVP8 " + bytes(60), "damaged"),
        (b"BM" + bytes(60), "damaged"),
        (b"II*\0" + bytes(60), "damaged TIFF"),
    ],
)
def test_whatever_is_no_picture_is_refused_by_name_and_kind(data, words):
    assert words in refusal(data)


def test_a_refusal_says_what_can_be_read():
    assert "JPEG, PNG, WebP, BMP or TIFF" in refusal(encoded(quarters(), "GIF"), "cat.gif")


@pytest.mark.parametrize("share", range(10))
def test_a_file_cut_anywhere_is_refused(kind, share):
    noise = np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8)
    data = encoded(noise, kind)
    refusal(data[: len(data) * share // 10])


def test_flipped_bits_give_a_picture_or_a_sentence(kind):
    data = encoded(quarters(), kind)
    rng = np.random.default_rng(11)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(150):
            damaged = bytearray(data)
            for place in rng.integers(0, len(data), 4):
                damaged[place] ^= 1 << rng.integers(8)
            with suppress(ImageError):
                assert decode(bytes(damaged), "photo", max_pixels=10**6).rgb.dtype == np.uint8


def test_random_bytes_give_a_sentence():
    rng = np.random.default_rng(3)
    starts = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"MM\0*"]
    for start in starts:
        for size in (1, 20, 3000):
            refusal(start + rng.bytes(size))


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0)])
def test_a_picture_of_no_size_is_refused(width, height):
    assert "damaged PNG" in refusal(png(width, height, 8, 2, b""))


def test_too_many_pixels_are_refused_with_the_numbers():
    data = encoded(quarters(), "PNG")
    sentence = refusal(data, max_pixels=1000)
    assert "has 2,400 pixels and at most 1,000 can be read" in sentence
    assert "SEGDEMO_MAX_PIXELS" in sentence
    assert decode(data, "photo.png", max_pixels=2400).size_hw == (40, 60)


@pytest.mark.parametrize(
    ("size", "words"),
    [(8000, "64,000,000"), (10_000, "100,000,000"), (50_000, "more than 178,956,970")],
)
def test_a_huge_claim_is_refused_before_memory_is_taken(size, words):
    devices.reset_peak_memory("cpu")
    before = devices.peak_memory_bytes("cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sentence = refusal(png(size, size, 8, 2, b"little"))
    assert f"has {words} pixels and at most {MAX_PIXELS:,} can be read" in sentence
    if before is not None:
        assert devices.peak_memory_bytes("cpu") - before < 20 * 2**20


def test_a_claim_within_the_limit_without_the_data_takes_no_more_than_the_picture_would():
    devices.reset_peak_memory("cpu")
    before = devices.peak_memory_bytes("cpu")
    assert "damaged or incomplete" in refusal(png(7000, 7000, 8, 2, b"little"))
    if before is not None:  # four bytes a pixel in Pillow; a fresh process does not even touch them
        assert devices.peak_memory_bytes("cpu") - before < 7000 * 7000 * 4 + 20 * 2**20


def test_more_bytes_than_any_picture_needs_are_refused():
    assert "has 9.0 MB and at most 1.8 MB can be read" in refusal(
        encoded(quarters(), "PNG") + bytes(9_000_000), max_pixels=100_000
    )


@pytest.mark.parametrize(("text", "limit"), [("1234", 1234), ("", 50_000_000), (None, 50_000_000)])
def test_the_limit_is_a_setting(text, limit, monkeypatch):
    monkeypatch.delenv("SEGDEMO_MAX_PIXELS", raising=False)
    if text is not None:
        monkeypatch.setenv("SEGDEMO_MAX_PIXELS", text)
    assert images._limit_from_environment() == limit


@pytest.mark.parametrize("text", ["0", "-5", "many", "5e7"])
def test_a_limit_that_is_no_number_is_refused_by_name(text, monkeypatch):
    monkeypatch.setenv("SEGDEMO_MAX_PIXELS", text)
    with pytest.raises(ValueError, match="SEGDEMO_MAX_PIXELS must be a whole number above 0"):
        images._limit_from_environment()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("street.jpg", "street.jpg"),
        ("a\nb\x1b[31m.png", "a\ufffdb\ufffd[31m.png"),
        ("gpj.\u202eexe", "gpj.\ufffdexe"),
        ("Übergröße 東京.png", "Übergröße 東京.png"),
        ("\udc80.png", "\ufffd.png"),
        ("", "The file"),
        ("x" * 500 + ".png", "x" * 40 + "…" + "x" * 15 + ".png"),
    ],
)
def test_odd_names_are_shown_safely(name, expected):
    assert shown(name) == expected
    assert refusal(b"", name) == f"{expected} is empty; choose another file."


def test_a_memory_error_becomes_a_sentence(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", fail)
    assert "does not fit into memory" in refusal(encoded(quarters(), "PNG"))


def test_many_threads_decode_at_once_and_leave_the_warnings_as_they_were():
    data = encoded(quarters(), "PNG")
    with warnings.catch_warnings():
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            decoded = list(pool.map(lambda i: decode(data, f"{i}.png"), range(64)))
        assert list(warnings.filters) == before
    assert all((image.rgb == quarters()).all() for image in decoded)


def test_a_format_that_was_not_asked_for_is_not_read():
    with (
        pytest.raises(ImageError, match=r"of type JPEG, which cannot be read here; save it as PNG\."),
        opened(encoded(quarters(), "JPEG"), "labels.jpg", formats=("PNG",)),
    ):
        pass
