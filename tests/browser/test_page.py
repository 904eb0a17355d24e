"""The page itself: keyboard, narrow screens, tabs and servers that come and go, every example, what each control says."""

from __future__ import annotations

import gzip
import pathlib
import re
from typing import Any

from playwright.sync_api import Page, expect

import keraunos
from keraunos.play.presets import presets
from tests.browser.conftest import Server
from tests.browser.steps import await_document, await_state, document, layer, open_example, press, region, runs, set_epochs, train, units, view


def test_the_page_is_small() -> None:
    folder = pathlib.Path(keraunos.__file__).parent / "play" / "static"
    files = [path for path in folder.rglob("*") if path.suffix in (".html", ".js", ".css", ".svg")]
    assert len(files) > 20 and sum(len(gzip.compress(path.read_bytes(), 6)) for path in files) <= 150 * 1024


def test_all_can_be_done_by_keys(page: Page) -> None:
    page.keyboard.press("e")
    expect(page.get_by_label("Search the examples")).to_be_focused()
    page.keyboard.type("no hidden")
    page.keyboard.press("Enter")
    expect(page.get_by_label("The network's name")).to_have_value("No hidden layer")
    layer(page, "features").focus()
    page.keyboard.press("a")
    expect(page.get_by_label("Search the layers")).to_be_focused()
    page.keyboard.type("dense")
    page.keyboard.press("Enter")
    await_document(page, lambda kept: len(kept["layers"]), 3)
    expect(layer(page, "dense_1")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("body").press("6")
    expect(page.get_by_role("tab", name="Code")).to_have_attribute("aria-selected", "true")
    set_epochs(page, 3)
    page.get_by_role("tab", name="Code").focus()
    page.keyboard.press(".")
    await_state(page, "Paused")
    page.get_by_role("heading", name="Keraunos Playground").click()
    page.keyboard.press("Space")
    await_state(page, "Done")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    await_document(page, lambda kept: len(kept["layers"]), 2)


def test_a_second_tab_shows_the_same(page: Page, context: Any, server: Server) -> None:
    set_epochs(page, 40)
    press(page, "Play")
    other = context.new_page()
    other.goto(server.origin)
    await_state(other, "Done")
    await_state(page, "Done")
    expect(region(other, "Boundary").get_by_role("img")).to_have_accessible_name(re.compile("The class that the network gives"))
    assert document(other) == document(page)
    other.close()
    expect(region(page, "Transport").get_by_role("button", name="Play", exact=True)).to_be_enabled()


def test_a_page_outlives_its_server(context: Any, programs: pathlib.Path) -> None:
    first = Server(programs)
    page = context.new_page()
    page.goto(first.address)
    layer(page, "dense_1").click()
    view(page, "Layer").get_by_label("units", exact=True).fill("6")
    await_document(page, units, 6)
    first.end()
    banner = page.get_by_role("alert").filter(has_text="server")
    expect(banner).to_contain_text("does not answer")
    second = Server(programs, int(first.origin.rsplit(":", 1)[1].strip("/")))
    expect(banner).to_contain_text("started again")
    page.get_by_label("The new address").fill(second.address)
    page.get_by_role("button", name="Go on there").click()
    await_state(page, "Not trained yet")
    assert units(document(page)) == 6
    press(page, "Step one batch")
    await_state(page, "Paused")
    page.close()
    second.end()


def test_every_example_opens_and_can_be_trained(page: Page) -> None:
    play = region(page, "Transport").get_by_role("button", name=re.compile("^(Play|Restart)$"))
    for preset in presets():
        open_example(page, preset["title"])
        expect(page.get_by_label("The network's name")).to_have_value(preset["document"]["name"])
        expect(region(page, "Network").get_by_role("option")).to_have_count(len(preset["document"]["layers"]))
        expect(play).to_be_enabled()
        expect(region(page, "Network").get_by_text(re.compile("^\\d+ mistakes?$"))).to_have_count(0)


def test_pictures_of_autoencoder_and_gan(page: Page) -> None:
    for title, epochs in (("Autoencoder", 3), ("GAN", 2)):
        open_example(page, title)
        set_epochs(page, epochs)
        train(page)
        pictures = region(page, "Result").get_by_role("list").get_by_role("img")
        expect(pictures.first).to_be_visible()
        assert pictures.count() >= 8
    assert {"generator", "discriminator"} <= runs(page)[-1]["history"]["logs"].keys()


def test_light_and_dark(page: Page) -> None:
    ink = "getComputedStyle(document.body).color"
    before = page.evaluate(ink)
    page.get_by_role("button", name=re.compile("colours$")).click()
    assert page.evaluate(ink) != before
    page.reload()
    page.get_by_role("tablist").wait_for()
    assert page.evaluate(ink) != before


def test_the_page_moves_while_it_trains(page: Page) -> None:
    """Frames come thirty times a second at least, and news of the run more than five times."""
    set_epochs(page, 3000)
    press(page, "Play")
    await_state(page, "Training")
    expect(region(page, "Transport")).to_contain_text(re.compile(r"Epoch\s*\d{2,}/"))  # it has compiled all
    gaps, news = page.evaluate(
        """() => new Promise((done) => {
          const gaps = [];
          let before = performance.now(), news = 0;
          new MutationObserver(() => news++).observe(document.querySelector("section.transport"), {subtree: true, childList: true, characterData: true});
          const end = before + 3000;
          const frame = (now) => { gaps.push(now - before); before = now; now < end ? requestAnimationFrame(frame) : done([gaps.slice(1), news]); };
          requestAnimationFrame(frame);
        })"""
    )
    press(page, "Stop")
    assert sorted(gaps)[len(gaps) // 2] < 1000 / 30, sorted(gaps)[-10:]
    assert news >= 15
