"""Label images: ids, colours and palettes become one label map, and whatever names no class is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from segdemo.errors import ImageError
from segdemo.label_image import decode_labels
from segdemo.labels import ADE20K, CAMVID, CITYSCAPES, COCO_PANOPTIC, COCO_THINGS, VOC, VOID

SIZE_HW = (20, 30)
SPACES = [CAMVID, VOC, CITYSCAPES, COCO_THINGS, COCO_PANOPTIC]


def every_class(space):
    """A label map that holds each class of the space, and void."""
    ids = np.array([*range(len(space.classes)), VOID], np.uint8)
    return np.resize(ids, SIZE_HW)


def png(values, palette=None, **options):
    picture = Image.fromarray(values)
    if palette is not None:
        picture.putpalette(np.asarray(palette, np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def decoded(data, space=CAMVID, size_hw=SIZE_HW, name="labels.png"):
    return decode_labels(data, name, space, size_hw)


def refusal(data, space=CAMVID, size_hw=SIZE_HW):
    with pytest.raises(ImageError) as caught:
        decoded(data, space, size_hw)
    return str(caught.value)


@pytest.mark.parametrize("space", [*SPACES, ADE20K])
def test_a_grey_image_holds_ids(space):
    labels = every_class(space)
    found = decoded(png(labels), space)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("space", SPACES)
def test_an_rgb_image_holds_colours(space):
    labels = every_class(space)
    labels[labels == VOID] = 1
    np.testing.assert_array_equal(decoded(png(space.palette()[labels]), space), labels)


@pytest.mark.parametrize("kind", ["dataset", "colorblind"])
@pytest.mark.parametrize("space", [*SPACES, ADE20K])
def test_ids_with_a_palette_come_back_as_they_were(space, kind):
    labels = every_class(space)
    np.testing.assert_array_equal(decoded(png(labels, space.palette(kind)), space), labels)


# Only cars have their colour here, all else is black: that shows where the cars are and says nothing of the rest.
HIGHLIGHT = np.where(np.arange(256)[:, None] == 8, CAMVID.palette(), 0)


@pytest.mark.parametrize("palette", [np.arange(768) // 3, np.zeros(768), VOC.palette(), HIGHLIGHT])
def test_ids_do_not_depend_on_a_foreign_palette(palette):
    labels = every_class(CAMVID)
    np.testing.assert_array_equal(decoded(png(labels, palette)), labels)


def test_few_ids_with_a_foreign_palette_are_still_ids():
    labels = np.full(SIZE_HW, 3, np.uint8)
    np.testing.assert_array_equal(decoded(png(labels, np.zeros(768))), labels)


def test_a_palette_in_another_order_is_read_by_its_colours():
    labels = every_class(CAMVID)
    colors = CAMVID.palette()
    order = np.random.default_rng(0).permutation(12)
    table = np.zeros((256, 3), np.uint8)
    indices = np.zeros_like(labels)
    for index, class_id in enumerate([*range(11), VOID]):
        table[order[index]] = colors[class_id]
        indices[labels == class_id] = order[index]
    assert not np.array_equal(indices, labels)
    np.testing.assert_array_equal(decoded(png(indices, table)), labels)


def test_an_rgb_image_that_a_program_gave_a_palette_is_read_by_its_colours():
    labels = np.sort(every_class(CITYSCAPES).ravel()[: 19 * 30].reshape(19, 30) % 19, axis=1)
    picture = Image.fromarray(CITYSCAPES.palette()[labels]).convert("P", palette=Image.Palette.ADAPTIVE)
    assert not np.array_equal(np.asarray(picture), labels)
    file = io.BytesIO()
    picture.save(file, "PNG")
    np.testing.assert_array_equal(decoded(file.getvalue(), CITYSCAPES, (19, 30)), labels)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_palettes_are_read(bits):
    labels = np.resize(np.arange(2**bits, dtype=np.uint8), SIZE_HW) % 11
    data = png(labels, np.arange(3 * 2**bits) % 7, bits=bits)
    np.testing.assert_array_equal(decoded(data), labels)


def test_a_one_bit_image_holds_two_ids():
    labels = np.resize(np.array([False, True]), SIZE_HW)
    np.testing.assert_array_equal(decoded(png(labels)), labels.astype(np.uint8))


def test_sixteen_bit_ids_are_read():
    np.testing.assert_array_equal(decoded(png(every_class(CAMVID).astype(np.uint16))), every_class(CAMVID))


@pytest.mark.parametrize("space", [*SPACES, ADE20K])
def test_the_id_after_the_last_class_is_void(space):
    labels = np.full(SIZE_HW, len(space.classes), np.uint8)
    assert (decoded(png(labels), space) == VOID).all()


def test_black_is_void_where_no_class_is_black():
    rgb = CAMVID.palette()[every_class(CAMVID)]
    np.testing.assert_array_equal(decoded(png(rgb)), every_class(CAMVID))


def test_black_is_the_background_of_voc_and_its_outlines_are_void():
    rgb = np.zeros((*SIZE_HW, 3), np.uint8)
    rgb[:, 10:] = 224, 224, 192
    found = decoded(png(rgb), VOC)
    assert (found[:, :10] == 0).all()
    assert (found[:, 10:] == VOID).all()


def test_transparent_pixels_are_void():
    labels = every_class(CAMVID)
    labels[labels == VOID] = 4
    rgba = np.dstack([CAMVID.palette()[labels], np.full(SIZE_HW, 255, np.uint8)])
    rgba[5:9] = 1, 2, 3, 0
    expected = labels.copy()
    expected[5:9] = VOID
    np.testing.assert_array_equal(decoded(png(rgba)), expected)
    grey = np.dstack([labels, rgba[..., 3]])
    np.testing.assert_array_equal(decoded(png(grey)), expected)


def test_a_colour_of_two_classes_is_refused():
    rgb = np.full((*SIZE_HW, 3), 140, np.uint8)
    assert "(140, 140, 140) (600 pixels)" in refusal(png(rgb), ADE20K)


def test_unknown_ids_are_listed_with_their_pixels():
    labels = np.zeros(SIZE_HW, np.uint8)
    labels[0, :3] = 33
    labels[1] = 21
    assert refusal(png(labels), CITYSCAPES) == (
        "labels.png holds ids without a class of Cityscapes-19: 21 (30 pixels), 33 (3 pixels); "
        "use the ids 0 to 18, and 255 for void."
    )


def test_only_the_five_most_frequent_unknown_ids_are_listed():
    labels = np.zeros(SIZE_HW, np.uint16)
    for i in range(8):
        labels[i, : i + 1] = 1000 + i
    sentence = refusal(png(labels))
    assert "1007 (8 pixels), 1006 (7 pixels)" in sentence
    assert "1003 (4 pixels) and 3 more" in sentence
    assert "1002" not in sentence


def test_unknown_colours_are_listed_with_their_pixels():
    rgb = CAMVID.palette()[every_class(CAMVID)]
    rgb[0] = 1, 2, 3
    assert refusal(png(rgb)) == (
        "labels.png holds colours that name no single class of CamVid-11: (1, 2, 3) (30 pixels); use its colours."
    )


def test_unknown_ids_in_a_palette_image_are_refused():
    labels = np.full(SIZE_HW, 77, np.uint8)
    assert "77 (600 pixels)" in refusal(png(labels, np.arange(768) // 3))


def test_another_size_is_refused_with_both_sizes():
    sentence = refusal(png(every_class(CAMVID)), size_hw=(40, 60))
    assert "30×20" in sentence
    assert "60×40" in sentence


def test_exif_does_not_turn_labels():
    exif = Image.Exif()
    exif[274] = 6
    labels = every_class(CAMVID)
    np.testing.assert_array_equal(decoded(png(labels, exif=exif)), labels)


def test_jpeg_is_refused_because_it_changes_colours():
    file = io.BytesIO()
    Image.fromarray(CAMVID.palette()[every_class(CAMVID)]).save(file, "JPEG")
    assert refusal(file.getvalue()).endswith("of type JPEG, which cannot be read here; save it as PNG.")


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_picture_is_refused(data):
    assert refusal(data).startswith("labels.png ")


@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_cut_file_is_refused(tenths):
    noise = np.random.default_rng(2).integers(0, 11, SIZE_HW, np.uint8)
    data = png(noise)
    assert refusal(data[: len(data) * tenths // 10]).startswith("labels.png ")


def test_a_huge_claim_is_refused():
    data = bytearray(png(every_class(CAMVID)))
    data[16:24] = struct.pack(">II", 9000, 9000)
    assert "damaged" in refusal(bytes(data), size_hw=(9000, 9000))
    header = bytes(data[12:29])
    data[29:33] = struct.pack(">I", zlib.crc32(header))
    assert "81,000,000 pixels" in refusal(bytes(data), size_hw=(9000, 9000))


def test_odd_names_are_shown_safely():
    with pytest.raises(ImageError, match="^a\ufffdb is empty"):
        decode_labels(b"", "a\x07b", CAMVID, SIZE_HW)


def test_the_result_belongs_to_the_caller():
    labels = decoded(png(every_class(CAMVID)))
    labels[:] = 0
    assert labels.flags.c_contiguous
