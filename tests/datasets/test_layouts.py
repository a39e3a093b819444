"""VOC, ADE20K and Cityscapes: each one's own numbers become the ids of its label space, to the last one."""

import io

import numpy as np
import pytest
from making import SIZE_HW, photograph, png, random_labels, write, zipped
from PIL import Image

from segdemo.datasets import open_dataset, open_zip
from segdemo.errors import ImageError
from segdemo.labels import ADE20K, CITYSCAPES, VOC, VOID

# From cityscapesScripts, helpers/labels.py: what is scored, by label id.
LABEL_IDS = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
PERSON, CAR = CITYSCAPES.classes.index("person"), CITYSCAPES.classes.index("car")


def numbered(count: int) -> np.ndarray:
    """The numbers 0 to count - 1, and 255."""
    return np.resize(np.array([*range(count), 255], np.uint8), SIZE_HW)


def voc(labels: dict[str, np.ndarray], **lists: str) -> dict[str, bytes]:
    files = {f"ImageSets/Segmentation/{split}.txt": names.encode() for split, names in lists.items()}
    for seed, (name, ids) in enumerate(labels.items()):
        picture = Image.open(io.BytesIO(photograph(seed)))
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG")
        files[f"JPEGImages/{name}.jpg"] = jpeg.getvalue()
        palette = VOC.palette()
        palette[255] = 224, 224, 192
        files[f"SegmentationClass/{name}.png"] = png(ids, palette)
    return files


@pytest.mark.parametrize("top", ["", "VOCdevkit/VOC2012"])
def test_voc_numbers_classes_as_we_do(tmp_path, top):
    ids = numbered(21)
    dataset = open_dataset(write(tmp_path / top, voc({"2007_1": ids})))
    np.testing.assert_array_equal(dataset.read(0).labels, ids)
    assert dataset.space is VOC
    assert dataset.read(0).segments is None


def test_the_list_of_voc_says_which_pictures_are_scored(tmp_path):
    content = voc(
        {"a": numbered(3), "b": numbered(4), "c": numbered(5)}, train="a\n", val="b\nc\nd\n", trainval="a b c"
    )
    del content["SegmentationClass/c.png"]
    dataset = open_dataset(write(tmp_path, content))
    assert dataset.name == "VOC val"
    assert [dataset.read(i).name for i in range(len(dataset))] == ["JPEGImages/b.jpg"]
    assert {s.name: s.reason for s in dataset.skipped} == {
        "JPEGImages/c.jpg": "has no label image",
        "d": "is listed and has neither picture nor label image",
    }


def test_a_list_of_voc_that_is_no_text_is_refused(tmp_path):
    content = voc({"a": numbered(3)}) | {"ImageSets/Segmentation/val.txt": b"\xff\xfe\x00"}
    with pytest.raises(ImageError, match="not a list of names"):
        open_dataset(write(tmp_path, content))


def test_objects_of_voc_have_the_class_beneath_them(tmp_path):
    labels, objects = np.zeros(SIZE_HW, np.uint8), np.zeros(SIZE_HW, np.uint8)
    labels[1:5, 1:5], objects[1:5, 1:5] = 15, 1
    labels[1:5, 5:7], objects[1:5, 5:7] = 15, 2
    labels[0], objects[0] = 255, 255
    content = voc({"a": labels}) | {"SegmentationObject/a.png": png(objects, VOC.palette())}
    segments = open_dataset(write(tmp_path, content)).read(0).segments
    assert segments.boxes_xyxy.tolist() == [[1, 1, 5, 5], [5, 1, 7, 5]]
    assert segments.class_ids.tolist() == [15, 15]


def ade20k(**labels: np.ndarray) -> dict[str, bytes]:
    files = {}
    for split, ids in labels.items():
        files[f"ADEChallengeData2016/images/{split}/ADE_1.jpg"] = photograph(0)
        files[f"ADEChallengeData2016/annotations/{split}/ADE_1.png"] = png(ids)
    return files


def test_ade20k_is_shifted_by_one_and_its_zero_is_void(tmp_path):
    ids = np.resize(np.arange(151, dtype=np.uint8), SIZE_HW)
    dataset = open_dataset(write(tmp_path, ade20k(training=np.zeros_like(ids), validation=ids)))
    labels = dataset.read(0).labels
    assert (labels[ids == 0] == VOID).all()
    np.testing.assert_array_equal(labels[ids > 0], ids[ids > 0] - 1)
    assert ADE20K.classes[labels[ids == 1][0]] == "wall"
    assert ADE20K.classes[labels[ids == 150][0]] == "flag"
    assert dataset.name == "ADE20K validation"


def test_an_id_that_ade20k_does_not_have_is_named(tmp_path):
    dataset = open_dataset(write(tmp_path, ade20k(training=random_labels(0, [3, 151, 255]))))
    with pytest.raises(ImageError, match=r"ADE_1\.png holds ids that its data set does not know \(151, 255\)"):
        dataset.read(0)


def cityscapes(truth: dict[str, np.ndarray], city: str = "ulm") -> dict[str, bytes]:
    files = {f"leftImg8bit/val/{city}/{city}_0_leftImg8bit.png": photograph(0)}
    for kind, ids in truth.items():
        files[f"gtFine/val/{city}/{city}_0_gtFine_{kind}.png"] = png(ids)
    return files


def test_label_ids_of_cityscapes_become_train_ids(tmp_path):
    ids = numbered(34)
    labels = open_dataset(write(tmp_path, cityscapes({"labelIds": ids}))).read(0).labels
    for number in (*range(34), 255):
        name = next((name for name, label_id in LABEL_IDS.items() if label_id == number), None)
        expected = VOID if name is None else CITYSCAPES.classes.index(name)
        assert np.unique(labels[ids == number]).tolist() == [expected], number


def test_train_ids_of_cityscapes_stay_as_they_are_and_are_preferred():
    ids = numbered(19)
    both = cityscapes({"labelTrainIds": ids, "labelIds": np.full(SIZE_HW, 7, np.uint8)})
    other = cityscapes({"labelIds": np.full(SIZE_HW, 26, np.uint8)}, city="bonn")
    dataset = open_zip(zipped(both | other), "cityscapes.zip")
    assert dataset.skipped == ()
    assert (dataset.read(0).labels == CAR).all()
    np.testing.assert_array_equal(dataset.read(1).labels, ids)


@pytest.mark.parametrize(("kind", "unknown"), [("labelIds", 34), ("labelTrainIds", 19)])
def test_an_id_that_cityscapes_does_not_have_is_named(tmp_path, kind, unknown):
    dataset = open_dataset(write(tmp_path, cityscapes({kind: np.full(SIZE_HW, unknown, np.uint8)})))
    with pytest.raises(ImageError, match=rf"\({unknown}\)"):
        dataset.read(0)


def test_instances_and_groups_of_cityscapes(tmp_path):
    ids = np.full(SIZE_HW, 7, np.uint16)  # road, which is no thing
    ids[0:4, 0:4] = 26_000
    ids[0:4, 4:8] = 26_001
    ids[6:9, 0:3] = 24  # people whom nobody told apart
    ids[6:9, 5:7] = 29_003  # a caravan is not scored
    labels = np.where(ids >= 1000, ids // 1000, ids).astype(np.uint8)
    segments = open_dataset(write(tmp_path, cityscapes({"labelIds": labels, "instanceIds": ids}))).read(0).segments
    assert segments.boxes_xyxy.tolist() == [[0, 6, 3, 9], [0, 0, 4, 4], [4, 0, 8, 4]]
    assert segments.class_ids.tolist() == [PERSON, CAR, CAR]
    assert segments.crowd.tolist() == [True, False, False]
