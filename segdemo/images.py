"""Bytes to `InputImage`, and the one safe way to open a picture file.

Pillow's decoders raise whatever they stumble over; here every fault of a file becomes one `ImageError` that
names the file, says what is wrong with it and what to do.
"""

import hashlib
import io
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from segdemo.errors import ImageError


def _limit_from_environment() -> int:
    text = os.environ.get("SEGDEMO_MAX_PIXELS") or "50000000"
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"SEGDEMO_MAX_PIXELS must be a whole number above 0, not {text!r}.")
    return int(text)


MAX_PIXELS: Final = _limit_from_environment()
FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")

_EIGHT_BIT_MODES: Final = {"1", "L", "LA", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr"}
_SIXTEEN_BIT_MODES: Final = {"I;16", "I;16B", "I;16L"}

_BITS_PER_SAMPLE: Final = ExifTags.Base.BitsPerSample
_PHOTOMETRIC: Final = ExifTags.Base.PhotometricInterpretation

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_FIRST_BYTES: Final = (
    ("JPEG", rb"\xff\xd8\xff"), ("PNG", rb"\x89PNG"), ("WebP", rb"RIFF....WEBP"), ("BMP", rb"BM"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"), ("GIF", rb"GIF8"), ("HEIC", rb"....ftyp(hei|hev|mif|msf)"),
    ("AVIF", rb"....ftypavi"), ("video", rb"....ftyp"), ("JPEG 2000", rb"\0\0\0\x0cjP  "),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "), ("PDF", rb"%PDF"), ("Photoshop", rb"8BPS"), ("zip", rb"PK\x03\x04"),
    ("SVG", rb"\s*(<\?xml.{,500}?)?(<!--.{,500}?-->\s*)?(<!DOCTYPE svg.{,500}?)?<svg"),
)  # fmt: skip
_SPELT: Final = {"WEBP": "WebP"}

# Filters of warnings belong to the whole process: two threads changing them at once would leave them changed.
_DECODING: Final = threading.Lock()


@dataclass(frozen=True)
class InputImage:
    """A picture ready for any model.

    rgb: (H, W, 3) uint8, upright, read-only. digest: SHA-256 of the bytes it came from, hexadecimal.
    name: as the person named it.
    """

    rgb: np.ndarray
    digest: str
    name: str

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.rgb.shape[0], self.rgb.shape[1]


def decode(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> InputImage:
    """Decode the first frame of a JPEG, PNG, WebP, BMP or TIFF file.

    Turned upright by its EXIF orientation; transparency is laid over white; grey, palette and CMYK become RGB;
    16 bits are scaled to 8. Raises `ImageError` for everything else.
    """
    with opened(data, name, max_pixels) as picture:
        if picture.mode not in _EIGHT_BIT_MODES | _SIXTEEN_BIT_MODES:
            raise ImageError(
                f"{shown(name)} holds {_kind_of_pixels(picture.mode)}, which have no fixed black and white; "
                "save it as RGB or grey with 8 or 16 bits."
            )
        picture.load()
        upright = _UPRIGHT.get(_orientation(picture))
        rgb = _to_rgb(picture)
        pixels = np.asarray(rgb.transpose(upright) if upright is not None else rgb)
    pixels.flags.writeable = False
    return InputImage(pixels, hashlib.sha256(data).hexdigest(), name)


@contextmanager
def opened(
    data: bytes, name: str, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS
) -> Iterator[Image.Image]:
    """A picture file within the limits, its header read and its pixels not yet decoded.

    Any error of Pillow's inside the `with` block, where the pixels are decoded, becomes `ImageError` too, and
    its warnings are silent. formats: as Pillow names them.
    """
    _check_bytes(data, name, max_pixels)
    with _DECODING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=formats) as picture:
                pixels = picture.width * picture.height
                if pixels > max_pixels:
                    raise _too_large(name, f"{pixels:,}", max_pixels)
                yield picture
        except ImageError:
            raise
        except Image.DecompressionBombError as error:  # Pillow's own limit, met before it tells the size
            pillows = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise _too_large(name, f"more than {pillows:,}", min(max_pixels, pillows)) from error
        except UnidentifiedImageError as error:
            raise ImageError(f"{shown(name)} {_what_it_is(data, formats)}") from error
        except MemoryError as error:
            raise ImageError(f"{shown(name)} does not fit into memory; make it smaller.") from error
        except Exception as error:  # a decoder raises anything on broken bytes, SystemError and KeyError among it
            raise ImageError(f"{shown(name)} is damaged or incomplete; export it or upload it again.") from error


def shown(name: str) -> str:
    """A file's name fit for a sentence: at most 60 characters, none that controls a terminal or reverses text."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name).strip()
    if len(printable) > 60:
        return f"{printable[:40]}…{printable[-19:]}"
    return printable or "The file"


def _check_bytes(data: bytes, name: str, max_pixels: int) -> None:
    if not data:
        raise ImageError(f"{shown(name)} is empty; choose another file.")
    limit = 8 * max_pixels + 2**20  # what the largest picture takes uncompressed, RGBA with 16 bits
    if len(data) > limit:
        raise ImageError(
            f"{shown(name)} has {len(data) / 1e6:,.1f} MB and at most {limit / 1e6:,.1f} MB can be read; "
            "save it as JPEG or make it smaller."
        )


def _too_large(name: str, count: str, max_pixels: int) -> ImageError:
    return ImageError(
        f"{shown(name)} has {count} pixels and at most {max_pixels:,} can be read; "
        "make it smaller, or raise SEGDEMO_MAX_PIXELS."
    )


def _what_it_is(data: bytes, formats: tuple[str, ...]) -> str:
    """The rest of the sentence about a file that is in none of the formats."""
    kind = next((k for k, pattern in _FIRST_BYTES if re.match(pattern, data[:2000], re.DOTALL)), None)
    names = [_SPELT.get(f, f) for f in formats]
    if kind in names:
        return f"is a damaged {kind} file; export it or upload it again."
    wanted = " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    if kind is not None:
        return f"is of type {kind}, which cannot be read here; save it as {wanted}."
    if re.fullmatch(rb"[\t\n\r\x20-\x7e\x80-\xff]+", data[:2000]):
        return f"holds text, not a picture; choose a {wanted} file."
    return f"is not a picture in any known format; choose a {wanted} file."


def _kind_of_pixels(mode: str) -> str:
    return {"F": "floating-point pixels", "I": "32-bit or signed pixels"}.get(mode, f"{mode} pixels")


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation of a loaded picture (Pillow turns TIFF itself, and then says 1)."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF is no reason to refuse the picture
        return 1


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in _SIXTEEN_BIT_MODES:
        picture = _sixteen_to_eight_bits(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    rgb = Image.new("RGB", layer.size, "white")
    rgb.paste(layer, mask=layer)
    return rgb


def _sixteen_to_eight_bits(picture: Image.Image) -> Image.Image:
    """Grey scaled linearly from the file's full range; Pillow's own conversion would clip at 255."""
    tags = getattr(picture, "tag_v2", {})
    white = 2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1
    table = (np.arange(white + 1) * 255 + white // 2) // white
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero
        table = table[::-1]
    values = np.asarray(picture)
    grey = table.astype(np.uint8)[values]
    if "transparency" in picture.info:
        grey[values == picture.info["transparency"]] = 255
    return Image.fromarray(grey)
