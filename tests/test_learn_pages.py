"""The Learn pages, driven as a person would."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from fakes import DENSE, MISSING, FakeModels
from streamlit.testing.v1 import AppTest

from segdemo.models import catalog
from segdemo.models.families import FAMILIES
from segdemo.ui import cache, pictures, state, text
from segdemo.ui.learn import links, scores, uses
from segdemo.ui.learn.drawings import SKETCHES, svg
from segdemo.worked_example import EXAMPLES

ROOT = Path(__file__).parents[1]
SCENE = pictures.samples()[0]


@pytest.fixture(autouse=True)
def nothing_kept():
    for kept in (cache.model, cache.run, cache.receptive_field, cache.trace):
        kept.clear()


@pytest.fixture
def models(monkeypatch):
    fakes = FakeModels()
    monkeypatch.setattr("segdemo.models.load", fakes.load)
    return fakes


def opened(page):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page(page).run()
    assert not app.exception
    return app


def component(app, part):
    """What the component with this in its data was given."""
    [found] = [data for one in app.get("bidi_component") if part in (data := json.loads(one.proto.json))]
    return found


def written(app):
    kinds = ("header", "subheader", "markdown", "caption", "info", "warning", "error")
    return "\n".join(element.value for kind in kinds for element in app.get(kind))


def point(app, across, down):
    app.session_state["places"] = {SCENE.id: (across, down)}
    app.run()
    assert not app.exception


def test_every_page_opens_with_its_heading(models):
    headings = {
        links.KINDS: "Three kinds of segmentation",
        links.STORY: "From FCN to transformers",
        links.PIXELS: "From pixels to a prediction",
        links.SCORES: "What a score hides",
        links.USES: "Where it is used",
    }
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    for page, heading in headings.items():
        app.switch_page(page).run()
        assert not app.exception
        assert app.header[0].value == heading
        assert f"Shown on {SCENE.name}, 640 × 480 pixels" in written(app)


def test_three_answers_say_what_they_take_a_place_for(models):
    app = opened(links.KINDS)
    point(app, 0.75, 0.75)
    panes = component(app, "panes")["panes"]
    assert [pane["title"] for pane in panes] == ["Semantic", "Instance", "Panoptic"]
    assert panes[0]["note"] == "road: one area of 76,800 pixels, 25.0 % of the picture"
    assert panes[1]["note"].startswith("no object here")
    assert panes[2]["note"] == "road: one segment, 25.0 % of the picture, not counted"


def test_the_right_answers_of_a_scene_need_no_model_and_count_its_cars(models):
    app = opened(links.KINDS)
    asked = len(models.asked)
    app.segmented_control(key=state.LEARN_ANSWERS).set_value("What is right").run()
    assert len(models.asked) == asked
    scene = cache.scene(SCENE.seed)
    table = app.table[0].value
    counted = table.loc[[row for row in table.index if row.startswith("How many")]].iloc[0]
    named = table.index[2].split("class ")[1].split(" are")[0]
    cars = sum(catalog.CATALOG[0].space.classes[c] == named for c in scene.instance_classes)
    assert counted.tolist() == ["cannot say", str(cars), str(cars)]


def test_a_model_that_fails_is_told_and_can_be_tried_again(models):
    models.failing["starter/maskrcnn"] = MISSING
    app = opened(links.KINDS)
    assert "weights of this model are missing" in written(app)
    assert not [one for one in app.get("bidi_component") if "panes" in one.proto.json]
    models.failing.clear()
    [again] = [button for button in app.button if button.label == "Try again"]
    again.click().run()
    assert len(component(app, "panes")["panes"]) == 3


def test_the_timeline_marks_what_runs_here_and_tells_the_chosen_family(models):
    app = opened(links.STORY)
    rows = component(app, "families")["families"]
    assert [row["name"] for row in rows] == [family.name for family in FAMILIES]
    runs_here = {spec.family for spec in catalog.CATALOG if spec.source == "starter"}
    assert {row["name"] for row in rows if row["starter"]} == runs_here
    app.session_state[state.LEARN_FAMILY] = "OneFormer"
    app.run()
    one = next(family for family in FAMILIES if family.name == "OneFormer")
    assert app.subheader[0].value == "OneFormer, 2022"
    for told in (one.before, one.introduced, one.paper, "No starter"):
        assert told in written(app)
    app.button(key="learn:step1").click().run()
    assert app.subheader[0].value.startswith(FAMILIES[FAMILIES.index(one) + 1].name)


def test_a_model_without_a_receptive_field_leaves_the_others_standing(models):
    app = opened(links.STORY)  # of the fakes only one has stages with gradients
    [pane] = component(app, "panes")["panes"]
    assert pane["title"] == catalog.find(DENSE).family
    half, most = map(int, re.findall(r"within (\d+)", pane["note"]))
    assert 0 < half <= most < 12  # cells of 8 × 8 pixels
    assert "no score of every class for every pixel" in written(app)


def test_the_stages_of_a_network_are_shown_with_their_real_shapes(models):
    app = opened(links.PIXELS)
    assert "no score of every class for every pixel" in written(app)
    app.session_state[state.LEARN_MODEL] = DENSE
    app.run()
    told = written(app)
    for shape in ("480 × 640 × 3", "3 × 480 × 640", "11 × 60 × 80", "11 × 480 × 640", "480 × 640"):
        assert f"**{shape}**" in told, shape
    assert len([one for one in app.get("bidi_component") if "panes" in one.proto.json]) == 5
    assert not app.exception


def test_real_starters_have_stages_and_receptive_fields():
    app = opened(links.PIXELS)
    assert "**11 × 60 × 80**" in written(app)
    mine, early = (float(re.search(rf"{order}: ([\d.]+) % of the pixels", written(app))[1]) for order in
                   ("Upsample, then argmax", "Argmax, then enlarge"))  # fmt: skip
    assert mine > early
    app.switch_page(links.STORY).run()
    panes = component(app, "panes")["panes"]
    assert [pane["title"] for pane in panes] == ["FCN", "DeepLabV3", "SegFormer"]
    assert not app.error


def cards(app):
    return {metric.label: metric.value for metric in app.metric}


def test_what_is_painted_changes_the_scores_and_nothing_else_comes_in(models):
    app = opened(links.SCORES)
    assert cards(app)["torchvision"] == "no score"
    assert cards(app)["MMSegmentation, Hugging Face"] == "44.4 %"
    now = scores._pairs([{"truth": t, "prediction": t} for t in EXAMPLES[0].truths])
    before = scores._pairs(
        [{"truth": t, "prediction": p} for t, p in zip(EXAMPLES[0].truths, EXAMPLES[0].predictions, strict=True)]
    )
    app.session_state["painted"] = (before, [(t, np.where(t == 255, 0, t).astype(np.uint8)) for t, _ in now])
    app.run()
    assert cards(app)["MMSegmentation, Hugging Face"] == "100.0 %"
    assert {m.label: m.delta for m in app.metric}["MMSegmentation, Hugging Face"] == "+55.6"
    [again] = [b for b in app.button if b.label == "Start again"]
    again.click().run()
    assert cards(app)["MMSegmentation, Hugging Face"] == "44.4 %"


@pytest.mark.parametrize("sent", [None, 3, [{}], [{"truth": [[9]], "prediction": [[0]]}], [{"truth": [["x"]]}]])
def test_grids_that_are_none_are_not_taken_over(sent):
    assert scores._pairs(sent) == []


def test_each_use_names_a_checkpoint_with_its_licence_or_says_what_is_missing(models):
    app = opened(links.USES)
    told = written(app)
    for use in uses.USES:
        assert use.name in told
        fitting = uses.fitting(use)
        assert use.missing or fitting is not None
        if fitting is not None:
            assert text.plain(fitting.title) in told
            assert text.plain(fitting.licence) in told
    assert text.plain("road 25.0 %").replace(" ", "\u00a0") in told


def test_a_large_picture_is_shrunk_for_the_page_and_the_page_says_so(models):
    from test_pages import photo, upload

    app = upload(opened(links.KINDS), ("large.png", photo(size_hw=(1500, 2000))))
    assert "shrunk for this page to 960 × 720 pixels" in written(app)
    assert component(app, "panes")["width"] == 960


def test_every_family_has_a_drawing_that_stays_inside_its_frame():
    assert set(SKETCHES) == {family.name for family in FAMILIES}
    for name, sketch in SKETCHES.items():
        drawing = ElementTree.fromstring(svg(sketch, "#112233"))
        width = float(drawing.get("width"))
        for part in drawing.iter("{http://www.w3.org/2000/svg}rect"):
            assert float(part.get("x")) >= 0, name
            assert float(part.get("x")) + float(part.get("width")) <= width, name
        for path in drawing.iter("{http://www.w3.org/2000/svg}path"):
            assert min(map(float, re.findall(r"-?\d+", path.get("d"))[1::2])) > -10, name
