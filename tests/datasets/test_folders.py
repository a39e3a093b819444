"""Labelled folders and archives of them: pairs by name, all else listed, and what is wrong said in a sentence."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from making import CLASSES, SIZE_HW, photograph, png, random_labels, write, yard, zipped

from segdemo.datasets import Dataset, files, open_dataset, open_zip
from segdemo.errors import ImageError
from segdemo.labels import VOID


def refusal(source) -> str:
    with pytest.raises(ImageError) as caught:
        open_dataset(source)
    return str(caught.value)


def samples(dataset: Dataset) -> list:
    return [dataset.read(i) for i in range(len(dataset))]


def skipped(dataset: Dataset) -> dict[str, str]:
    return {s.name: s.reason for s in dataset.skipped}


def test_a_folder_gives_pictures_labels_and_classes(tmp_path):
    dataset = open_dataset(write(tmp_path, yard(["b", "a"])))
    assert dataset.space.classes == ("ground", "car", "hen")
    assert dataset.space.things == {1, 2}
    assert dataset.skipped == ()
    assert [s.name for s in samples(dataset)] == ["images/a.png", "images/b.png"]
    for seed, sample in zip([1, 0], samples(dataset), strict=True):
        expected = random_labels(seed, [0, 1, 2, 3])
        np.testing.assert_array_equal(sample.labels, np.where(expected == 3, VOID, expected))
        assert sample.labels.dtype == np.uint8
        assert sample.image.size_hw == SIZE_HW
        assert sample.segments is None


def test_pictures_may_lie_in_folders_of_their_own(tmp_path):
    dataset = open_dataset(write(tmp_path, yard(["north/1", "south/1"])))
    assert [s.name for s in samples(dataset)] == ["images/north/1.png", "images/south/1.png"]


@pytest.mark.parametrize("top", ["", "yard/", "a/b/"])
def test_an_archive_is_the_same_data_set_as_its_folder(tmp_path, top):
    content = yard(["a", "b", "c"])
    folder = open_dataset(write(tmp_path / "folder", content))
    packed = {top + name: data for name, data in content.items()} | {"__MACOSX/yard/._classes.json": b"x"}
    (tmp_path / "yard.zip").write_bytes(zipped(packed).getvalue())
    for archive in (open_dataset(str(tmp_path / "yard.zip")), open_zip(zipped(packed), "upload.zip")):
        assert archive.digest == folder.digest
        assert archive.skipped == ()
        for one, other in zip(samples(folder), samples(archive), strict=True):
            assert one.name == other.name
            np.testing.assert_array_equal(one.labels, other.labels)
            np.testing.assert_array_equal(one.image.rgb, other.image.rgb)


def test_an_archive_can_be_read_from_several_threads():
    dataset = open_zip(zipped(yard([str(i) for i in range(12)])), "yard.zip")
    expected = [s.labels for s in samples(dataset)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: dataset.read(i % 12).labels, range(240)))
    for i, labels in enumerate(found):
        np.testing.assert_array_equal(labels, expected[i % 12])


def test_files_without_a_partner_are_listed(tmp_path):
    content = yard(["a", "b", "c"])
    del content["labels/b.png"], content["images/c.png"]
    content["images/a.jpg"] = content["images/a.png"]
    content["images/d.gif"] = content["labels/d.png"] = png(random_labels(0, [0]))
    dataset = open_dataset(write(tmp_path, content | {"images/.DS_Store": b"x", "README": b"x"}))
    assert [s.name for s in samples(dataset)] == ["images/a.jpg"]
    assert skipped(dataset) == {
        "images/a.png": "has the name of images/a.jpg",
        "images/b.png": "has no label image",
        "labels/c.png": "has no picture",
        "labels/d.png": "has no picture",
    }


def test_a_folder_without_any_pair_is_refused(tmp_path):
    content = yard(["a"])
    content["labels/b.png"] = content.pop("labels/a.png")
    assert "images/a.png has no label image" in refusal(write(tmp_path, content))


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("labels/b.png", png(random_labels(0, [0])[1:]), "labels/b.png is 16×11 and its picture 16×12"),
        ("labels/b.png", png(random_labels(0, [0, 7])), "labels/b.png holds ids without a class of Yard: 7"),
        ("labels/b.png", yard(["b"])["labels/b.png"][:60], "labels/b.png is damaged"),
        ("labels/b.png", b"", "labels/b.png is empty"),
        ("images/b.png", b"no picture", "images/b.png holds text"),
        ("instances/b.png", png(np.zeros((3, 3), np.uint16)), "instances/b.png is 3×3"),
        ("instances/b.png", png(np.zeros((*SIZE_HW, 4), np.uint8)), "instances/b.png has transparency"),
    ],
)
def test_a_sample_that_cannot_be_used_says_why_and_leaves_the_others_alone(tmp_path, name, data, fault):
    dataset = open_dataset(write(tmp_path, yard(["a", "b", "c"]) | {name: data}))
    assert len(dataset) == 3
    assert len(dataset.digest) == 64
    with pytest.raises(ImageError, match=fault):
        dataset.read(1)
    dataset.read(0), dataset.read(2)


def test_a_file_that_is_gone_is_told(tmp_path):
    dataset = open_dataset(write(tmp_path, yard(["a"])))
    (tmp_path / "labels" / "a.png").unlink()
    with pytest.raises(ImageError, match=r"labels/a\.png cannot be read"):
        dataset.read(0)


def test_instance_images_tell_touching_things_apart(tmp_path):
    labels, instances = np.zeros(SIZE_HW, np.uint8), np.zeros(SIZE_HW, np.uint16)
    labels[2:6, 3:9] = 1
    instances[2:6, 3:6] = 40_000
    instances[2:6, 6:9] = 7
    labels[8:10, 0:2] = 2
    instances[8:10, 0:2] = 255
    labels[8, 0] = 3  # void within an instance
    instances[11, 11] = 9  # ground is no thing
    content = yard(["a"]) | {"labels/a.png": png(labels), "instances/a.png": png(instances)}
    segments = open_dataset(write(tmp_path, content)).read(0).segments
    assert segments.boxes_xyxy.tolist() == [[6, 2, 9, 6], [0, 8, 2, 10], [3, 2, 6, 6]]
    assert segments.class_ids.tolist() == [1, 2, 1]
    assert [mask.shape for mask in segments.masks] == [(4, 3), (2, 2), (4, 3)]
    assert all(mask.all() for mask in segments.masks)
    assert not segments.crowd.any()


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"{",
        b"[1]",
        b"[" * 100_000,
        b"\xff\xfe",
        json.dumps(CLASSES | {"classes": CLASSES["classes"][1:]}).encode(),
        json.dumps(CLASSES | {"ignore_index": 0}).encode(),
        json.dumps(CLASSES | {"ignore_index": 3, "classes": [{"id": 0}]}).encode(),
        json.dumps(CLASSES | {"classes": [{"id": 0, "name": "x", "color": [0, 0, 999]}]}).encode(),
        json.dumps(CLASSES | {"classes": [{"id": 0, "name": "x" * 101, "color": [0, 0, 9]}]}).encode(),
        json.dumps(
            CLASSES | {"ignore_index": 300, "classes": [{"id": i, "name": "x", "color": [0, 0, 9]} for i in range(300)]}
        ).encode(),
    ],
)
def test_a_table_of_classes_that_cannot_be_used_is_refused(tmp_path, table):
    assert "classes.json" in refusal(write(tmp_path, yard(["a"]) | {"classes.json": table}))


def test_the_digest_tells_data_sets_apart(tmp_path):
    def digest(name: str, **changes: bytes) -> str:
        return open_dataset(write(tmp_path / name, yard(["a", "b"]) | changes)).digest

    same = digest("1")
    assert digest("2", **{"README": b"other", "images/c.png": photograph(0)}) == same
    others = {
        digest("3", **{"labels/a.png": png(random_labels(9, [0, 1, 2, 3]))}),
        digest("4", **{"images/a.png": photograph(0, (13, 16))}),
        digest("5", **{"instances/a.png": png(np.zeros(SIZE_HW, np.uint8))}),
        digest("6", **{"classes.json": json.dumps(CLASSES).replace("hen", "cow").encode()}),
        digest("7", **{"images/c.png": photograph(0), "labels/c.png": png(random_labels(0, [0]))}),
    }
    assert len(others | {same}) == 6


def test_of_several_splits_the_one_for_validation_is_taken(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path / "yard" / split, yard([split]))
    assert samples(open_dataset(tmp_path))[0].name == "images/val.png"
    assert samples(open_dataset(tmp_path / "yard" / "train"))[0].name == "images/train.png"
    (tmp_path / "yard" / "val").rename(tmp_path / "yard" / "more")
    assert "3 splits or data sets (yard/more, yard/test, yard/train)" in refusal(tmp_path)


def test_what_is_no_data_set_is_refused_with_the_layouts_that_are(tmp_path):
    write(tmp_path, {"holiday/1.jpg": b"x", "a/b/c/classes.json": b"{}"})
    message = refusal(tmp_path)
    for layout in ("classes.json", "VOC", "Cityscapes", "ADE20K", "COCO"):
        assert layout in message
    assert "is not there" in refusal(tmp_path / "none")
    assert "is not a readable zip archive" in refusal(write(tmp_path, {"x.txt": b"x"}) / "x.txt")


def test_links_that_lead_in_circles_come_to_an_end(tmp_path):
    write(tmp_path, yard(["a"]))
    (tmp_path / "images" / "again").symlink_to(tmp_path / "images")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    assert len(open_dataset(tmp_path)) == 1


def test_a_folder_of_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_FILES", 5)
    assert "more than 5 files" in refusal(write(tmp_path, yard(["a", "b", "c"])))


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    dataset = open_dataset(write(tmp_path, yard(["a"])))
    monkeypatch.setattr(files, "LARGEST_FILE_BYTES", 100)
    with pytest.raises(ImageError, match="at most 0 MB can be read"):
        dataset.read(0)
