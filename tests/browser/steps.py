"""What a person does on a page of Streamlit's, and a test with it."""

from playwright.sync_api import Error, TimeoutError


def settled(page):
    """Wait until the page is drawn."""
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')")


def click(control, outcome):
    """Click until the outcome is there: a page that is drawn anew meanwhile may take a click with it."""
    for _ in range(5):
        control.click()
        try:
            return outcome.wait_for(timeout=30_000)
        except TimeoutError:
            continue
    raise AssertionError(f"{control} does not lead to {outcome}")


def choose(page, label, option):
    """Choose in a select box; its list closes where the page is drawn anew below the click."""
    box, wanted = page.get_by_role("combobox", name=label), page.get_by_role("option", name=option)
    for _ in range(10):
        box.click()
        try:
            return wanted.click(timeout=10_000)
        except TimeoutError:
            continue
    raise AssertionError(f"{label!r} does not offer {option!r}")


def eventually(page, fact):
    """Wait for a fact about the page that no element tells of."""
    for _ in range(300):
        if fact():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it has not come true within 30 s")


def photographed(element):
    """A screenshot of an element that a page drawn anew may replace meanwhile, as PNG."""
    for _ in range(5):
        try:
            return element.screenshot()
        except Error as error:
            if "not attached" not in str(error):
                raise
            element.page.wait_for_timeout(300)
    raise AssertionError(f"{element} does not stay on the page")
