"""The pages, driven as a person would, with fake models in place of networks."""

import io
import json
import math
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import MISSING, FakeModels
from PIL import Image
from streamlit.testing.v1 import AppTest

from segdemo import exports, labels
from segdemo.exports import Entry
from segdemo.models import catalog
from segdemo.ui import cache, jobs, pace, pictures, state, text
from segdemo.ui.jobs import Job

ROOT = Path(__file__).parents[1]
COMPARE = "pages/explore/compare.py"
SCENE = next(iter(pictures.SCENES.values()))
FIRST, SECOND = state.FIRST_MODELS


@pytest.fixture
def nothing_kept():
    for kept in (cache.model, cache.run, cache.small, cache.viewer_files):
        kept.clear()


@pytest.fixture
def models(monkeypatch, nothing_kept):
    fakes = FakeModels()
    monkeypatch.setattr("segdemo.models.load", fakes.load)
    return fakes


def opened(page=None):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    if page:
        app.switch_page(page).run()
    assert not app.exception
    return app


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def photo(value=90, size_hw=(40, 60)):
    return png(np.full((*size_hw, 3), value, np.uint8))


def upload(app, *files):
    app.sidebar.file_uploader(key=state.UPLOADS).set_value([(name, data, "image/png") for name, data in files])
    return app.run()


@pytest.fixture
def clock(monkeypatch):
    """A clock for jobs that stands still until it is set."""
    stopped = SimpleNamespace(now=0.0)
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: stopped.now))
    return stopped


def viewed(app):
    """What the viewer on the page was given; None where there is none."""
    found = app.get("bidi_component")
    return json.loads(found[0].proto.json) if found else None


def words(app):
    """Everything that is written on the page and in the sidebar."""
    kinds = ("header", "subheader", "markdown", "caption", "info", "warning", "error")
    return "\n".join(element.value for kind in kinds for element in app.get(kind))


def shown_name(app):
    return app.header[0].value


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def choose(app, *keys):
    for spec in catalog.CATALOG:
        app.session_state[state.model_key(spec.key)] = spec.key in keys
    return app.run()


def test_no_page_stands_directly_in_pages_or_streamlit_would_run_it_without_the_frame():
    assert list((ROOT / "pages").glob("*.py")) == []
    assert len(list((ROOT / "pages").glob("*/*.py"))) >= 2


def test_the_server_keeps_its_protections():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["server"]["address"] == "127.0.0.1"
    assert not {"enableCORS", "enableXsrfProtection", "corsAllowedOrigins"} & set(config["server"])
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"


def test_no_html_is_let_through():
    sources = [*ROOT.glob("pages/**/*.py"), *ROOT.glob("segdemo/ui/*.py"), ROOT / "streamlit_app.py"]
    assert not [
        path.name for path in sources if "unsafe_allow_html" in path.read_text() or "st.html" in path.read_text()
    ]


def test_a_first_visit_shows_a_scene_segmented_without_a_click(models):
    app = opened()
    assert shown_name(app) == SCENE
    assert models.looked_at() == [(FIRST, SCENE), (FIRST, SCENE)]  # a warm-up and the run that is shown
    assert metrics(app)["Classes found"] == "3 of 11"
    assert "Image mean IoU" in metrics(app)


def test_a_real_starter_finds_the_classes_of_a_scene(nothing_kept):
    app = opened()
    assert not app.error
    found = app.dataframe[0].value
    assert found.loc[["building", "road", "car"], "share %"].min() > 3
    assert float(metrics(app)["Image mean IoU"].removesuffix(" %")) > 30


def test_the_legend_and_the_table_show_the_fake_answers_shares(models):
    app = opened()
    labels = [box.label for box in app.main.checkbox]
    assert [("sky" in label, "50.0 %" in label) for label in labels[:1]] == [(True, True)]
    assert sum("25.0 %" in label for label in labels) == 2
    table = app.dataframe[0].value
    assert table.loc["sky", "share %"] == 50
    assert table.loc["building", "share %"] == 25


def test_a_second_look_never_runs_a_model_again(models):
    app = opened()
    seen = len(models.looked_at())
    app.slider(key=state.OPACITY).set_value(20).run()
    app.toggle(key=state.OUTLINES).set_value(False).run()
    app.toggle(key=state.SAFE_COLORS).set_value(True).run()
    app.checkbox(key=state.class_key("sky")).uncheck().run()
    assert len(models.looked_at()) == seen
    app.switch_page(COMPARE).run()
    assert [key for key, _ in models.looked_at()[seen:]] == [SECOND, SECOND]
    seen = len(models.looked_at())
    app.switch_page("pages/explore/segment.py").run()
    app.switch_page(COMPARE).run()
    assert len(models.looked_at()) == seen
    assert not app.exception


def test_a_warm_model_looks_at_the_next_picture_once(models):
    app = opened()
    seen = len(models.looked_at())
    app.button(key=f"show:{pictures.samples()[1].id}").click().run()
    assert len(models.looked_at()) == seen + 1


def test_opacity_and_ticks_are_kept_from_page_to_page(models):
    app = opened()
    app.slider(key=state.OPACITY).set_value(20).run()
    app.checkbox(key=state.class_key("sky")).uncheck().run()
    app.switch_page(COMPARE).run()
    app.switch_page("pages/explore/segment.py").run()
    assert app.slider(key=state.OPACITY).value == 20
    assert app.checkbox(key=state.class_key("sky")).value is False


def test_without_a_model_the_page_says_what_to_do(models):
    app = choose(opened())
    assert "Choose a model in the sidebar" in words(app)
    app.switch_page(COMPARE).run()
    assert "Choose two to six models" in words(app)
    assert not app.exception


def test_at_most_six_models_can_be_chosen(models, monkeypatch):
    monkeypatch.setattr(state, "MOST_MODELS", 2)
    app = opened()
    assert app.checkbox(key=state.model_key("starter/fcn")).disabled
    assert not app.checkbox(key=state.model_key(FIRST)).disabled


def test_uploads_are_shown_at_once_and_can_be_chosen_among(models):
    app = upload(opened(), ("one.png", photo(10)), ("two.png", photo(20)))
    assert shown_name(app) == text.plain("one.png")
    [second] = [button for button in app.sidebar.button if button.label == text.plain("two.png")]
    second.click().run()
    assert shown_name(app) == text.plain("two.png")
    app.switch_page(COMPARE).run()
    assert shown_name(app) == text.plain("two.png")
    assert models.looked_at()[-1][1] == "two.png"


def test_a_damaged_file_gets_its_sentence_and_the_others_stay_usable(models):
    app = upload(opened(), ("broken.png", photo()[:60]), ("fine.png", photo()))
    [error] = app.error
    assert "broken" in error.value
    assert shown_name(app) == text.plain("fine.png")
    assert not app.exception


def test_too_many_uploads_are_named_and_left_out(models):
    files = [(f"{i}.png", photo(i)) for i in range(pictures.MOST_UPLOADS + 1)]
    app = upload(opened(), *files)
    assert f"Only the first {pictures.MOST_UPLOADS} pictures" in words(app)
    assert text.plain(f"{pictures.MOST_UPLOADS}.png") not in [button.label for button in app.sidebar.button]


def test_the_viewer_shows_every_model_and_the_labels_in_one_set_of_classes(models):
    voc = next(spec for spec in catalog.CATALOG if spec.space.name == labels.VOC.name)
    app = choose(opened(COMPARE), voc.key, FIRST)
    seen = viewed(app)
    assert sorted(model["title"] for model in seen["models"]) == sorted([catalog.find(FIRST).title, voc.title])
    assert {row["name"] for row in seen["classes"]} == {*labels.CAMVID.classes, *labels.VOC.classes}
    assert [row["name"] for row in seen["classes"] if row["background"]] == ["background"]
    assert seen["truth"]["classes"] == list(labels.CAMVID.classes)
    assert "know different classes" in words(app)


def test_six_models_are_viewed_together(models):
    six = [spec.key for spec in catalog.CATALOG[:6]]
    assert len(viewed(choose(opened(COMPARE), *six))["models"]) == 6


def test_labels_of_the_wrong_size_leave_the_viewer_without_labels(models):
    app = upload(opened(COMPARE), ("street.png", photo()))
    assert viewed(app)["truth"] is None
    give_labels(app, png(np.zeros((3, 3), np.uint8)))
    assert viewed(app)["truth"] is None
    assert any("3×3" in warning.value or "3 × 3" in warning.value for warning in app.warning)


def test_a_failing_model_is_named_and_leaves_the_others_standing(models):
    models.failing[FIRST] = MISSING
    app = opened(COMPARE)
    assert f"**{catalog.find(FIRST).title}**" in words(app)
    assert [model["title"] for model in viewed(app)["models"]] == [catalog.find(SECOND).title]
    [error] = app.error
    assert error.value == text.plain(str(MISSING))
    assert list(metrics(app)) == [catalog.find(SECOND).title]
    assert list(app.dataframe[0].value.columns) == ["share %", "IoU %"]


def test_a_failure_is_tried_again_only_when_asked(models):
    models.failing[FIRST] = MISSING
    app = opened()
    del models.failing[FIRST]
    app.toggle(key=state.CAMERA).set_value(True).run()
    assert app.error
    assert models.asked == [FIRST]
    [again] = [button for button in app.button if button.label == "Try again"]
    again.click().run()
    assert not app.error
    assert "Classes found" in metrics(app)


def test_a_fault_of_ours_is_told_without_details_and_logged(models, caplog):
    models.failing[FIRST] = ZeroDivisionError("secret detail")
    app = opened()
    assert text.plain("Something went wrong inside segdemo; the log has the details.") in words(app)
    assert "secret detail" not in words(app)
    assert "secret detail" in caplog.text


def test_a_fault_in_a_page_is_told_without_details_and_logged(models, monkeypatch, caplog):
    monkeypatch.setattr("segdemo.ui.views.draw", lambda *_: 1 / 0)
    app = opened()
    assert "Something went wrong inside segdemo" in words(app)
    assert "division by zero" in caplog.text


def test_a_label_image_adds_the_iou_of_every_class(models):
    app = upload(opened(), ("street.png", photo(size_hw=(40, 60))))
    assert "Image mean IoU" not in metrics(app)
    truth = np.zeros((40, 60), np.uint8)  # the fake calls the upper half sky, too
    app = give_labels(app, png(truth))
    assert metrics(app)["Image mean IoU"] == "16.7 %"  # sky 0.5, building 0, road 0
    assert "over the 3 classes in truth or prediction" in words(app)
    assert app.dataframe[0].value.loc["sky", "IoU %"] == 50


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [(np.zeros((40, 61), np.uint8), "61×40"), (np.full((40, 60), 77, np.uint8), "77")],
    ids=["another size", "an unknown class"],
)
def test_a_label_image_that_does_not_fit_gets_its_sentence(models, truth, sentence):
    app = give_labels(upload(opened(), ("street.png", photo(size_hw=(40, 60)))), png(truth))
    [warning] = app.warning
    assert sentence in warning.value
    assert "Image mean IoU" not in metrics(app)


def test_a_label_image_stays_with_its_picture(models):
    app = upload(opened(), ("a.png", photo(1)), ("b.png", photo(2)))
    app = give_labels(app, png(np.zeros((40, 60), np.uint8)))
    [b] = [button for button in app.sidebar.button if button.label == text.plain("b.png")]
    b.click().run()
    assert "Image mean IoU" not in metrics(app)
    [a] = [button for button in app.sidebar.button if button.label == text.plain("a.png")]
    a.click().run()
    assert "Image mean IoU" in metrics(app)
    [remove] = [button for button in app.sidebar.button if button.label == "Remove the label image"]
    remove.click().run()
    assert "Image mean IoU" not in metrics(app)


def give_labels(app, data):
    [uploader] = [u for u in app.sidebar.file_uploader if u.label == "Label image (PNG)"]
    uploader.upload("labels.png", data, "image/png")
    return app.run()


def test_models_with_different_classes_say_so(models, monkeypatch):
    other = replace(catalog.find(FIRST), key="elsewhere/other", title="Other", space=labels.VOC)
    monkeypatch.setattr(catalog, "CATALOG", (*catalog.CATALOG, other))
    app = choose(opened(COMPARE), FIRST, other.key)
    assert "These models know different classes" in words(app)


def test_comparing_shows_the_numbers_of_each_model_and_says_what_was_timed(models):
    app = opened(COMPARE)
    titles, kinds = [catalog.find(key).title for key in (FIRST, SECOND)], ["share %", "IoU %"]
    assert app.dataframe[0].value.columns.tolist() == [(title, kind) for title in titles for kind in kinds]
    assert "One run at 640 × 480 pixels" in words(app)
    assert "after a warm-up run" in words(app)


def test_without_labels_the_models_stand_side_by_side_below_what_they_are_compared_by(models):
    app = upload(opened(COMPARE), ("street.png", photo()))
    titles = [catalog.find(key).title for key in (FIRST, SECOND)]
    assert app.dataframe[0].value.columns.tolist() == [("share %", title) for title in titles]


def test_two_models_of_one_title_are_told_apart_by_their_keys(models, monkeypatch):
    twin = replace(catalog.find(FIRST), key="elsewhere/twin")
    monkeypatch.setattr(catalog, "CATALOG", (*catalog.CATALOG, twin))
    app = choose(opened(COMPARE), FIRST, twin.key)
    title = twin.title
    called = [f"{title} ({key})" for key in (FIRST, twin.key)]
    assert list(dict.fromkeys(app.dataframe[0].value.columns.get_level_values(0))) == called
    assert [model["title"] for model in viewed(app)["models"]] == called


def test_every_starter_says_what_it_is(models):
    assert "Starters know 11 street classes" in words(opened())
    assert "Starters know 11 street classes" in words(opened(COMPARE))


def test_two_people_with_files_of_one_name_see_their_own(models):
    first, second = opened(), opened()
    upload(first, ("street.png", photo(10)))
    upload(second, ("street.png", photo(200)))
    [one], [other] = (
        {b.key for b in app.sidebar.button if b.label == text.plain("street.png")} for app in (first, second)
    )
    assert one != other
    assert [name for _, name in models.looked_at()].count("street.png") == 2


def test_a_files_name_is_text_and_never_markdown_or_html():
    hostile = "<img src=x onerror=alert(1)> **bold** :smile: [a](b) `c` $x$.png"
    escaped = text.plain(hostile)
    assert "\\<img" in escaped
    assert "\\*\\*bold" in escaped
    assert ":smile:" not in escaped
    assert escaped.replace("\\", "").replace("\u200b", "") == hostile


def test_a_download_says_how_long_it_will_still_take(clock):
    job = Job()
    job.report(20_000_000, 170_000_000)  # 20 MB are here from an earlier try
    assert job.describe() == "Downloading the weights: 20 MB of 170 MB"
    clock.now += 10
    job.report(70_000_000, 170_000_000)
    assert job.describe() == "Downloading the weights: 70 MB of 170 MB, about 20 s left"
    assert job.share() == pytest.approx(70 / 170)


def test_a_stage_that_was_timed_before_says_how_long_it_will_still_take(clock):
    job = Job()
    job.begin("Looking at the picture", usual_s=8)
    clock.now += 2
    assert (job.describe(), job.share()) == ("Looking at the picture: about 6 s left", 0.25)
    clock.now += 10
    assert (job.describe(), job.share()) == ("Looking at the picture: 12 s so far, longer than expected", None)


def test_a_stage_that_nobody_has_timed_says_how_long_it_has_taken(clock):
    job = Job()
    job.begin("Loading the model")
    assert job.describe() == "Loading the model …"
    clock.now += 180
    assert (job.describe(), job.share()) == ("Loading the model: 3 min so far", None)


def test_a_model_is_timed_from_the_end_of_its_download_on(clock):
    job = Job()
    job.begin("Loading the model", usual_s=4)
    job.report(0, 100)
    clock.now += 60
    job.report(100, 100)
    clock.now += 1
    assert (job.describe(), job.elapsed_s()) == ("Loading the model: about 3 s left", 1)


def test_what_ran_once_is_expected_to_take_as_long_the_next_time(models):
    opened()
    size = round(math.log2(pictures.samples()[0].image().rgb.size))
    assert pace.usual_s("run", FIRST, "auto", "fp32", size) > 0
    assert pace.usual_s("run", FIRST, "auto", "fp32", size + 3) is None


def test_paces_are_kept_for_a_bounded_number_of_things():
    for number in range(1000):
        pace.remember(number, "bounded", number)
    assert pace.usual_s("bounded", 999) == 999
    assert pace.usual_s("bounded", 0) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0042, "4.2 ms"), (0.083, "83 ms"), (1.236, "1.24 s"), (125, "2 min 5 s")]
)
def test_durations_are_read_easily(seconds, words):
    assert text.duration(seconds) == words


def test_the_zip_of_a_cached_answer_has_all_files(models):
    opened()
    image = pictures.samples()[0].image()
    run = cache.run(pictures.samples()[0].id, FIRST, "auto", "fp32", image, None)
    entry = Entry(run.prediction, image, catalog.find(FIRST), run.device, run.precision)
    names = zipfile.ZipFile(io.BytesIO(exports.zip_results([entry]))).namelist()
    assert {Path(name).suffix for name in names} == {".png", ".jpg", ".json", ".csv"}
