"""The Evaluate page, driven as a person would, with fake models in place of networks."""

import time
from pathlib import Path

import pytest
from fakes import MISSING, FakeModels
from streamlit.testing.v1 import AppTest

from segdemo.datasets import open_dataset
from segdemo.models import catalog, weights
from segdemo.results import FIRST_RUNS, Results
from segdemo.ui import cache, state

ROOT = Path(__file__).parents[1]
FIRST, SECOND = state.FIRST_MODELS


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "results.sqlite"))
    for kept in (cache.model, cache.run, cache.results, cache.run_scores, cache.comparison, cache.confused):
        kept.clear()
    yield
    cache.results.clear()


@pytest.fixture
def models(monkeypatch, store, tmp_path):
    Results(tmp_path / "empty.sqlite").copy_to(tmp_path / "none.sqlite")
    monkeypatch.setattr(cache, "FIRST_RUNS", tmp_path / "none.sqlite")
    fakes = FakeModels()
    monkeypatch.setattr("segdemo.models.load", fakes.load)
    return fakes


def opened():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page("screens/measure/evaluate.py").run()
    assert not app.exception
    return app


def button(app, start):
    return next(b for b in app.button if b.label.startswith(start))


def evaluate(app):
    button(app, "Evaluate").click().run()
    running = app.session_state[state.EVALUATION]
    assert running.ended.wait(60)
    app.run()
    assert not app.exception
    return app


def table(app, column):
    return next(frame.value for frame in app.dataframe if column in frame.value.columns)


def test_running_the_chosen_models_fills_the_page(models):
    app = evaluate(opened())
    assert [model.precision for model in models.made[-2:]] == ["fp32", "fp32"]
    scored = table(app, "mean IoU %")
    assert len(scored) == 2
    assert scored["pictures"].tolist() == [20, 20]
    assert sorted(len(model.looked_at) for model in models.made)[-2:] == [20, 20]
    assert {"Models", "Classes", "Look into one model"} <= {header.value for header in app.subheader}


def test_another_convention_changes_the_score_without_running_a_model(models):
    app = evaluate(opened())
    before, made = table(app, "mean IoU %"), len(models.made)
    app.selectbox(key=state.CONVENTION).set_value("per_image").run()
    after = table(app, "mean IoU %")
    assert before["mean IoU %"].tolist() != after["mean IoU %"].tolist()
    assert len(models.made) == made


def test_a_finished_run_is_there_for_the_next_visitor(models):
    evaluate(opened())
    assert len(table(opened(), "mean IoU %")) == 2


def test_a_failing_model_is_told_of_and_the_other_is_scored(models):
    models.failing[FIRST] = MISSING
    app = evaluate(opened())
    assert any("weights of this model are missing" in error.value for error in app.error)
    assert len(table(app, "mean IoU %")) == 1


def test_without_runs_the_page_says_what_to_do(models):
    assert any("press Evaluate" in info.value for info in opened().info)


def test_a_newcomer_sees_a_finished_run_of_every_starter(store, monkeypatch):
    monkeypatch.setattr("segdemo.models.load", FakeModels().load)
    table_of_models = table(opened(), "mean IoU %")
    assert sorted(table_of_models["model"]) == sorted(s.title for s in catalog.CATALOG if s.source == "starter")
    assert table_of_models["mean IoU %"].min() > 10


def test_the_runs_that_come_with_the_app_are_those_of_its_starters_and_scenes(tmp_path):
    kept = Results(tmp_path / "results.sqlite")
    kept.adopt(FIRST_RUNS)
    digest = open_dataset("street-scenes:20").digest
    expected = {s.key: weights.fingerprint(s) for s in catalog.CATALOG if s.source == "starter"}
    assert {run.identity.dataset_digest for run in kept.runs()} == {digest}
    assert {run.identity.model: run.identity.weights for run in kept.runs()} == expected


def test_a_confusion_leads_to_the_pictures_that_hold_it(models):
    app = evaluate(opened())
    which = next(box for box in app.selectbox if box.label == "Which pictures")
    worst = next(box for box in app.selectbox if box.label == "Picture").options
    assert "seen as" in which.options[1]
    which.select_index(1).run()
    holding = next(box for box in app.selectbox if box.label == "Picture").options
    assert all(option.endswith("pixels") for option in holding)
    assert all(option.endswith("mean IoU") for option in worst)
    assert not app.exception


def test_stopping_keeps_what_is_scored(models, monkeypatch):
    app = opened()
    monkeypatch.setattr("fakes.FakeModel.forward", lambda self, inputs: time.sleep(0.2) or inputs)
    button(app, "Evaluate").click().run()
    running = app.session_state[state.EVALUATION]
    running.stopped.set()
    assert running.ended.wait(60)
    app.run()
    [run] = cache.results().runs()
    assert run.finished is None
    assert len(cache.results().done(run)) < 20
