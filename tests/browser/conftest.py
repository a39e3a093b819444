"""The app on a free port, and Chromium to look at it."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def app_url(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("app") / "log.txt"
    with log.open("w") as out:
        app = subprocess.Popen(
            [sys.executable, ROOT / "tests/browser/serve.py", str(port)], cwd=ROOT, stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/_stcore/health", app, log)
        yield url
    finally:
        app.terminate()
        app.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def chromium():
    """One profile for all, so that the app's scripts are fetched and compiled once; every page is a new person."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(accept_downloads=True)
        context.set_default_timeout(120_000)  # a busy machine
        yield context
        browser.close()


@pytest.fixture
def visit(chromium, app_url):
    """Open a page of the app as a new person, at a width."""
    pages = []

    def opened(path="", width=1280):
        pages.append(chromium.new_page())
        pages[-1].set_viewport_size({"width": width, "height": 900})
        pages[-1].goto(f"{app_url}/{path}")
        return pages[-1]

    yield opened
    for page in pages:
        page.close()


def _wait(url, app, log):
    for _ in range(240):
        if app.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"the app does not answer:\n{log.read_text()}")
