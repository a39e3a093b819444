"""Each Learn page opened and used once in a real browser, with fake models."""

import io
import re
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from steps import eventually, settled
from test_app import GREEN, pixel, upload

from segdemo import worked_example
from segdemo.labels import CAMVID
from segdemo.models.families import FAMILIES
from segdemo.worked_example import EXAMPLES


def pane(page, title):
    return page.locator(".pointing figure", has_text=re.compile(f"^{title}"))


def blended(class_name, opacity):
    color = np.array(CAMVID.colors[CAMVID.classes.index(class_name)])
    return opacity * color + (1 - opacity) * np.array(GREEN)


def point(stage, across, down):
    expect(stage).to_be_visible()  # while an upload replaces the picture there is none for a moment
    box = stage.bounding_box()
    stage.click(position={"x": across * box["width"], "y": down * box["height"]})


def test_three_kinds_a_click_in_one_picture_is_told_in_all(visit):
    page = visit("kinds")
    upload(page, "street.png")
    page.get_by_text("Shown on street.png").wait_for()
    stage = pane(page, "Semantic").locator(".stage")
    point(stage, 0.75, 0.75)
    expect(pane(page, "Semantic").locator(".note")).to_have_text(
        "road: one area of 19,200 pixels, 25.0 % of the picture"
    )
    expect(pane(page, "Instance").locator(".note")).to_contain_text("no object here")
    settled(page)
    np.testing.assert_allclose(pixel(stage, 0.25, 0.25), blended("sky", 0.6), atol=8)
    np.testing.assert_allclose(pixel(stage, 0.65, 0.9), blended("road", 0.6), atol=8)
    around = [pixel(stage, 0.5 + step / 300, 0.9).min() for step in range(-3, 4)]
    assert max(around) > pixel(stage, 0.65, 0.9).min() + 60  # the area under the cross has a white line

    stage.focus()
    for _ in range(15):
        page.keyboard.press("ArrowLeft")
    expect(pane(page, "Panoptic").locator(".note")).to_have_text(
        "building: one segment, 25.0 % of the picture, not counted"
    )


def test_the_timeline_moves_on_by_click_and_key_and_the_heat_lies_under_the_cross(visit):
    page = visit("story")
    chosen = next(family for family in FAMILIES if family.name == "SegFormer")
    after = FAMILIES[FAMILIES.index(chosen) + 1]
    page.get_by_role("radio", name=f"{chosen.name}, {chosen.year}").click()
    page.get_by_role("heading", name=f"{chosen.name}, {chosen.year}").wait_for()
    page.get_by_role("radio", name=f"{chosen.name}, {chosen.year}").press("ArrowRight")
    page.get_by_role("heading", name=f"{after.name}, {after.year}").wait_for()
    expect(page.get_by_text(after.introduced)).to_be_visible()

    stage = pane(page, "FCN").locator(".stage")
    point(stage, 0.25, 0.25)

    def lies_under_the_cross():
        answer = page.request.get(urljoin(page.url, stage.locator("img").get_attribute("src")))
        if not answer.ok:  # it has made way for the next
            return False
        drawn = np.asarray(Image.open(io.BytesIO(answer.body())))
        height, width, _ = drawn.shape
        rows, columns = np.nonzero(np.ptp(drawn.astype(int), axis=2) > 60)
        return abs(rows.mean() / height - 0.25) < 0.02 and abs(columns.mean() / width - 0.25) < 0.02

    eventually(page, lies_under_the_cross)


def test_the_stages_follow_the_place_that_is_pointed_at(visit):
    page = visit("pixels")
    upload(page, "street.png")
    page.get_by_text("Shown on street.png").wait_for()
    page.get_by_text("no score of every class for every pixel").wait_for()  # the usual network is a fake without stages
    page.get_by_test_id("stMain").get_by_text("FCN", exact=True).click()
    page.get_by_text("11 × 30 × 40").wait_for()
    expect(page.get_by_text("3 × 240 × 320")).to_be_visible()
    settled(page)
    stage = page.locator(".pointing .stage").last
    point(stage, 0.75, 0.75)
    expect(page.get_by_role("combobox", name="Logits of the class")).to_have_value("road")
    settled(page)
    crosses = page.locator(".pointing .cross")
    assert crosses.count() == 5
    assert {cross.get_attribute("style").split(";")[0] for cross in crosses.all()} == {
        crosses.first.get_attribute("style").split(";")[0]
    }


def cards(page):
    labels = page.get_by_test_id("stMetricLabel").all_inner_texts()
    return dict(zip(labels, page.get_by_test_id("stMetricValue").all_inner_texts(), strict=True))


def expected(truths, predictions):
    return {
        verdict.name: "no score" if np.isnan(verdict.value) else f"{100 * verdict.value:.1f} %"
        for verdict in worked_example.judge(truths, predictions)
    }


def test_painted_labels_change_the_scores_by_pointer_and_by_key(visit):
    page = visit("scores")
    page.get_by_role("grid", name="Prediction 1").wait_for()
    settled(page)
    truths, predictions = (
        [np.array(one, np.uint8) for one in side] for side in (EXAMPLES[0].truths, EXAMPLES[0].predictions)
    )
    assert cards(page) == expected(truths, predictions)

    page.get_by_role("radio", name=re.compile("^car")).click()
    cell = page.get_by_role("grid", name="Prediction 1").get_by_role("gridcell").nth(3)
    cell.click()
    predictions[0][0, 3] = 1
    mine = expected(truths, predictions)
    expect(page.get_by_test_id("stMetricValue").nth(1)).to_have_text(mine["MMSegmentation, Hugging Face"])
    settled(page)
    assert cards(page) == mine

    second = page.get_by_role("grid", name="Prediction 2").get_by_role("gridcell")
    second.first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "0"):
        page.keyboard.press(key)
    predictions[1][1, 3] = 0
    mine = expected(truths, predictions)
    expect(page.get_by_test_id("stMetricValue").nth(1)).to_have_text(mine["MMSegmentation, Hugging Face"])
    settled(page)
    assert cards(page) == mine
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_test_id("stMetricValue").nth(1)).to_have_text("44.4 %")


def test_uses_show_only_what_matters_to_them(visit):
    page = visit("uses")
    upload(page, "street.png")
    page.get_by_text("Shown on street.png").wait_for()
    settled(page)
    driving = page.get_by_alt_text(re.compile("classes drawn over it")).first
    driving.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    np.testing.assert_allclose(pixel(driving, 0.25, 0.25), GREEN, atol=8)
    np.testing.assert_allclose(pixel(driving, 0.75, 0.75), blended("road", 0.6), atol=8)


@pytest.mark.parametrize("path", ["story", "scores"])
def test_a_phone_needs_no_sideways_scrolling(visit, path):
    page = visit(path, width=390)
    page.get_by_test_id("stHeading").first.wait_for()
    page.wait_for_timeout(500)
    settled(page)
    for target in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        assert page.evaluate(f"{target}.scrollWidth <= {target}.clientWidth")
