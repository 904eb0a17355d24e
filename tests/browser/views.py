"""Pictures of every view, light and dark, wide and narrow, to be looked at: `python -m tests.browser.views FOLDER`."""

from __future__ import annotations

import pathlib
import sys
import tempfile

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import OPTIONS, SIZES, Server, chromium
from tests.browser.steps import layer, open_example, train, view

VIEWS = {
    "Layer": "Spiral",
    "Inside": "CNN on digits",
    "Weights": "CNN on digits",
    "Confusion": "CNN on digits",
    "Runs": "Two outputs",
    "Code": "Spiral",
    "Learn": "Spiral",
}
OTHERS = ("Two inputs", "Autoencoder", "GAN", "Too high a learning rate")


def taken(page: Page, folder: pathlib.Path, name: str) -> None:
    """Take pictures of the page in both themes and sizes."""
    for size, pixels in SIZES.items():
        page.set_viewport_size(pixels)  # pyright: ignore[reportArgumentType]
        for theme in ("light", "dark"):
            if page.evaluate("document.documentElement.dataset.theme") != theme:
                page.locator("header").get_by_role("button", name=f"{theme.title()} colours").click()
            page.wait_for_timeout(400)
            page.screenshot(path=folder / f"{name}-{size}-{theme}.png", full_page=True)
    page.set_viewport_size(SIZES["wide"])  # pyright: ignore[reportArgumentType]


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as programs, sync_playwright() as driver:
        server = Server(pathlib.Path(programs))
        page = driver.chromium.launch(executable_path=chromium(), args=OPTIONS).new_page(viewport=SIZES["wide"])  # pyright: ignore[reportArgumentType]
        page.goto(server.address)
        page.get_by_role("tablist").wait_for()
        taken(page, folder, "first")
        shown = "Spiral"
        for title, example in VIEWS.items():
            if example != shown or title == "Layer":
                open_example(page, example)
                train(page, 120)
                shown = example
            if title == "Layer":
                layer(page, "dense_1").click()
            view(page, title)
            taken(page, folder, title.lower())
        for example in OTHERS:
            open_example(page, example)
            page.get_by_role("button", name="Play", exact=True).click()
            page.get_by_text("Done", exact=True).or_(page.get_by_text("Failed", exact=True)).first.wait_for(timeout=120_000)
            taken(page, folder, example.lower().replace(" ", "-"))
        page.context.close()
        server.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
