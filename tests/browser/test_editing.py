"""Walks through the playground: networks are edited by mouse and keys, taken back, kept and restored."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.steps import await_document, document, layer, open_example, region, units, view


def await_order(page: Page, *wanted: str) -> None:
    await_document(page, lambda document: [each["id"] for each in document["layers"]], list(wanted))


def test_layers_are_edited_by_keys_alone(page: Page) -> None:
    layer(page, "features").focus()
    page.keyboard.press("ArrowDown")
    expect(layer(page, "dense_1")).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    await_order(page, "features", "dense_2", "dense_1", "label")
    expect(layer(page, "dense_1")).to_be_focused()
    page.keyboard.press("d")
    await_order(page, "features", "dense_2", "dense_1", "dense_3", "label")
    page.keyboard.press("Delete")
    await_order(page, "features", "dense_2", "dense_1", "label")
    expect(layer(page, "label")).to_have_accessible_name(re.compile("from dense_1"))
    page.keyboard.press("a")
    expect(page.get_by_label("Search the layers")).to_be_focused()
    page.keyboard.type("drop")
    page.keyboard.press("Enter")
    await_order(page, "features", "dense_2", "dense_1", "dropout_1", "label")
    expect(layer(page, "dropout_1")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Control+z")
    await_order(page, "features", "dense_1", "dense_2", "label")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.keyboard.press("Control+Shift+z")
    await_order(page, "features", "dense_2", "dense_1", "label")


def test_layers_are_dragged_onto_edges_and_connected_from_their_ports(page: Page) -> None:
    expect(layer(page, "label")).to_have_accessible_name(re.compile("shape 2"))  # and nothing moves any more
    edge = page.get_by_role("button", name="Add a layer between features and dense_1").bounding_box()
    box = layer(page, "dense_2").bounding_box()
    assert edge and box
    page.mouse.move(box["x"] + 30, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(edge["x"] + 40, edge["y"] + 40, steps=4)
    page.mouse.move(edge["x"] + 8, edge["y"] + 8, steps=4)
    page.mouse.up()
    await_order(page, "features", "dense_2", "dense_1", "label")
    expect(layer(page, "dense_1")).to_have_accessible_name(re.compile("from dense_2, shape 8"))
    layer(page, "features").hover()
    port, target = page.locator("[data-port=features]").bounding_box(), layer(page, "label").bounding_box()
    assert port and target
    page.mouse.move(port["x"] + 6, port["y"] + 6)
    page.mouse.down()
    page.mouse.move(target["x"] + 60, target["y"] + 20, steps=6)
    page.mouse.up()
    expect(layer(page, "concatenate_1")).to_have_accessible_name(re.compile("from dense_1 and features, shape 10"))
    expect(layer(page, "label")).to_have_accessible_name(re.compile("from concatenate_1"))


def test_an_edge_past_a_layer_is_added_or_joined_by_shape(page: Page) -> None:
    layer(page, "label").click()
    takes = view(page, "Layer").get_by_label("takes from")
    takes.select_option("+ dense_1")
    expect(layer(page, "add_1")).to_have_accessible_name(re.compile("from dense_2 and dense_1, shape 8"))
    expect(page.get_by_role("status").filter(has_text="label takes one input, so add_1")).to_be_visible()
    takes.select_option("+ features")
    expect(layer(page, "concatenate_1")).to_have_accessible_name(re.compile("from add_1 and features, shape 10"))
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    await_order(page, "features", "dense_1", "dense_2", "label")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()  # not a layer of the drawing
    takes.select_option("features")
    expect(layer(page, "label")).to_have_accessible_name(re.compile("from features,"))
    expect(layer(page, "dense_2")).to_have_accessible_name(re.compile("error: What 'dense_2' gives is not used"))


ADD = """async () => {
  const {actions, getState} = await import(new URL("store.js", document.querySelector("script[type=module]").src));
  const found = [];
  for (const kind of getState().start.catalog.layers)
    for (const inner of kind.fields.find((field) => field.name === "layer")?.choices ?? [null]) {
      const before = getState().document;
      actions.addLayer(kind.type, {after: "features"});
      if (inner) actions.changeLayer(getState().selected, "layer", inner);
      const body = JSON.stringify({document: getState().document});
      const answer = await fetch("/api/check", {method: "POST", headers: {"content-type": "application/json"}, body});
      found.push([kind.type, inner, (await answer.json()).error?.message ?? ""]);
      actions.replace(before);
    }
  return found;
}"""


def test_each_layer_begins_with_options_that_it_has(page: Page) -> None:
    added = page.evaluate(ADD)
    assert len(added) > 60 and {inner for kind, inner, _ in added if kind == "TimeDistributed"} > {"Dense", "Conv2D"}
    assert not [each for each in added if each[2]]


def test_a_layer_that_wraps_another_shows_the_arguments_of_that(page: Page) -> None:
    open_example(page, "CNN and LSTM")
    layer(page, "film").click()
    page.keyboard.press("a")
    expect(page.get_by_label("Search the layers")).to_be_focused()
    page.keyboard.type("timedis")
    page.keyboard.press("Enter")
    panel = view(page, "Layer")
    expect(panel.get_by_label("units", exact=True)).to_have_value("8")
    expect(panel.get_by_label("filters", exact=True)).to_have_count(0)
    panel.get_by_label("layer", exact=True).select_option("Conv2D")
    expect(panel.get_by_label("filters", exact=True)).to_have_value("8")
    expect(panel.get_by_label("units", exact=True)).to_have_count(0)
    await_document(page, lambda document: document["layers"][1]["options"], {"layer": "Conv2D", "filters": 8, "kernel_size": 3})


def test_tab_and_theme_are_those_of_the_last_visit(page: Page) -> None:
    view(page, "Learn")
    page.get_by_role("button", name=re.compile("(Light|Dark) colours")).click()
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.reload()
    expect(page.get_by_role("tab", name="Learn")).to_have_attribute("aria-selected", "true")
    assert page.evaluate("document.documentElement.dataset.theme") == theme


def test_a_value_that_cannot_be_is_told_at_once_and_the_last_one_kept(page: Page) -> None:
    layer(page, "dense_1").click()
    field = view(page, "Layer").get_by_label("units", exact=True)
    for text, told in (("0", "At least 1."), ("many", "A number is needed."), ("2.5", "A whole number is needed."), ("", "A value is needed.")):
        field.fill(text)
        expect(page.get_by_role("alert")).to_have_text(told)
    assert units(document(page)) == 8
    field.press_sequentially("12")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(layer(page, "dense_1")).to_have_accessible_name(re.compile("shape 12, 36 parameters"))
    page.get_by_role("button", name="Undo").click()  # what was typed is one change
    expect(layer(page, "dense_1")).to_have_accessible_name(re.compile("shape 8, 24 parameters"))
    field.fill("9999")
    field.press("Tab")  # a field that is left shows what holds
    expect(field).to_have_value("8")
    expect(page.get_by_role("alert")).to_have_text("At most 4,096. 8 is kept.")


def test_a_layer_is_named_shared_and_connected(page: Page) -> None:
    layer(page, "dense_2").click()
    panel = view(page, "Layer")
    panel.get_by_label("name", exact=True).fill("dense_1")
    expect(panel).to_contain_text("Another layer is named dense_1.")
    panel.get_by_label("name", exact=True).fill("middle")
    page.keyboard.press("Enter")
    await_order(page, "features", "dense_1", "middle", "label")
    panel.get_by_role("button", name="Add after").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("middle.*called again on middle")).click()
    await_order(page, "features", "dense_1", "middle", "middle_again_1", "label")
    layer(page, "label").click()
    panel.get_by_label("takes from").select_option("middle_again_1")
    expect(layer(page, "label")).to_have_accessible_name(re.compile("from middle_again_1"))
    expect(layer(page, "middle_again_1")).to_have_accessible_name(re.compile("shares the weights of middle"))


def test_other_data_make_the_network_fit(page: Page) -> None:
    region(page, "Data").get_by_label("Data set").select_option("digits")
    expect(layer(page, "flatten_1")).to_have_accessible_name(re.compile("shape 64"))
    expect(layer(page, "label")).to_have_accessible_name(re.compile("shape 10"))
    region(page, "Data").get_by_label("Data set").select_option("plane")
    expect(layer(page, "value")).to_have_accessible_name(re.compile("shape 1,"))
    await_document(page, lambda document: document["outputs"], {"value": {"loss": "mean_squared_error", "metrics": ["mean_absolute_error"]}})
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(layer(page, "label")).to_have_accessible_name(re.compile("shape 2,"))


def test_a_link_holds_the_network_and_a_broken_one_is_told(page: Page, context: Any) -> None:
    layer(page, "dense_1").click()
    view(page, "Layer").get_by_label("units", exact=True).fill("5")
    await_document(page, units, 5)
    address, wanted = page.url, document(page)
    assert "#1." in address
    for link, told in (
        (address, None),
        (address[:-30], "The network in this link cannot be read"),
        (address + "#2.x", "The network in this link cannot be read"),
    ):
        other = context.new_page()
        other.goto(link)
        other.get_by_role("tablist").wait_for()
        assert document(other) == wanted
        if told:
            expect(other.get_by_role("alert")).to_contain_text(told)
        other.close()


def test_a_table_of_ones_own_is_learnt_and_its_columns_chosen(page: Page, tmp_path: pathlib.Path) -> None:
    table = tmp_path / "flowers.csv"
    table.write_text("length,width,lost,kind\n" + "".join(f"{i % 7},{i % 3 if i % 4 else ''},,{'rose' if i % 2 else 'tulip'}\n" for i in range(40)))
    data = region(page, "Data")
    data.get_by_label("Data set").select_option("upload")
    data.get_by_label("A file of data").set_input_files(table)
    expect(data.get_by_label("to be told")).to_have_value("kind")
    expect(layer(page, "features")).to_have_accessible_name(re.compile("shape 2"))
    await_document(page, lambda document: document["name"], "flowers")
    page.reload()
    expect(data).to_contain_text("Nothing stands in the column. Leave it out.")  # what is wrong with a column, and what mends it, stand beside it
    expect(data.get_by_label("lost")).to_be_disabled()
    expect(data).to_contain_text("number, 10 missing")
    data.get_by_label("missing", exact=True).select_option("drop")
    await_document(page, lambda document: document["data"]["options"].get("missing"), "drop")
    expect(data.locator("dl")).to_contain_text(re.compile(r"to learn from\s*21"))
    data.get_by_label("width").uncheck()
    expect(layer(page, "features")).to_have_accessible_name(re.compile("shape 1"))
    data.get_by_label("to be told").select_option("length")
    await_document(page, lambda document: document["data"]["options"]["target"], "length")
    expect(layer(page, "features")).to_have_accessible_name(re.compile("error|shape"))
    assert document(page)["name"] == "flowers"


def test_folders_of_pictures_become_classes(page: Page, tmp_path: pathlib.Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name in ("cats", "dogs", "owls"):
        (tmp_path / name).mkdir()
        for i in range(6):
            image.new("RGB", (12, 10), (40 * i, 90, 0)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    data = region(page, "Data")
    data.get_by_label("Data set").select_option("upload")
    data.get_by_label("A folder of pictures").set_input_files(tmp_path)
    expect(layer(page, "label")).to_have_accessible_name(re.compile("shape 3"))
    expect(layer(page, "flatten_1")).to_be_visible()


@pytest.mark.parametrize("visit", ["narrow"], indirect=True)
def test_a_narrow_page_is_not_wider_than_its_window(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(region(page, "Transport").get_by_text("0", exact=True)).to_be_visible()  # the epochs, of which there is room for the number
    open_example(page, "Shared tower")
    expect(layer(page, "tower")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(region(page, "Transport").get_by_role("button", name="Play", exact=True)).to_be_in_viewport()


def test_a_server_that_was_started_again_is_told_and_nothing_lost(page: Page, watch: Watch) -> None:
    layer(page, "dense_1").click()
    view(page, "Layer").get_by_label("units", exact=True).fill("7")
    await_document(page, units, 7)
    watch.expected.add(401)
    keys = page.context.cookies()
    page.context.clear_cookies()  # as for a new server: the old key opens nothing
    view(page, "Layer").get_by_label("units", exact=True).fill("6")
    expect(page.get_by_role("alert").first).to_contain_text("Nothing is lost")
    button = page.get_by_role("button", name="Go on there")
    page.get_by_label("The new address").fill("https://example.org/")
    expect(button).to_be_disabled()
    await_document(page, units, 6)
    page.context.add_cookies(keys)  # pyright: ignore[reportArgumentType]
    expect(button).to_have_count(0)  # the page connects again by itself
