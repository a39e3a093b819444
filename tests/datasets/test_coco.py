"""COCO's tables: categories by name, the masks of pycocotools, and panoptic PNGs by the numbers in their colours."""

import json

import numpy as np
import pytest
from making import SIZE_HW, photograph, png, write, zipped
from pycocotools import mask as reference

from segdemo.datasets import coco_masks, open_dataset, open_zip
from segdemo.errors import ImageError
from segdemo.labels import COCO_PANOPTIC, COCO_THINGS, VOID

# Some of the ids of the benchmark, which leave gaps.
THINGS = {"person": 1, "stop sign": 13, "couch": 63, "toothbrush": 90}
STUFF = {"banner": 92, "sky-other-merged": 187, "rug-merged": 200}
HEIGHT, WIDTH = SIZE_HW
SQUARE = [[2.0, 3.0, 6.0, 3.0, 6.0, 8.0, 2.0, 8.0]]


def table(annotations: list[dict], categories: dict[str, int], pictures: int = 2) -> dict:
    return {
        "images": [{"id": 40 + i, "file_name": f"{i}.png", "height": HEIGHT, "width": WIDTH} for i in range(pictures)],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }


def instance(number: int = 1, category: int = 1, picture: int = 40, crowd: int = 0, **changes) -> dict:
    return {
        "id": number,
        "image_id": picture,
        "category_id": category,
        "iscrowd": crowd,
        "segmentation": SQUARE,
    } | changes


def instances(annotations: list[dict]) -> dict[str, bytes]:
    return with_table(json.dumps(table(annotations, THINGS)).encode())


def with_table(data: bytes) -> dict[str, bytes]:
    return {
        "annotations/instances_val2017.json": data,
        "val2017/0.png": photograph(0),
        "val2017/1.png": photograph(1),
    }


def full_mask(box: tuple[int, int, int, int], mask: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    full = np.zeros(size_hw, np.uint8)
    x1, y1, x2, y2 = box
    full[y1:y2, x1:x2] = mask
    return full


def random_polygons(seed: int, size_hw: tuple[int, int]) -> list[list[float]]:
    """Some stick out of the picture."""
    rng = np.random.default_rng(seed)
    scale = np.array(size_hw[::-1])
    return [
        np.round(rng.uniform(-0.2, 1.2, (rng.integers(3, 9), 2)) * scale, rng.integers(0, 3)).ravel().tolist()
        for _ in range(rng.integers(1, 4))
    ]


@pytest.mark.parametrize("seed", range(60))
def test_polygons_have_the_pixels_of_pycocotools(seed):
    size_hw = (37, 53)
    polygons = random_polygons(seed, size_hw)
    expected = reference.decode(reference.merge(reference.frPyObjects(polygons, *size_hw)))
    found = coco_masks.crop(polygons, size_hw)
    if not expected.any():
        assert found is None
        return
    np.testing.assert_array_equal(full_mask(*found, size_hw), expected)
    x, y, width, height = reference.toBbox(reference.encode(np.asfortranarray(expected)))
    assert found[0] == (x, y, x + width, y + height)


@pytest.mark.parametrize("share", [0, 0.002, 0.5, 0.998, 1])
@pytest.mark.parametrize("as_text", [True, False])
def test_run_lengths_have_the_pixels_of_pycocotools(share, as_text):
    size_hw = (311, 203)
    mask = np.asfortranarray(np.random.default_rng(3).random(size_hw) < share, np.uint8)
    flat = mask.ravel(order="F")
    lengths = np.diff(np.flatnonzero(np.append(True, flat[1:] != flat[:-1])), append=flat.size).tolist()
    counts = reference.encode(mask)["counts"].decode() if as_text else [0] * int(flat[0]) + lengths
    found = coco_masks.crop({"size": list(size_hw), "counts": counts}, size_hw)
    if share == 0:
        assert found is None
    else:
        np.testing.assert_array_equal(full_mask(*found, size_hw), mask)
        assert found[1].flags.c_contiguous


def test_instances_have_their_boxes_classes_and_crowds(tmp_path):
    crowd = {"size": list(SIZE_HW), "counts": [0, HEIGHT, HEIGHT * (WIDTH - 1)]}
    annotations = [
        instance(1, THINGS["toothbrush"]),
        instance(2, THINGS["couch"], crowd=1, segmentation=crowd),
        instance(3, THINGS["person"], segmentation=[[4.1, 4.1, 4.2, 4.1, 4.2, 4.2]]),  # less than a pixel
    ]
    dataset = open_dataset(write(tmp_path, instances(annotations)))
    assert (dataset.name, dataset.space, dataset.skipped) == ("COCO val2017 instances", COCO_THINGS, ())
    sample = dataset.read(0)
    assert sample.name == "val2017/0.png"
    assert sample.labels is None
    assert sample.segments.boxes_xyxy.tolist() == [[2, 3, 6, 8], [0, 0, 1, HEIGHT]]
    assert [COCO_THINGS.classes[i] for i in sample.segments.class_ids] == ["toothbrush", "couch"]
    assert sample.segments.crowd.tolist() == [False, True]
    assert all(mask.all() for mask in sample.segments.masks)
    assert len(dataset.read(1).segments) == 0


@pytest.mark.parametrize("folder", ["images/val2017/", "images/", ""])
def test_pictures_are_found_where_people_put_them(tmp_path, folder):
    content = instances([])
    for name in ("0.png", "1.png"):
        content[folder + name] = content.pop(f"val2017/{name}")
    assert len(open_dataset(write(tmp_path, content))) == 2


def test_a_table_may_lie_beside_its_pictures(tmp_path):
    content = instances([])
    write(tmp_path, {path.split("/")[-1]: data for path, data in content.items()})
    assert len(open_dataset(tmp_path / "instances_val2017.json")) == 2


def test_what_the_table_does_not_match_is_listed(tmp_path):
    content = instances([instance(1), instance(2, picture=99)])
    content["val2017/2.png"] = content.pop("val2017/1.png")
    dataset = open_dataset(write(tmp_path, content))
    assert len(dataset) == 1
    assert {s.name: s.reason for s in dataset.skipped} == {
        "val2017/1.png": "is listed in annotations/instances_val2017.json and missing",
        "val2017/2.png": "is not listed in annotations/instances_val2017.json",
        "annotations/instances_val2017.json": "has 1 annotations of pictures that it does not list",
    }


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[]],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5]],
        [["a"] * 6],
        [1, 2, 3, 4, 5, 6],
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, float("nan"), 0, 5, 5]],
        [[0, 0, 16, 0, 0, 12, 16, 12] * 20_000],
        {"size": [1, 1], "counts": [1]},
        {"size": list(SIZE_HW)},
        {"size": list(SIZE_HW), "counts": []},
        {"size": list(SIZE_HW), "counts": [5, 5]},
        {"size": list(SIZE_HW), "counts": [-1, HEIGHT * WIDTH + 1]},
        {"size": list(SIZE_HW), "counts": [2**63 - 1, 2**63 - 1, HEIGHT * WIDTH + 2]},
        {"size": list(SIZE_HW), "counts": [2**70]},
        {"size": list(SIZE_HW), "counts": ""},
        {"size": list(SIZE_HW), "counts": "ooooooooooooooo0"},
        {"size": list(SIZE_HW), "counts": "ooo"},
        {"size": list(SIZE_HW), "counts": "\u00e9\n"},
    ],
)
def test_a_mask_that_cannot_be_used_is_told_with_its_annotation(tmp_path, segmentation):
    dataset = open_dataset(write(tmp_path, instances([instance(77, segmentation=segmentation)])))
    with pytest.raises(ImageError, match=r"val2017/0\.png cannot be used: its annotation 77"):
        dataset.read(0)
    dataset.read(1)


def test_an_unknown_category_and_another_size_are_told(tmp_path):
    content = instances([instance(5, category=12)])
    content["val2017/1.png"] = photograph(1, (WIDTH, HEIGHT))
    dataset = open_dataset(write(tmp_path, content))
    with pytest.raises(ImageError, match=r"annotation 5 .* \(category 12 is not defined\)"):
        dataset.read(0)
    with pytest.raises(ImageError, match="is 12×16, but 16×12"):
        dataset.read(1)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"images": None}, "is not as COCO's"),
        ({"images": [{"id": 1}]}, "is not as COCO's"),
        ({"annotations": [1]}, "is not as COCO's"),
        ({"categories": "x"}, "is not as COCO's"),
        ({"categories": [{"id": 1, "name": "unicorn"}]}, "1 categories that COCO-80 has not, unicorn among them"),
        ({"images": [{"id": i, "file_name": "0.png", "height": 1, "width": 1} for i in (1, 2)]}, "listed twice"),
        ({"images": [{"id": 1, "file_name": "../0.png", "height": 1, "width": 1}]}, "none of the 1 listed pictures"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, changes, fault):
    with pytest.raises(ImageError, match=fault):
        open_dataset(write(tmp_path, with_table(json.dumps(table([], THINGS) | changes).encode())))


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b"[]", b"\xff"])
def test_a_table_that_is_no_json_is_refused(tmp_path, data):
    with pytest.raises(ImageError, match="is not as COCO's"):
        open_dataset(write(tmp_path, with_table(data)))


def panoptic(ids: np.ndarray, segments: list[dict]) -> dict[str, bytes]:
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    annotation = {"image_id": 40, "file_name": "0.png", "segments_info": segments}
    return {
        "annotations/panoptic_val2017.json": json.dumps(table([annotation], THINGS | STUFF)).encode(),
        "annotations/panoptic_val2017/0.png": png(rgb),
        "val2017/0.png": photograph(0),
    }


def segment(number: int, name: str, crowd: int = 0) -> dict:
    return {"id": number, "category_id": (THINGS | STUFF)[name], "iscrowd": crowd}


def test_panoptic_images_give_labels_and_segments():
    ids = np.zeros(SIZE_HW, int)
    ids[:4], ids[4:8, :5], ids[4:8, 5:9], ids[10:, 2:4] = 8_000_001, 70_000, 300, 5
    listed = [
        segment(300, "person"),
        segment(5, "couch", 1),
        segment(70_000, "person"),
        segment(8_000_001, "rug-merged"),
    ]
    dataset = open_zip(zipped(panoptic(ids, listed)), "coco.zip")
    assert (dataset.name, dataset.space) == ("COCO val2017 panoptic", COCO_PANOPTIC)
    assert {s.name: s.reason for s in dataset.skipped} == {
        "val2017/1.png": "is listed in annotations/panoptic_val2017.json and missing"
    }
    labels, segments = dataset.read(0).labels, dataset.read(0).segments
    expected = np.full(SIZE_HW, VOID)
    for number, name in ((8_000_001, "rug-merged"), (70_000, "person"), (300, "person"), (5, "couch")):
        expected[ids == number] = COCO_PANOPTIC.classes.index(name)
    np.testing.assert_array_equal(labels, expected)
    assert segments.boxes_xyxy.tolist() == [[2, 10, 4, 12], [5, 4, 9, 8], [0, 4, 5, 8], [0, 0, WIDTH, 4]]
    assert [COCO_PANOPTIC.classes[i] for i in segments.class_ids] == ["couch", "person", "person", "rug-merged"]
    assert segments.crowd.tolist() == [True, False, False, False]


@pytest.mark.parametrize("listed", [[], [segment(5, "person")], [segment(5, "person"), segment(6, "couch")]])
def test_a_panoptic_image_of_other_segments_than_listed_is_told(tmp_path, listed):
    ids = np.resize([5, 7], SIZE_HW)
    dataset = open_dataset(write(tmp_path, panoptic(ids, listed)))
    with pytest.raises(ImageError, match="does not show the segments that"):
        dataset.read(0)


def test_a_picture_without_its_panoptic_image_is_listed(tmp_path):
    content = panoptic(np.full(SIZE_HW, 5), [segment(5, "person")]) | {"val2017/1.png": photograph(1)}
    dataset = open_dataset(write(tmp_path, content))
    assert {s.name: s.reason for s in dataset.skipped} == {"val2017/1.png": "has no label image"}


def test_panoptic_truth_is_preferred_and_the_other_can_be_named(tmp_path):
    content = instances([instance()]) | panoptic(np.full(SIZE_HW, 5), [segment(5, "person")])
    content["annotations/instances_train2017.json"] = content["annotations/captions_val2017.json"] = b"{}"
    write(tmp_path, content)
    assert open_dataset(tmp_path).name == "COCO val2017 panoptic"
    assert open_dataset(tmp_path / "annotations/instances_val2017.json").name == "COCO val2017 instances"
    (tmp_path / "annotations/panoptic_val2017/0.png").unlink()
    assert open_dataset(tmp_path).name == "COCO val2017 instances"
    (tmp_path / "annotations/instances_val2017.json").unlink()
    (tmp_path / "annotations/instances_train2017.json").unlink()
    with pytest.raises(ImageError, match="lacks the PNG files"):
        open_dataset(tmp_path)
