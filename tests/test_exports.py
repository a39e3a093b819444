import csv
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from segdemo import exports, overlay
from segdemo.images import InputImage
from segdemo.labels import CAMVID, VOID
from segdemo.models import catalog
from segdemo.overlay import Look
from segdemo.prediction import Prediction, Segments, StageTimes

SIZE_HW = (40, 60)


def picture(name: str = "street.jpg", digest: str = "ab" * 32) -> InputImage:
    rgb = np.random.default_rng(1).integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8)
    return InputImage(rgb, digest, name)


def prediction(segments: Segments | None = None, key: str = "starter/maskrcnn") -> Prediction:
    labels = np.full(SIZE_HW, 3, np.uint8)
    labels[:10] = 0
    labels[30:, :30] = VOID
    return Prediction(key, CAMVID, labels, None, segments, StageTimes(0.001, 0.01, 0.2, 0.03))


def entry(name: str = "street.jpg", digest: str = "ab" * 32, key: str = "starter/maskrcnn") -> exports.Entry:
    return exports.Entry(prediction(two_cars(), key), picture(name, digest), catalog.find(key), "cpu", "fp32")


def two_cars() -> Segments:
    return Segments(
        boxes_xyxy=np.array([[5, 6, 15, 12], [20, 0, 21, 40]], np.int32),
        masks=(np.tri(6, 10, dtype=np.bool_), np.ones((40, 1), np.bool_)),
        class_ids=np.array([8, 9], np.uint8),
        scores=np.array([0.9, 0.4], np.float32),
    )


def pasted(mask: np.ndarray, box: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    full = np.zeros(size_hw, np.uint8, order="F")
    x1, y1, x2, y2 = box
    full[y1:y2, x1:x2] = mask
    return full


def test_a_label_png_holds_the_ids_and_the_colours_of_the_data_set():
    answer = prediction()

    opened = Image.open(io.BytesIO(exports.label_png(answer)))

    assert opened.mode == "P"
    np.testing.assert_array_equal(np.asarray(opened), answer.labels)
    np.testing.assert_array_equal(np.asarray(opened.convert("RGB")), CAMVID.palette()[answer.labels])


def test_the_overlay_is_a_jpeg_of_the_pictures_size():
    opened = Image.open(io.BytesIO(exports.overlay_jpeg(prediction(two_cars()), picture())))

    assert (opened.format, opened.size) == ("JPEG", SIZE_HW[::-1])
    assert not opened.getexif()


@pytest.mark.parametrize(
    ("box", "fill"),
    [
        ((5, 6, 15, 12), 0.5),
        ((0, 0, 60, 40), 0.5),
        ((0, 0, 60, 40), 1.0),  # the whole picture: one run through all columns
        ((7, 0, 12, 40), 1.0),  # full columns in the middle join to one run
        ((7, 0, 12, 40), 0.9),  # some columns join, some do not
        ((59, 39, 60, 40), 1.0),  # the last pixel
        ((0, 0, 1, 1), 1.0),  # the first pixel
        ((3, 4, 9, 9), 0.0),  # nothing at all
    ],
)
def test_run_lengths_are_those_of_pycocotools(box, fill):
    x1, y1, x2, y2 = box
    mask = np.random.default_rng(2).random((y2 - y1, x2 - x1)) < fill
    segments = Segments(np.array([box], np.int32), (mask,), np.array([8], np.uint8), np.array([1.0], np.float32))

    [rle] = exports.segments_rle(segments, SIZE_HW)

    full = pasted(mask, segments.boxes_xyxy[0], SIZE_HW)
    expected = coco.encode(full)
    assert rle == {"size": list(SIZE_HW), "counts": expected["counts"].decode()}
    np.testing.assert_array_equal(coco.decode(rle), full)


def test_run_lengths_of_a_large_picture_are_those_of_pycocotools():
    size_hw = (3000, 4000)
    rows, columns = np.ogrid[-900:900, -1200:1200]
    mask = (rows / 900) ** 2 + (columns / 1200) ** 2 < 1
    segments = Segments(
        np.array([[1000, 700, 3400, 2500]], np.int32), (mask,),
        np.array([8], np.uint8), np.array([1.0], np.float32),
    )  # fmt: skip

    [rle] = exports.segments_rle(segments, size_hw)

    expected = coco.encode(pasted(mask, segments.boxes_xyxy[0], size_hw))
    assert rle["counts"] == expected["counts"].decode()


def test_the_json_says_what_was_found_by_whom_and_how_fast():
    spec = catalog.find("starter/maskrcnn")

    record = exports.prediction_json(prediction(two_cars()), picture(), spec, "cpu", "fp32")
    record = json.loads(json.dumps(record, allow_nan=False))

    assert (record["format"], record["version"]) == ("segdemo prediction", 1)
    assert record["model"]["key"] == "starter/maskrcnn"
    assert record["model"]["licence"] == spec.licence
    assert record["model"]["paper"] == spec.paper
    assert record["image"] == {"name": "street.jpg", "sha256": "ab" * 32, "width": 60, "height": 40}
    road, sky = record["classes"]
    assert road == {"id": 3, "name": "road", "color": list(CAMVID.colors[3]), "pixels": 1500, "share": 0.625}
    assert (sky["name"], sky["pixels"]) == ("sky", 600)
    assert record["unassigned_pixels"] == 300
    assert record["times"] == {
        "device": "cpu", "precision": "fp32",
        "transfer_s": 0.001, "preprocess_s": 0.01, "forward_s": 0.2, "postprocess_s": 0.03,
        "total_s": pytest.approx(0.241),
    }  # fmt: skip


def test_the_json_holds_every_segment():
    segments = two_cars()

    record = exports.prediction_json(prediction(segments), picture(), catalog.find("starter/maskrcnn"), "cpu", "fp32")

    first, second = record["segments"]
    assert (first["class"], first["class_id"], first["score"], first["area"]) == ("car", 8, 0.9, 21)
    assert first["box_xyxy"] == [5, 6, 15, 12]
    assert coco.decode(second["rle"])[:, 20].all()


@pytest.mark.parametrize(("segments", "expected"), [(None, None), ("none found", [])])
def test_a_model_without_instances_differs_from_one_that_found_none(segments, expected):
    if segments is not None:
        segments = Segments(np.zeros((0, 4), np.int32), (), np.zeros(0, np.uint8), np.zeros(0, np.float32))

    record = exports.prediction_json(prediction(segments), picture(), catalog.find("starter/maskrcnn"), "cpu", "fp32")

    assert record["segments"] == expected


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("street.jpg", "street"),
        ("no ending", "no ending"),
        ("dots.in.name.png", "dots.in.name"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\car.jpg", "car"),
        ("..", "image"),
        ("", "image"),
        (".png", "png"),
        (" . ", "image"),
        ("a\nb\x1b[31m\x00.png", "ab[31m"),
        ("\u202egnp.exe", "gnp"),
        ("surrogate\udcff.png", "surrogate"),
        ('<img src=x onerror="a">.png', "_img src=x onerror=_a__"),
        ("Straße 東京.webp", "Straße 東京"),
        ("CON.png", "_CON"),
        ("nul", "_nul"),
    ],
)
def test_a_persons_file_name_becomes_a_safe_stem(name, stem):
    assert exports.safe_stems([name]) == [stem]


def test_a_long_name_is_cut_between_characters():
    [stem] = exports.safe_stems(["ü" * 5000 + ".png"])

    assert stem == "ü" * 60


def test_equal_names_are_numbered():
    names = ["a.png", "a.jpg", "x/A.png", "a-2.png", "b.png"]

    stems = exports.safe_stems(names)

    assert stems == ["a", "a-2", "A-3", "a-2-2", "b"]
    assert len({stem.casefold() for stem in stems}) == len(names)


def test_a_key_becomes_a_part_of_a_file_name():
    assert exports.file_stem("starter/fcn") == "starter-fcn"


def test_the_zip_holds_three_files_for_each_answer_and_a_table():
    entries = [
        entry(),
        entry(key="starter/mask2former"),
        entry(digest="cd" * 32),  # another picture of the same name
    ]

    with zipfile.ZipFile(io.BytesIO(exports.zip_results(entries))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        record = json.loads(archive.read("street-2.starter-maskrcnn.json"))
        rows = list(csv.reader(io.StringIO(archive.read("classes.csv").decode("utf-8-sig"))))

    assert sorted(names) == sorted(
        [
            f"{stem}.{ending}"
            for stem in ("street.starter-maskrcnn", "street.starter-mask2former", "street-2.starter-maskrcnn")
            for ending in ("labels.png", "overlay.jpg", "json")
        ]
        + ["classes.csv"]
    )
    assert record["image"]["sha256"] == "cd" * 32
    assert rows[0] == ["image", "model", "class", "pixels", "share %"]
    assert rows[1] == ["street.jpg", "starter/maskrcnn", "road", "1500", "62.5"]


def test_no_name_in_the_zip_leaves_its_folder():
    entries = [entry(name=name, digest=name) for name in ("../../up.png", "/abs.png", "..\\w.png", "\udcff.png")]

    with zipfile.ZipFile(io.BytesIO(exports.zip_results(entries))) as archive:
        names = archive.namelist()

    assert not any("/" in name or "\\" in name or name.startswith(".") for name in names)
    assert len(set(names)) == len(names) == 13


def test_the_zips_overlay_is_drawn_as_the_entry_says_and_the_label_map_is_not():
    only_road = Look(CAMVID.palette("colorblind"), frozenset({3}), opacity=1.0, outlines=False)
    plain, own = (exports.zip_results([replace(entry(), look=look)]) for look in (None, only_road))

    picked, usual = (zipfile.ZipFile(io.BytesIO(data)) for data in (own, plain))
    drawn = np.asarray(Image.open(io.BytesIO(picked.read("street.starter-maskrcnn.overlay.jpg")))).astype(int)
    road = np.s_[14:26, 34:56]
    np.testing.assert_allclose(drawn[road].mean(axis=(0, 1)), only_road.palette[3], atol=4)
    assert drawn[:8].std() > 40  # the sky is not drawn: still the noise of the picture
    assert picked.read("street.starter-maskrcnn.labels.png") == usual.read("street.starter-maskrcnn.labels.png")


def test_objects_are_outlined_where_they_are_asked_for():
    grey = InputImage(np.full((*SIZE_HW, 3), 60, np.uint8), "ab" * 32, "grey.png")
    look = Look(CAMVID.palette(), CAMVID.things, opacity=0.0, outlines=False, objects=frozenset({8}))

    def brightest(look):
        drawn = np.asarray(Image.open(io.BytesIO(exports.overlay_jpeg(prediction(two_cars()), grey, look))))
        return drawn[6:12, 5:15].max(), drawn[20:40, 18:24].max()

    car, pedestrian = brightest(look)
    assert (car > 150, pedestrian < 70) == (True, True)
    assert max(brightest(replace(look, objects=frozenset()))) < 70


def test_lines_are_as_thick_on_a_large_picture_shrunk_to_the_screen_as_on_a_small_one():
    labels = np.zeros((6 * 30, 6 * 400), np.uint8)
    labels[:, 6 * 200 :] = 3
    look = Look(CAMVID.palette(), frozenset({0}), opacity=0.0, outlines=True)

    drawn = overlay.draw(np.zeros((*labels.shape, 3), np.uint8), labels, None, look)

    assert np.count_nonzero(drawn[0].any(axis=1)) == 2  # 2400 pixels are two screens


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")'])
def test_no_csv_cell_starts_a_formula(text):
    written = exports.csv_text([text], [[text, 1]])

    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert rows == [["'" + text], ["'" + text, "1"]]


def test_csv_keeps_numbers_and_leaves_unknown_ones_empty():
    written = exports.csv_text(["name", "x"], [["a, b", -1.5], ["c", float("nan")], ["d", None]])

    assert list(csv.reader(io.StringIO(written))) == [["name", "x"], ["a, b", "-1.5"], ["c", ""], ["d", ""]]
