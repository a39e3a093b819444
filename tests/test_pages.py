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
from fakes import MISSING, READER, FakeModels
from model_list import choose
from PIL import Image
from streamlit.testing.v1 import AppTest

from segdemo import exports, labels
from segdemo.exports import Entry
from segdemo.models import NO_EXTRAS, catalog
from segdemo.tables import BEST
from segdemo.ui import cache, jobs, pace, pictures, state, text
from segdemo.ui.jobs import Job

ROOT = Path(__file__).parents[1]
COMPARE = "screens/explore/compare.py"
SCENE = next(iter(pictures.SCENES.values()))
FIRST, SECOND = state.FIRST_MODELS


@pytest.fixture
def nothing_kept():
    for kept in (cache.model, cache.run, cache.viewer_files, cache.agreement, cache.regions):
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


def written(app):
    """Everything that is written on the page and in the sidebar."""
    kinds = ("header", "subheader", "markdown", "caption", "info", "warning", "error")
    return "\n".join(element.value for kind in kinds for element in app.get(kind))


def class_table(app):
    """The table of classes, which on the Compare page stands below others."""
    [table] = [frame.value for frame in app.dataframe if frame.value.index.name == "class"]
    return table


def shown_name(app):
    return app.header[0].value


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def test_the_server_keeps_its_protections():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["server"]["address"] == "127.0.0.1"
    assert not {"enableCORS", "enableXsrfProtection", "corsAllowedOrigins"} & set(config["server"])
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"


def test_the_server_watches_no_files_for_a_virtual_environment_here_would_cost_the_first_visit_seconds():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["server"]["fileWatcherType"] == "none"


def test_no_html_is_let_through():
    sources = [*ROOT.glob("screens/**/*.py"), *ROOT.glob("segdemo/ui/**/*.py"), ROOT / "streamlit_app.py"]
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


def test_the_table_shows_the_fake_answers_shares(models):
    table = opened().dataframe[0].value
    assert table.loc["sky", "share %"] == 50
    assert table.loc["building", "share %"] == 25


def test_one_model_is_seen_through_the_viewer_too(models):
    app = opened()
    seen = viewed(app)
    assert [model["key"] for model in seen["models"]] == [FIRST]
    assert seen["truth"]["classes"] == list(labels.CAMVID.classes)
    assert seen["regions"] == []


def test_a_second_look_never_runs_a_model_again(models):
    app = opened()
    seen = len(models.looked_at())
    app.toggle(key=state.SCENE_LABELS).set_value(False).run()
    assert len(models.looked_at()) == seen
    app.switch_page(COMPARE).run()
    assert [key for key, _ in models.looked_at()[seen:]] == [SECOND, SECOND]
    seen = len(models.looked_at())
    app.switch_page("screens/explore/segment.py").run()
    app.switch_page(COMPARE).run()
    assert len(models.looked_at()) == seen
    assert not app.exception


def test_a_warm_model_looks_at_the_next_picture_once(models):
    app = opened()
    seen = len(models.looked_at())
    app.button(key=f"show:{pictures.samples()[1].id}").click().run()
    assert len(models.looked_at()) == seen + 1


def test_without_a_model_the_page_says_what_to_do(models):
    app = choose(opened())
    assert "Choose a model in the sidebar" in written(app)
    app.switch_page(COMPARE).run()
    assert "Choose two to six models" in written(app)
    assert not app.exception


def test_at_most_six_models_can_be_chosen(models, monkeypatch):
    monkeypatch.setattr(state, "MOST_MODELS", 2)
    app = opened()
    assert app.checkbox(key=state.model_key("starter/fcn")).disabled
    assert not app.checkbox(key=state.model_key(FIRST)).disabled


def test_a_family_lists_its_models_once_it_is_opened_and_keeps_its_ticks_when_it_is_closed(models):
    app = opened()
    large = state.model_key("torchvision/fcn_resnet101")
    assert state.model_key("starter/fcn") in [box.key for box in app.sidebar.checkbox]
    assert large not in [box.key for box in app.sidebar.checkbox]
    app.session_state["family:FCN"] = True
    app.run().checkbox(key=large).check().run()
    app.session_state["family:FCN"] = False
    app.run()
    assert large not in [box.key for box in app.sidebar.checkbox]
    titles = text.plain("DeepLabV3 starter, Mask2Former starter, FCN ResNet-101")
    assert f"3 of at most 6 chosen: {titles}" in written(app)


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
    assert f"Only the first {pictures.MOST_UPLOADS} pictures" in written(app)
    assert text.plain(f"{pictures.MOST_UPLOADS}.png") not in [button.label for button in app.sidebar.button]


def test_the_viewer_shows_every_model_and_the_labels_in_one_set_of_classes(models):
    voc = next(spec for spec in catalog.CATALOG if spec.space.name == labels.VOC.name)
    app = choose(opened(COMPARE), voc.key, FIRST)
    seen = viewed(app)
    assert sorted(model["title"] for model in seen["models"]) == sorted([catalog.find(FIRST).title, voc.title])
    assert {row["name"] for row in seen["classes"]} == {*labels.CAMVID.classes, *labels.VOC.classes}
    assert [row["name"] for row in seen["classes"] if row["background"]] == ["background"]
    assert seen["truth"]["classes"] == list(labels.CAMVID.classes)
    assert "know different classes" in written(app)


def test_six_models_are_viewed_together(models):
    others = [spec.key for spec in catalog.CATALOG if spec.key not in state.FIRST_MODELS]
    six = [*state.FIRST_MODELS, *others[: 6 - len(state.FIRST_MODELS)]]
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
    assert f"**{catalog.find(FIRST).title}**" in written(app)
    assert [model["title"] for model in viewed(app)["models"]] == [catalog.find(SECOND).title]
    [error] = app.error
    assert error.value == text.plain(str(MISSING))
    assert list(metrics(app)) == [catalog.find(SECOND).title]
    assert list(class_table(app).columns) == ["share %", "IoU %"]


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
    assert text.plain("Something went wrong inside segdemo; the log has the details.") in written(app)
    assert "secret detail" not in written(app)
    assert "secret detail" in caplog.text


def test_a_fault_in_a_page_is_told_without_details_and_logged(models, monkeypatch, caplog):
    monkeypatch.setattr("segdemo.ui.results.show_metrics", lambda *_: 1 / 0)
    app = opened()
    assert "Something went wrong inside segdemo" in written(app)
    assert "division by zero" in caplog.text


def test_a_label_image_adds_the_iou_of_every_class(models):
    app = upload(opened(), ("street.png", photo(size_hw=(40, 60))))
    assert "Image mean IoU" not in metrics(app)
    truth = np.zeros((40, 60), np.uint8)  # the fake calls the upper half sky, too
    app = give_labels(app, png(truth))
    assert metrics(app)["Image mean IoU"] == "16.7 %"  # sky 0.5, building 0, road 0
    assert "over the 3 classes in truth or prediction" in written(app)
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
    assert "These models know different classes" in written(app)


def test_a_model_of_another_label_set_is_scored_on_the_classes_that_it_shares_with_the_labels(models):
    voc = next(spec for spec in catalog.CATALOG if spec.space.name == labels.VOC.name)
    app = choose(opened(COMPARE), voc.key, FIRST)
    assert set(metrics(app)) >= {voc.title, catalog.find(FIRST).title}
    assert "CamVid-11 and VOC-21 are compared on:" in written(app)


def test_a_label_image_is_read_in_the_classes_that_the_person_names(models):
    voc = next(spec for spec in catalog.CATALOG if spec.space.name == labels.VOC.name)
    app = choose(upload(opened(COMPARE), ("street.png", photo())), voc.key, FIRST)
    app = give_labels(app, png(np.full((40, 60), labels.VOC.classes.index("person"), np.uint8)))
    [space] = [box for box in app.sidebar.selectbox if box.label == "Its classes are those of"]
    assert space.value == next(spec.space.name for spec in catalog.CATALOG if spec.key in (voc.key, FIRST))
    space.set_value(labels.VOC.name).run()
    assert viewed(app)["truth"]["classes"] == list(labels.VOC.classes)
    assert not app.exception


def test_the_best_model_of_each_class_is_named_beside_its_iou(models):
    models.says[SECOND] = 3  # road everywhere
    table = opened(COMPARE).dataframe[-1].value
    best = table[table.columns[-1]]
    first, second = (catalog.find(key).title for key in (FIRST, SECOND))
    assert best["building"] == first
    assert best["road"] in (first, second)


def test_comparing_shows_the_numbers_of_each_model_and_says_what_was_timed(models):
    app = opened(COMPARE)
    titles, kinds = [catalog.find(key).title for key in (FIRST, SECOND)], ["share %", "IoU %"]
    assert class_table(app).columns.tolist() == [*((title, kind) for title in titles for kind in kinds), (BEST, "")]
    where = text.plain(cache.device_name("auto"))
    assert f"One run at 640 × 480 pixels on {where}, bf16" in written(app)
    assert "after a warm-up run" in written(app)


def test_without_labels_the_models_stand_side_by_side_below_what_they_are_compared_by(models):
    app = upload(opened(COMPARE), ("street.png", photo()))
    titles = [catalog.find(key).title for key in (FIRST, SECOND)]
    assert class_table(app).columns.tolist() == [("share %", title) for title in titles]


def test_two_models_of_one_title_are_told_apart_by_their_keys(models, monkeypatch):
    twin = replace(catalog.find(FIRST), key="elsewhere/twin")
    monkeypatch.setattr(catalog, "CATALOG", (*catalog.CATALOG, twin))
    app = choose(opened(COMPARE), FIRST, twin.key)
    title = twin.title
    called = [f"{title} ({key})" for key in (FIRST, twin.key)]
    assert list(dict.fromkeys(class_table(app).columns.get_level_values(0))) == [*called, BEST]
    assert [model["title"] for model in viewed(app)["models"]] == called


def test_every_starter_says_what_it_is(models):
    assert "Starters know 11 street classes" in written(opened())
    assert "Starters know 11 street classes" in written(opened(COMPARE))


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
    assert pace.usual_s("run", FIRST, "auto", "auto", NO_EXTRAS, size) > 0
    assert pace.usual_s("run", FIRST, "auto", "auto", NO_EXTRAS, size + 3) is None


def test_paces_are_kept_for_a_bounded_number_of_things():
    for number in range(1000):
        pace.remember(number, "bounded", number)
    assert pace.usual_s("bounded", 999) == 999
    assert pace.usual_s("bounded", 0) is None


def test_the_zip_of_a_cached_answer_has_all_files(models):
    opened()
    image = pictures.samples()[0].image()
    run = cache.run(pictures.samples()[0].id, FIRST, "auto", "auto", NO_EXTRAS, image, None)
    entry = Entry(run.prediction, image, catalog.find(FIRST), run.device, run.precision)
    names = zipfile.ZipFile(io.BytesIO(exports.zip_results([entry]))).namelist()
    assert {Path(name).suffix for name in names} == {".png", ".jpg", ".json", ".csv"}


def test_models_that_say_the_same_agree(models):
    app = opened(COMPARE)
    assert (metrics(app)["Mean IoU"], metrics(app)["Same class"]) == ("100.0 %", "100.0 %")
    assert "The models say the same everywhere" in written(app)
    assert viewed(app)["regions"] == []


def test_where_models_contradict_each_other_is_told_in_numbers_words_and_places(models):
    models.says[SECOND] = 3  # road everywhere
    app = opened(COMPARE)
    assert (metrics(app)["Mean IoU"], metrics(app)["Same class"]) == ("8.3 %", "25.0 %")  # road 1/4, sky and building 0
    [table] = [frame.value for frame in app.dataframe if "picture %" in frame.value]
    first, second = (catalog.find(key).title for key in (FIRST, SECOND))
    assert table[[first, second]].to_numpy().tolist() == [["sky", "road"], ["building", "road"]]
    assert table["picture %"].tolist() == [50, 25]
    region = viewed(app)["regions"][0]
    assert region["share"] == 1
    assert set(region["words"]) & {f"{first}: sky", f"{first}: building"}


def test_three_models_have_a_matrix(models):
    models.says[SECOND] = 3
    app = choose(opened(COMPARE), FIRST, SECOND, "starter/fcn")
    charts = [json.loads(chart.proto.spec)["data"][0] for chart in app.get("plotly_chart")]
    [matrix] = [chart for chart in charts if chart["type"] == "heatmap"]
    assert (
        sorted(matrix["x"])
        == sorted(matrix["y"])
        == sorted(catalog.find(k).title for k in (FIRST, SECOND, "starter/fcn"))
    )
    assert "Mean IoU of one answer with the other" in written(app)


def test_models_with_no_class_in_common_are_not_compared(models, monkeypatch):
    cells = replace(labels.CAMVID, name="cells", classes=tuple(f"cell {i}" for i in range(11)))
    other = replace(catalog.find(FIRST), key="elsewhere/cells", title="Cells", space=cells)
    monkeypatch.setattr(catalog, "CATALOG", (*catalog.CATALOG, other))
    app = choose(opened(COMPARE), FIRST, other.key)
    assert "no class in common" in written(app)
    assert viewed(app)["shared"][0][:2] == [3, 1]  # the labels are held against the model that knows them alone
    assert len(viewed(app)["shared"]) == 1


def film(app):
    """The captions of the strip of pictures, by the picture's name."""
    captions = [c.value for c in app.main.caption if c.value.startswith(("agreement", "not run", "nothing to"))]
    names = [b.label for b in app.main.button if b.key and b.key.startswith("film:")]
    return dict(zip(names, captions, strict=True))


def press(app, label):
    [button] = [b for b in app.main.button if b.label == label]
    button.click().run()
    assert not app.exception


def test_the_strip_shows_how_far_models_agree_on_each_picture_and_moves_on(models):
    app = opened(COMPARE)
    assert film(app) == {name: "not run yet" for name in pictures.SCENES.values()} | {SCENE: "agreement 100.0 %"}
    press(app, "Next")
    assert shown_name(app) == list(pictures.SCENES.values())[1]
    press(app, "Previous")
    press(app, "Previous")
    assert shown_name(app) == list(pictures.SCENES.values())[-1]
    press(app, f"Run these models on the other {len(pictures.SCENES) - 3}")
    assert set(film(app).values()) == {"agreement 100.0 %"}
    assert not [b for b in app.main.button if b.label.startswith("Run these")]


def test_the_strip_is_of_ones_own_pictures_and_sorts_by_disagreement(models):
    models.says[SECOND] = 0  # sky: the fake of the first reads its classes from pictures that are made for it
    app = choose(opened(COMPARE), READER, SECOND)
    app = upload(app, ("sky.png", made_for_reader(0, 1)), ("mixed.png", made_for_reader(1, 5)))
    press(app, "Run these models on the other 1")
    names = [text.plain(name) for name in ("sky.png", "mixed.png")]
    assert list(film(app)) == names
    app.segmented_control(key=state.ORDER).set_value("Least agreement first").run()
    assert list(film(app)) == names[::-1]


def made_for_reader(*classes):
    rows = [np.full((20, 60, 3), class_id, np.uint8) for class_id in classes]
    return png(np.concatenate(rows))


def test_a_link_opens_its_models_and_its_picture(models):
    picture = pictures.samples()[2]
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    app.query_params["models"] = f"starter/fcn,{SECOND}"
    app.query_params["picture"] = picture.id
    app.run().switch_page(COMPARE).run()
    assert shown_name(app) == picture.name
    assert viewed(app)["link"] == {"models": ["starter/fcn", SECOND], "picture": picture.id}
    press(app, "Next")
    assert viewed(app)["link"]["picture"] == pictures.samples()[3].id


def test_a_link_with_models_and_a_picture_that_are_not_here_opens_the_usual_ones_and_says_so(models):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    app.query_params["models"] = "elsewhere/<b>secret</b>"
    app.query_params["picture"] = "../../etc/passwd"
    app.run()
    assert shown_name(app) == SCENE
    assert text.plain("elsewhere/<b>secret</b>, ../../etc/passwd") in written(app)
    assert [model["key"] for model in viewed(app)["models"]] == [FIRST]
    app.toggle(key=state.SCENE_LABELS).set_value(False).run()
    assert "secret" not in written(app)


def test_a_picture_of_ones_own_is_in_no_link(models):
    app = upload(opened(), ("street.png", photo()))
    assert viewed(app)["link"]["picture"] is None


def test_label_maps_above_12_megapixels_are_sent_smaller(models):
    app = upload(opened(), ("large.png", photo(size_hw=(3200, 4800))))
    sent = viewed(app)["picture"]
    assert sent["width"] * sent["height"] <= 12_000_000 < (sent["width"] + 2) * (sent["height"] + 2)
    assert sent["scale"] * sent["width"] == 4800


def test_other_extras_are_another_answer_which_says_so_and_is_kept_like_any(models):
    app = opened()
    app.sidebar.selectbox(key=state.TILE).set_value(256)
    app.sidebar.selectbox(key=state.TTA).set_value("flip").run()
    assert not app.exception
    assert "Seen with tiles of 256 pixels and flipped views." in written(app)
    seen = len(models.looked_at())
    assert seen > 2 * 2 * 2  # views of several tiles
    app.sidebar.selectbox(key=state.TILE).set_value(None)
    app.sidebar.selectbox(key=state.TTA).set_value("none").run()
    assert "Seen with" not in written(app)
    app.sidebar.selectbox(key=state.TILE).set_value(256)
    app.sidebar.selectbox(key=state.TTA).set_value("flip").run()
    assert len(models.looked_at()) == seen


def test_models_of_segments_take_the_tiles_alone_and_the_page_says_so(models):
    app = opened(COMPARE)
    app.sidebar.selectbox(key=state.TILE).set_value(512)
    app.sidebar.selectbox(key=state.TTA).set_value("flip").run()
    assert not app.exception
    first, second = (catalog.find(key).title for key in (FIRST, SECOND))
    assert f"with tiles of 512 pixels and flipped views ({first}), with tiles of 512 pixels ({second})" in written(app)
    assert f"tiles alone apply to: {second}." in written(app)
    assert not app.sidebar.selectbox(key=state.TTA).disabled


def test_where_no_chosen_model_can_have_views_or_the_crf_they_are_disabled(models):
    app = opened()
    app.sidebar.checkbox(key=state.model_key(FIRST)).uncheck().run()
    assert app.sidebar.selectbox(key=state.TTA).disabled
    assert app.sidebar.toggle(key=state.CRF).disabled
    assert not app.sidebar.selectbox(key=state.TILE).disabled
