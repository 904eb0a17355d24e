"""What there is to see of a network that was trained; it is trained once for all of these walks."""

from __future__ import annotations

import os
import pathlib
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CLEAR, SIZES, Server
from tests.browser.steps import await_document, await_state, document, last, layer, press, region, runs, set_epochs, train, view

VIEWS = {
    "Layer": "textbox",
    "Inside": "spinbutton",
    "Weights": "article",
    "Confusion": "table",
    "Runs": "table",
    "Code": "button",
    "Learn": "button",
}  # and what is in each


def seen(page: Page) -> Iterator[str]:
    """One view after the other, when there is something in it."""
    layer(page, "dense_1").click()
    for name, role in VIEWS.items():
        expect(view(page, name).get_by_role(role).first).to_be_visible()  # pyright: ignore[reportArgumentType]
        yield name


@pytest.fixture(scope="module")
def trained(browser: Any, server: Server) -> Iterator[tuple[Any, str]]:
    """The first example after 30 epochs."""
    context = browser.new_context(viewport=SIZES["wide"])
    page = context.new_page()
    page.goto(server.address)
    set_epochs(page, 30)
    train(page)
    await_document(page, lambda kept: kept["training"]["epochs"], 30)
    yield document(page), runs(page)[0]["id"]
    page.evaluate(CLEAR)
    context.close()


@pytest.mark.parametrize("visit", ["narrow"], indirect=True)
def test_a_narrow_screen_has_it_all(page: Page) -> None:
    for name in seen(page):
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, name
    expect(region(page, "Boundary").get_by_role("img")).to_be_visible()
    transport = region(page, "Transport").bounding_box()
    assert transport is not None and transport["y"] + transport["height"] <= 844 + 1  # it stays in reach


UNSAID = """() => [...document.querySelectorAll("button, input, select, textarea, summary")]
  .filter((control) => control.offsetParent && control.tabIndex >= 0)
  .filter((control) => {
    const described = (control.getAttribute("aria-describedby") ?? "").split(" ").some((id) => document.getElementById(id)?.textContent.trim());
    const name = control.getAttribute("aria-label") || control.textContent.trim() || control.labels?.[0]?.textContent.trim();
    return !name || !(described || control.closest("[title]"));
  })
  .map((control) => control.outerHTML.slice(0, 160))"""


def test_every_control_says_what_it_does(page: Page) -> None:
    for name in seen(page):
        unsaid = [control for control in page.evaluate(UNSAID) if not control.startswith("<summary")]
        assert not unsaid, f"{name}: " + "\n".join(unsaid)


def test_epochs_are_gone_back_through(page: Page) -> None:
    (run,) = runs(page)
    slider = page.get_by_role("slider", name="Epoch that is looked at")
    slider.press("Home")
    slider.press("ArrowRight")
    epochs = region(page, "Epochs")
    expect(epochs.get_by_role("status")).to_have_text(f"at epoch {run['checkpoints'][1]} / 30")
    expect(epochs.get_by_role("table", name=re.compile("beside the last"))).to_be_visible()
    epochs.get_by_role("button", name="live").click()
    expect(epochs.get_by_role("status")).to_have_text("epoch 30 / 30")
    assert len(run["checkpoints"]) >= 10


def test_a_curve_is_chosen_and_read(page: Page) -> None:
    curves = region(page, "Curves")
    curves.get_by_role("button", name="accuracy", exact=True).first.click()
    (run,) = runs(page)
    expect(curves.get_by_role("img")).to_have_accessible_name(re.compile(rf"^accuracy over the epochs\..* test {last(run, 'val_accuracy'):.3f}"))
    row = curves.get_by_role("row").filter(has_text="loss")
    expect(row).to_contain_text(f"{last(run, 'val_loss'):.3f}")
    box = curves.get_by_role("img").bounding_box()
    assert box is not None
    curves.get_by_role("img").hover(position={"x": box["width"] / 2, "y": 60})
    expect(curves.get_by_role("status")).to_have_text(re.compile(r"^epoch [12]?\d(\.\d+)?: \S+ / \S+$"))


def test_two_runs_are_pinned_and_compared(page: Page) -> None:
    page.get_by_label("batch size").fill("64")
    train(page)
    panel = view(page, "Runs")
    pins = panel.get_by_role("checkbox", name=re.compile("^Pin"))
    expect(pins).to_have_count(2)
    for i in range(2):
        pins.nth(i).check()
    expect(panel.get_by_role("table")).to_contain_text("batch size 64 → 32")
    expect(region(page, "Curves").get_by_role("table").get_by_role("row")).to_have_count(3)
    page.reload()
    expect(pins.and_(page.get_by_role("checkbox", checked=True))).to_have_count(2)
    expect(region(page, "Curves").get_by_role("table").get_by_role("row")).to_have_count(3)


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="processes are found under /proc")
def test_an_old_run_whose_process_is_gone_is_trained_from_the_beginning(page: Page, server: Server) -> None:
    """The last walk of these: it ends the process of their run."""
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    transport = region(page, "Transport")
    expect(transport.get_by_role("button", name="Play", exact=True)).to_have_attribute("title", "Train this network (space)")
    transport.get_by_label("seed").fill("1")
    await_state(page, "Done · changed since")
    view(page, "Runs").get_by_role("button", name="use", exact=True).click()
    await_state(page, "Done")
    press(page, "Play")
    expect(view(page, "Runs").get_by_role("row")).to_have_count(3)
    await_state(page, "Done")
    assert [run["document"]["training"]["seed"] for run in runs(page)] == [0, 0]
