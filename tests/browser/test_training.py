"""Walks through the playground: networks are built, trained, looked into, compared."""

from __future__ import annotations

import os
import pathlib
import re
import signal
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Server, Watch
from tests.browser.steps import await_document, await_state, colours, document, last, layer, open_example, press, region, runs, set_epochs, train, units, view
from tests.conftest import BACKENDS


def test_a_first_visit_ends_in_a_spiral_with_its_boundary(page: Page) -> None:
    expect(page.get_by_role("heading", name="Keraunos Playground")).to_be_visible()
    canvas = region(page, "Boundary").get_by_role("img")
    expect(canvas).to_have_accessible_name(re.compile(r"^The \d+ points of the data$"))
    press(page, "Play")
    expect(canvas).to_have_accessible_name(re.compile("The class that the network gives"))
    await_state(page, "Done")
    (run,) = runs(page)
    assert last(run, "val_accuracy") >= 0.95
    assert colours(canvas) > 100
    expect(region(page, "Curves").get_by_role("table")).to_contain_text(re.compile(r"accuracy(0\.9|1\.0)"))
    canvas.press("ArrowLeft")  # the keys read what is drawn
    expect(region(page, "Boundary").get_by_role("status")).to_have_text(re.compile(r"^\(.+\): .+, \d+"))


def test_a_network_of_convolutions_reads_digits(page: Page) -> None:
    open_example(page, "CNN on digits")
    set_epochs(page, 8)
    train(page)
    (run,) = runs(page)
    assert last(run, "val_accuracy") >= 0.95
    inside = view(page, "Inside")
    maps = inside.get_by_role("button", name=re.compile("^conv_1, map "))
    expect(maps.first).to_be_visible()
    maps.first.click()
    expect(inside.get_by_role("region", name="Numbers of map 1").get_by_role("cell")).to_have_count(64)
    before = inside.get_by_role("img", name="Sample 0")
    expect(before).to_be_visible()
    inside.get_by_role("button", name="The next sample").click()
    expect(inside.get_by_role("img", name="Sample 1")).to_be_visible()
    confusion = view(page, "Confusion")
    expect(confusion.get_by_role("row")).to_have_count(11)
    expect(confusion).to_contain_text(re.compile(r"9[5-9](\.\d)?\s*%.*test samples are right"))
    weights = view(page, "Weights")
    expect(weights.get_by_role("article", name=re.compile("conv_1 .*kernel"))).to_be_visible()


def test_a_shape_error_of_two_inputs_is_shown_and_mended(page: Page) -> None:
    open_example(page, "Two inputs")
    layer(page, "left_flat").click()
    panel = view(page, "Layer")
    panel.get_by_role("button", name="Remove").click()  # what is left does not fit beside the other branch
    expect(layer(page, "both")).to_have_accessible_name(re.compile("error: "))
    expect(region(page, "Transport").get_by_role("button", name="Play", exact=True)).to_be_disabled()
    layer(page, "both").click()
    expect(panel.get_by_role("alert")).to_contain_text(re.compile("shape|axes", re.IGNORECASE))
    layer(page, "left_pool").click()
    panel.get_by_role("button", name="Add after").click()
    page.get_by_role("dialog").get_by_role("searchbox").fill("flatten")
    page.keyboard.press("Enter")
    expect(region(page, "Transport").get_by_role("button", name="Play", exact=True)).to_be_enabled()
    set_epochs(page, 2)
    train(page)
    (run,) = runs(page)
    assert last(run, "val_loss") > 0


def test_a_table_of_ones_own_is_learnt(page: Page, tmp_path: pathlib.Path) -> None:
    rows = [f"{i % 7},{i % 5 - 2.5},{'low' if i % 7 < 4 else 'high'}" for i in range(140)]
    (tmp_path / "levels.csv").write_text("depth,tilt,level\n" + "\n".join(rows) + "\n", encoding="utf-8")
    data = region(page, "Data")
    data.get_by_label("Data set").select_option("upload")
    data.get_by_label("A file of data").set_input_files(tmp_path / "levels.csv")
    expect(data.get_by_label("to be told")).to_have_value("level")
    set_epochs(page, 40)
    train(page)
    (run,) = runs(page)
    (target,) = run["targets"].values()
    assert target["classes"] == ["high", "low"] and last(run, "val_accuracy") > 0.9


def test_a_broken_table_is_refused_with_a_remedy(page: Page, watch: Watch, tmp_path: pathlib.Path) -> None:
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n4,5,6\n", encoding="utf-8")
    watch.expected |= {400, 413, 415, 422}
    data = region(page, "Data")
    data.get_by_label("Data set").select_option("upload")
    data.get_by_label("A file of data").set_input_files(tmp_path / "ragged.csv")
    expect(page.get_by_role("alert")).to_contain_text(re.compile("row|line", re.IGNORECASE))


def test_an_lstm_tells_waves_apart(page: Page) -> None:
    open_example(page, "LSTM on waves")
    set_epochs(page, 10)
    train(page)
    (run,) = runs(page)
    assert last(run, "val_accuracy") > 0.6


@pytest.mark.skipif("torch" not in BACKENDS, reason="torch is not tested")
def test_two_engines_train_side_by_side(page: Page) -> None:
    set_epochs(page, 10)
    panel = view(page, "Runs")
    for name, wanted in (("jax", True), ("torch", True), ("tensorflow", False), ("pytensor", False)):
        box = panel.get_by_role("checkbox", name=re.compile(f"^{name}"))
        if box.is_enabled():
            box.set_checked(wanted)
    panel.get_by_role("button", name="Run on jax and torch").click()
    for name in ("jax", "torch"):
        row = panel.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True))
        expect(row).to_contain_text("done")
    one, other = runs(page)
    assert {one["engine"], other["engine"]} == {"jax", "torch"}
    assert last(one, "loss") == pytest.approx(last(other, "loss"), rel=0.05)
    expect(panel.get_by_role("checkbox", name=re.compile("^Pin"), checked=True)).to_have_count(2)


def test_nan_is_explained(page: Page) -> None:
    open_example(page, "Too high a learning rate")
    press(page, "Play")
    trouble = page.get_by_role("alert", name="What went wrong")
    expect(trouble).to_be_visible()
    expect(trouble).to_contain_text(re.compile(r"NaN|explod|infin", re.IGNORECASE))
    expect(trouble).to_contain_text(re.compile(r"learning rate", re.IGNORECASE))
    await_state(page, "Failed")
    trouble.get_by_role("button", name="Train with learning rate 0.01").click()
    await_state(page, "Done")
    assert page.get_by_label("learning rate", exact=True).input_value() == "0.01" and last(runs(page)[-1], "loss") < 1
    open_example(page, "Spiral")  # the page lives on
    set_epochs(page, 3)
    train(page)


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="processes are found under /proc")
def test_a_run_that_is_killed_is_told(page: Page, server: Server) -> None:
    set_epochs(page, 3000)
    press(page, "Play")
    await_state(page, "Training")
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    await_state(page, "Failed")
    expect(page.get_by_role("alert", name="What went wrong")).to_contain_text(re.compile("process|killed|ended", re.IGNORECASE))
    set_epochs(page, 3)
    train(page)


def test_training_is_steered(page: Page) -> None:
    set_epochs(page, 3000)  # more than there is time for
    press(page, "Step one batch")
    await_state(page, "Paused")
    assert runs(page)[0]["step"] == 1
    press(page, "Step one epoch")
    expect(region(page, "Transport")).to_contain_text(re.compile(r"Epoch\s*1/"))
    page.get_by_label("learning rate").select_option("0.03")
    press(page, "Play")
    await_state(page, "Training")
    press(page, "Pause")
    await_state(page, "Paused")
    press(page, "Stop")
    await_state(page, "Stopped")


def test_what_is_asked_of_a_run_is_done_in_the_order_in_which_it_was_asked(page: Page) -> None:
    asked: list[Any] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        """The first look at the second run is answered late."""
        body = route.request.post_data_json or {}
        asked.append(body.get("do", body.get("step")))
        held.append(route) if len(asked) == 5 else route.continue_()

    page.route(re.compile(r"/api/runs(/\w+/command)?$"), hold)
    set_epochs(page, 3)
    page.get_by_role("heading", name="Keraunos Playground").click()
    for key in (".", "Space"):
        page.keyboard.press(key)
    await_state(page, "Done")
    region(page, "Transport").get_by_label("seed").fill("1")
    press(page, "Step one batch")
    await_state(page, "Paused")
    press(page, "Play")
    held[0].continue_()
    await_state(page, "Done")
    assert asked == ["batch", "look", "play"] * 2


def test_the_order_of_keys_holds_whether_the_page_has_heard_of_what_came_before_or_not(page: Page) -> None:
    asked: list[Any] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        """The first request is held until all keys are pressed."""
        body = route.request.post_data_json or {}
        asked.append(body.get("do", body.get("step")))
        route.continue_() if asked[1:] else held.append(route)

    page.route(re.compile(r"/api/runs(/\w+/command)?$"), hold)
    set_epochs(page, 3)
    page.get_by_role("heading", name="Keraunos Playground").click()
    with page.expect_request(re.compile("/api/runs$")):
        for key in (".", "Space", "Space", "Space"):
            page.keyboard.press(key)
    while not held:
        page.wait_for_timeout(10)
    held.pop().continue_()
    await_state(page, "Done")
    assert asked == ["batch", "look", "play", "pause", "play"]

    events: list[Route] = []
    page.route(re.compile("/api/events$"), lambda route: events.append(route))  # the page hears nothing of what the run does
    page.reload()
    page.get_by_role("heading", name="Keraunos Playground").click()
    asked[:] = ["", ""]
    region(page, "Transport").get_by_label("seed").fill("2")
    with page.expect_response(re.compile("/command$")):
        page.get_by_role("heading", name="Keraunos Playground").click()
        page.keyboard.press(".")
    with page.expect_response(re.compile("/command$")):
        page.keyboard.press("Space")
    assert asked[2:] == ["batch", "look", "play"]
    events[0].continue_()
    await_state(page, "Done")


def test_play_right_after_a_stop_trains_again(page: Page) -> None:
    set_epochs(page, 3000)
    page.get_by_role("heading", name="Keraunos Playground").click()
    for key in ("Space", "s", "Space", "s", "."):
        page.keyboard.press(key)
    await_state(page, "Paused")
    assert [run["state"] for run in runs(page)] == ["stopped", "stopped", "paused"] and runs(page)[-1]["step"] == 1


def test_what_is_changed_after_the_end_is_trained_by_or_needs_a_new_run(page: Page) -> None:
    set_epochs(page, 3)
    train(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append((request.post_data_json or {})["do"]) if request.url.endswith("/command") else None)
    page.get_by_label("learning rate").select_option("0.003")
    press(page, "Play")
    expect(region(page, "Transport")).to_contain_text("Epoch 6/6")
    await_state(page, "Done")
    assert [do for do in asked if do != "look"] == ["learning_rate", "play"]
    page.get_by_label("batch size").fill("64")
    await_state(page, "Done · changed since")
    press(page, "Restart")
    expect(region(page, "Transport")).to_contain_text("Epoch 3/3")
    await_state(page, "Done")
    assert [run["document"]["training"]["batch_size"] for run in runs(page)] == [32, 64]


def test_only_the_state_is_told_to_those_who_listen(page: Page) -> None:
    transport = region(page, "Transport")
    expect(transport.get_by_role("status")).to_have_count(1)
    expect(transport.get_by_role("status")).to_have_text("Not trained yet")


def test_changes_are_undone(page: Page) -> None:
    before = units(document(page))
    layer(page, "dense_1").click()
    view(page, "Layer").get_by_label("units", exact=True).fill("5")
    await_document(page, units, 5)
    page.get_by_role("button", name="Undo").click()
    await_document(page, units, before)
    expect(view(page, "Layer").get_by_label("units", exact=True)).to_have_value(str(before))
    page.get_by_role("button", name="Redo").click()
    await_document(page, units, 5)
