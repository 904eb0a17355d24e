"""What a visitor of the playground does and sees, in a word each: by roles and labels, as a screen reader has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect


def region(page: Page, name: str) -> Locator:
    """A part of the page."""
    return page.get_by_role("region", name=name, exact=True)


def press(page: Page, name: str) -> None:
    """Press a button of the transport bar."""
    region(page, "Transport").get_by_role("button", name=name, exact=True).click()


def await_state(page: Page, words: str, seconds: float = 120) -> None:
    """Wait until the run that is shown is in a state."""
    expect(region(page, "Transport").get_by_role("status").first).to_have_text(words, timeout=seconds * 1000)


def train(page: Page, seconds: float = 120) -> None:
    """Train the network to the end, from the beginning where it was changed since it was trained."""
    region(page, "Transport").get_by_role("button", name=re.compile("^(Play|Restart)$")).click()
    await_state(page, "Done", seconds)


def open_example(page: Page, title: str) -> None:
    """Put an example onto the canvas."""
    page.get_by_role("button", name="Examples").click()
    page.get_by_role("dialog", name="Examples").get_by_role("button", name=title).first.click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def view(page: Page, title: str) -> Locator:
    """Open a view below the network."""
    page.get_by_role("tab", name=title, exact=True).click()
    return page.get_by_role("tabpanel")


def layer(page: Page, name: str) -> Locator:
    """A layer in the drawing of the network."""
    return region(page, "Network").get_by_role("option", name=re.compile(f"^{name}:"))


def set_epochs(page: Page, epochs: int) -> None:
    """Say how long to train."""
    region(page, "Training").get_by_label("epochs", exact=True).fill(str(epochs))


def runs(page: Page) -> list[dict[str, Any]]:
    """The runs as the server has them, with their histories."""
    return page.evaluate(
        """async () => {
          const {runs} = await (await fetch("/api/start")).json();
          return Promise.all(runs.map(async (run) => ({...run, ...(await (await fetch(`/api/runs/${run.id}/history`)).json())})));
        }"""
    )


def last(run: dict[str, Any], name: str) -> float:
    """The last value of a metric."""
    return run["history"]["logs"][name][-1]


def document(page: Page) -> dict[str, Any]:
    """The network on the canvas, as the browser keeps it."""
    return json.loads(page.evaluate("localStorage.getItem('keraunos.network')"))


def await_document(page: Page, found: Callable[[dict[str, Any]], Any], wanted: Any) -> None:
    """Wait until something in the network on the canvas has a value."""
    for _ in range(1000):
        if found(document(page)) == wanted:
            return
        page.wait_for_timeout(50)
    assert found(document(page)) == wanted


def units(document: dict[str, Any]) -> int:
    """Of the first layer after the input."""
    return document["layers"][1]["options"]["units"]


def colours(canvas: Locator) -> int:
    """How many colours are drawn on a canvas."""
    return canvas.evaluate(
        """(canvas) => {
          const bytes = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          return new Set(new Uint32Array(bytes.buffer)).size;
        }"""
    )
