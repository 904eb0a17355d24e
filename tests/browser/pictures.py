"""The pictures of the README and of the guide, made anew: `python -m tests.browser.pictures`."""

from __future__ import annotations

import io
import pathlib
import tempfile

from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.browser.conftest import OPTIONS, Server, chromium
from tests.browser.steps import await_state, layer, open_example, press, region, train, view

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "pictures"
SIZE = {"width": 1280, "height": 836}
TALL = {"width": 1280, "height": 2400}  # in which a part is seen as a whole
SCALE = 1.5
LARGEST = 250_000  # bytes of a picture


def taken(page: Page, name: str, part: Locator | None = None, margin: float = 12) -> None:
    """Keep what is seen of the page, or of one of its parts, in both themes."""
    page.set_viewport_size(TALL if part else SIZE)  # pyright: ignore[reportArgumentType]
    for theme in ("light", "dark"):
        if page.evaluate("document.documentElement.dataset.theme") != theme:
            page.locator("header").get_by_role("button", name=f"{theme.title()} colours").click()
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(800)
        path = FOLDER / f"{name}-{theme}.png"
        seen = page.screenshot(clip=around(part, margin) if part else None)  # pyright: ignore[reportArgumentType]
        image = Image.open(io.BytesIO(seen)).convert("RGB")
        image.save(path, optimize=True)
        if path.stat().st_size > LARGEST:
            image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        assert path.stat().st_size < LARGEST, f"{path} has {path.stat().st_size} bytes"
        print(path.relative_to(FOLDER.parent), path.stat().st_size)


def around(part: Locator, margin: float) -> dict[str, float]:
    """The place of a part, with a margin."""
    box = part.bounding_box()
    assert box is not None, part
    return {"x": box["x"] - margin, "y": box["y"] - margin, "width": box["width"] + 2 * margin, "height": box["height"] + 2 * margin}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as programs, sync_playwright() as driver:
        server = Server(pathlib.Path(programs))
        browser = driver.chromium.launch(executable_path=chromium(), args=OPTIONS)
        page = browser.new_page(viewport=SIZE, device_scale_factor=SCALE)  # pyright: ignore[reportArgumentType]
        page.goto(server.address)
        page.get_by_role("tablist").wait_for()
        train(page, 120)
        taken(page, "spiral")
        panel = view(page, "Runs")
        panel.get_by_role("button", name="Run on jax and torch").click()
        expect(panel.get_by_role("cell", name="done")).to_have_count(3, timeout=120_000)
        taken(page, "runs", panel)
        open_example(page, "Too high a learning rate")
        press(page, "Play")
        await_state(page, "Failed")
        taken(page, "trouble", page.get_by_role("alert", name="What went wrong"))
        open_example(page, "Two inputs")
        layer(page, "left_flat").click()
        view(page, "Layer").get_by_role("button", name="Remove").click()
        layer(page, "both").click()
        expect(view(page, "Layer").get_by_role("alert")).to_be_visible()
        taken(page, "error", region(page, "Network"), margin=0)
        open_example(page, "CNN on digits")
        train(page, 240)
        taken(page, "inside", view(page, "Inside"))
        panel = view(page, "Confusion")
        expect(panel).to_contain_text("test samples are right")
        taken(page, "confusion", panel)
        browser.close()
        server.end()


if __name__ == "__main__":
    main()
