"""Evaluation in a real browser, with fake models: above class 0 (sky), below 1 (building) and 3 (road)."""

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from steps import choose, click, eventually, settled

from segdemo.labels import CAMVID
from segdemo.models import catalog
from segdemo.ui.state import FIRST_MODELS

TITLES = [catalog.find(key).title for key in FIRST_MODELS]


def tables(page):
    return page.get_by_test_id("stDataFrame").filter(visible=True)


def rows(page, place):
    """A table's cells as the screen reader meets them: it is drawn on a canvas."""
    cells = "t => [...t.querySelectorAll('tbody tr')].map(r => [...r.querySelectorAll('td')].map(c => c.textContent))"
    return tables(page).nth(place).locator("table").evaluate(cells)


def mean_iou(page):
    return {row[0]: row[1] for row in rows(page, 0)}


@pytest.fixture
def scored(visit):
    """The page after the chosen models were run over the six labelled pictures of `datasets`."""
    page = visit()
    page.get_by_role("link", name="Evaluate", exact=True).click()
    evaluate = page.get_by_role("button", name="Evaluate 2 models on 6 pictures")
    click(page.get_by_text("On this machine"), evaluate)
    evaluate.click()
    page.get_by_alt_text("Errors of images/5.png").wait_for()
    settled(page)
    return page


def test_the_page_opens_with_a_finished_run(visit):
    page = visit("evaluate")
    page.get_by_alt_text("Errors of").wait_for()
    settled(page)
    assert sorted(mean_iou(page)) == sorted(s.title for s in catalog.CATALOG if s.source == "starter")


def test_generated_scenes_are_scored_and_shown(visit):
    page = visit()
    page.get_by_role("link", name="Evaluate", exact=True).click()
    page.get_by_alt_text("Errors of").wait_for()
    settled(page)
    evaluate = page.get_by_role("button", name="Evaluate 2 models on 60 pictures")
    click(page.get_by_text("60", exact=True).first, evaluate)
    click(evaluate, page.get_by_text("of 60 pictures"))
    page.get_by_alt_text("Errors of").wait_for(timeout=600_000)  # drawing 60 scenes takes a busy machine minutes
    settled(page)
    assert sorted(mean_iou(page)) == sorted(TITLES)
    assert all(0 < float(value) < 100 for value in mean_iou(page).values())  # the fakes know sky, building and road


def test_evaluate_sort_look_at_the_worst_switch_convention_and_download(scored, app_log):
    page = scored
    assert sorted(mean_iou(page)) == sorted(TITLES)

    classes = tables(page).nth(1)
    before = [row[0] for row in rows(page, 1)]
    classes.scroll_into_view_if_needed()
    box = classes.bounding_box()
    page.mouse.click(box["x"] + 40, box["y"] + 16)  # the head of the first column
    page.wait_for_timeout(1000)
    after = [row[0] for row in rows(page, 1)]
    assert after == sorted(before) != before

    errors = page.get_by_alt_text("Errors of images/5.png")  # the worst: most of it is not what the models say
    errors.wait_for()
    errors.scroll_into_view_if_needed()
    settled(page)
    screen = np.asarray(Image.open(io.BytesIO(errors.screenshot())).convert("RGB")).astype(int)
    height, width = screen.shape[:2]
    right, wrong = screen[height // 4, width // 2], screen[int(0.95 * height), width // 4]
    assert right[1] > right[0] + 40
    assert wrong[0] > wrong[1] + 40

    loaded, before = app_log.read_text().count("loading "), mean_iou(page)
    choose(page, "Mean IoU as counted by", "Mean of the pictures")
    page.get_by_text("the pictures are averaged").wait_for()
    eventually(page, lambda: mean_iou(page) != before)
    assert app_log.read_text().count("loading ") == loaded

    with page.expect_download() as download:
        page.get_by_role("button", name="Download classes (CSV)").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["model"] for row in table[::11]] == list(FIRST_MODELS)
    sky = next(row for row in table if row["class"] == "sky")
    assert float(sky["iou"]) == 1


def test_a_click_on_a_confusion_leads_to_its_pictures(scored):
    page = scored
    chart = page.get_by_test_id("stPlotlyChart").first
    chart.scroll_into_view_if_needed()
    settled(page)
    names = list(CAMVID.classes)
    # Cars, at the foot of the pictures, are called road on their right side.
    cell = chart.locator(".scatterlayer .point").nth(names.index("car") * 12 + names.index("road"))
    box = cell.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    chart.get_by_text("truth car, prediction road").wait_for()
    page.mouse.down()
    page.mouse.up()
    which = page.get_by_role("combobox", name="Which pictures")
    expect(which).to_have_value(re.compile("car seen as road"), timeout=60_000)
    page.get_by_text("Red: the pixels that were chosen above").wait_for()


def test_a_phone_needs_no_sideways_scrolling(visit):
    page = visit("evaluate", width=390)
    page.get_by_alt_text("Errors of").wait_for()
    settled(page)
    for target in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        assert page.evaluate(f"{target}.scrollWidth <= {target}.clientWidth")
