"""The Benchmark page in a real browser, with fake models."""

import re
from pathlib import Path

from playwright.sync_api import expect
from steps import settled

from segdemo import benchmark


def run_small(page):
    """Time what is chosen, and wait until the new run is the one that is shown."""
    run = page.get_by_role("combobox", name="Run", exact=True)
    before = run.input_value()
    page.get_by_role("button", name="Time 2 models, 2 cases").click()
    expect(run).not_to_have_value(before, timeout=120_000)
    expect(run).to_have_value(re.compile("yours"))
    page.get_by_role("button", name="Time 2 models, 2 cases").wait_for()
    settled(page)


def downloaded(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Download run (JSON)").click()
    return benchmark.parse(Path(download.value.path()).read_text(encoding="utf-8"))


def test_run_a_small_one_compare_two_download_one_and_stop_one(visit):
    page = visit("benchmark?models=starter/fcn,starter/mask2former")
    page.get_by_text("256 × 256", exact=True).click()
    page.get_by_text("Time 2 models, 4 cases").wait_for()
    page.get_by_text("512 × 512", exact=True).first.click()
    run_small(page)
    run_small(page)
    page.get_by_role("heading", name="Beside another run").wait_for()
    settled(page)

    report = downloaded(page)
    assert [(one.case.model, one.case.size_hw) for one in report.measurements] == [
        ("starter/fcn", (256, 256)),
        ("starter/mask2former", (256, 256)),
    ]
    assert all(len(samples) == 10 for one in report.measurements for samples in one.samples.values())

    for label in ("1024 × 1024", "8", "50"):
        page.get_by_text(label, exact=True).first.click()
        settled(page)
    page.get_by_role("button", name="Time 2 models, 8 cases").click()
    page.get_by_role("button", name="Stop timing").click()
    page.get_by_role("button", name="Time 2 models, 8 cases").wait_for()
    settled(page)
    assert downloaded(page).started == report.started


def test_a_phone_needs_no_sideways_scrolling(visit):
    page = visit("benchmark", width=390)
    page.get_by_role("button", name="Download run (JSON)").wait_for()
    settled(page)
    for target in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        assert page.evaluate(f"{target}.scrollWidth <= {target}.clientWidth")
