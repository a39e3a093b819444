from dataclasses import replace

import numpy as np
import pytest

from segdemo import tables
from segdemo.agreement import compare
from segdemo.confusion import count
from segdemo.labels import CAMVID, VOID, LabelSpace
from segdemo.models import catalog
from segdemo.prediction import Prediction, Segments, StageTimes

PETS = LabelSpace("pets", ("car", "dog"), ((1, 1, 1), (2, 2, 2)))
FCN, SEGFORMER = "share % · FCN starter", "share % · SegFormer starter"


def street() -> Prediction:
    """Half sky, a quarter road, a quarter car."""
    labels = np.zeros((4, 4), np.uint8)
    labels[2], labels[3] = 3, 8
    return Prediction("starter/fcn", CAMVID, labels, None, None, StageTimes(0.0005, 0.001, 0.02, 0.003))


def pets(labels: np.ndarray | None = None) -> Prediction:
    """Three quarters dog and no car, unless said otherwise; the rest has no class."""
    if labels is None:
        labels = np.ones((4, 4), np.uint8)
        labels[0] = VOID
    return Prediction("starter/segformer", PETS, labels, None, None, StageTimes(0.0, 0.1, 0.2, 0.3))


def cell(table, name: str, column: str) -> float:
    return table.set_index("class").loc[name, column]


def test_the_class_table_has_a_row_per_class_of_any_model_the_largest_first():
    table = tables.class_table([street(), pets()])

    assert list(table.columns) == ["class", FCN, SEGFORMER]
    assert list(table["class"][:5]) == ["dog", "sky", "road", "car", "nothing assigned"]
    assert sorted(table["class"]) == sorted({*CAMVID.classes, *PETS.classes, "nothing assigned"})


def test_a_class_that_a_model_does_not_know_is_nan_and_one_it_did_not_find_is_0():
    table = tables.class_table([street(), pets()])

    assert cell(table, "car", FCN) == 25.0
    assert cell(table, "car", SEGFORMER) == 0.0
    assert cell(table, "dog", SEGFORMER) == 75.0
    assert np.isnan(cell(table, "dog", FCN))
    assert np.isnan(cell(table, "sky", SEGFORMER))


def test_every_share_column_adds_up_to_100():
    table = tables.class_table([street(), pets()])

    assert table[[FCN, SEGFORMER]].sum().tolist() == [100.0, 100.0]


def test_pixels_without_a_class_have_no_row_where_there_are_none():
    assert "nothing assigned" not in set(tables.class_table([street()])["class"])


def test_a_model_gets_an_iou_column_where_it_is_given():
    answer = pets(np.array([[0, 0], [0, 1]], np.uint8))
    truth = np.zeros((2, 2), np.uint8)
    iou = dict(zip(PETS.classes, count(truth, answer.labels, 2).iou(), strict=True))

    table = tables.class_table([street(), answer], {"starter/segformer": iou})

    assert list(table.columns) == ["class", FCN, SEGFORMER, "IoU % · SegFormer starter"]
    assert cell(table, "car", "IoU % · SegFormer starter") == 75.0
    assert cell(table, "dog", "IoU % · SegFormer starter") == 0.0
    assert np.isnan(cell(table, "sky", "IoU % · SegFormer starter"))


def test_models_of_one_title_have_a_column_and_a_row_each(monkeypatch):
    twin = replace(catalog.find("starter/fcn"), key="elsewhere/fcn")
    monkeypatch.setattr(catalog, "CATALOG", (*catalog.CATALOG, twin))
    other = replace(street(), model="elsewhere/fcn", labels=np.zeros((4, 4), np.uint8))
    sky = {"sky": 0.5}

    shares = tables.class_table([street(), other, pets()], {"starter/fcn": sky, "elsewhere/fcn": sky})

    names = ["FCN starter (starter/fcn)", "FCN starter (elsewhere/fcn)"]
    assert list(shares.columns) == [
        "class",
        *(f"share % · {n}" for n in (*names, "SegFormer starter")),
        *(f"IoU % · {n}" for n in names),
        tables.BEST,
    ]
    assert [cell(shares, "sky", f"share % · {n}") for n in names] == [50.0, 100.0]
    assert list(tables.times_table([street(), other])["model"]) == names


def test_the_best_model_of_a_class_is_named_where_it_is_one_alone():
    ious = {
        "starter/fcn": {"sky": 0.9, "road": 0.5, "car": 0.0},
        "starter/segformer": {"car": 0.0, "road": 0.5, "sky": 0.8},
    }
    table = tables.class_table([street(), pets()], ious)
    assert [cell(table, name, tables.BEST) for name in ("sky", "road", "car", "dog")] == ["FCN starter", "", "", ""]


def test_classes_that_labels_and_a_model_share_under_another_name_have_a_row():
    table = tables.class_table([street()], {"starter/fcn": {"bicycle + rider": 0.25}})
    assert cell(table, "bicycle + rider", "IoU % · FCN starter") == 25
    assert np.isnan(cell(table, "bicycle + rider", FCN))


def test_agreement_is_the_same_in_both_halves_of_its_table():
    first = street()
    second = replace(first, model="starter/segformer", labels=np.where(first.labels == 8, 3, first.labels))
    agreements = {(0, 1): compare(first, second)}
    table = tables.agreement_table([first, second], agreements)
    assert list(table.index) == list(table.columns) == ["FCN starter", "SegFormer starter"]
    assert table.to_numpy().tolist() == [[100, 50], [50, 100]]  # sky 1, road 1/2, car 0
    [row] = tables.contradictions_table([first, second], agreements, 5).to_dict("records")
    assert row == {
        "model": "FCN starter", "says": "car", "other model": "SegFormer starter", "says this": "road", "picture %": 25,
    }  # fmt: skip


def test_the_instance_table_lists_every_segment():
    segments = Segments(
        np.array([[1, 2, 4, 4], [0, 0, 1, 1]], np.int32),
        (np.array([[1, 1, 0], [1, 0, 0]], np.bool_), np.ones((1, 1), np.bool_)),
        np.array([8, 9], np.uint8), np.array([0.75, 0.5], np.float32),
    )  # fmt: skip
    answer = street()
    answer = Prediction(answer.model, CAMVID, answer.labels, None, segments, answer.times)

    table = tables.instance_table(answer)

    assert table.to_dict("records") == [
        {"class": "car", "score": 0.75, "left px": 1, "top px": 2, "right px": 4, "bottom px": 4, "area px": 3},
        {"class": "pedestrian", "score": 0.5, "left px": 0, "top px": 0, "right px": 1, "bottom px": 1, "area px": 1},
    ]


def test_a_semantic_model_has_an_empty_instance_table_with_its_columns():
    table = tables.instance_table(street())

    assert len(table) == 0
    assert {"class", "score", "area px"} <= set(table.columns)


def test_the_times_table_is_in_milliseconds():
    table = tables.times_table([street(), pets()])

    assert list(table["model"]) == ["FCN starter", "SegFormer starter"]
    first = table.drop(columns="model").iloc[0]
    assert first.to_dict() == pytest.approx(
        {"transfer ms": 0.5, "preprocess ms": 1.0, "forward ms": 20.0, "postprocess ms": 3.0, "total ms": 24.5}
    )
