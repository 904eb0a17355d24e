"""What the views say: programs in colour, differences in words, verdicts on weights, colours of numbers, wrong answers."""

from __future__ import annotations

import base64
import copy
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import document, last, open_example, region, runs, set_epochs, train, view

PROGRAM = '''"""A text,
of two lines."""

import os  # the system

@property
def half(x):
    return f'{x / 2e-3:.1f}' if x is not None else "\\"no\\"" + str(True)
'''


def of(page: Page, module: str, call: str, *given: Any) -> Any:
    """What a function of one of the page's modules answers, called in the page."""
    return page.evaluate(f"async (given) => {{ const m = await import('/static/{module}.js'); return m.{call}(...given); }}", list(given))


def test_a_program_keeps_its_text_in_colours(page: Page) -> None:
    found = of(page, "code", "tokens", PROGRAM)
    assert "".join(text for _, text in found) == PROGRAM
    kinds = {text: kind for kind, text in found}
    assert kinds["# the system"] == "comment" and kinds['"""A text,\nof two lines."""'] == "string"
    assert [kinds[word] for word in ("import", "def", "not", "else")] == ["keyword"] * 4
    assert [kinds[word] for word in ("half", "@property")] == ["name"] * 2
    assert [kinds[word] for word in ("True", "None")] == ["value"] * 2
    assert kinds['"\\"no\\""'] == "string" and "2e-3" not in kinds  # which stands in a string


def test_differences_are_told_in_words(page: Page) -> None:
    before = document(page)
    after = copy.deepcopy(before)
    assert of(page, "runs", "differences", before, after) == []
    after["layers"][1]["options"]["units"] = 3
    after["layers"][2]["type"] = "LayerNormalization"
    after["training"]["batch_size"] = 16
    after["training"]["optimizer"]["type"] = "SGD"
    after["data"]["options"] = {**after["data"]["options"], "noise": 0.45}
    name, other = (layer["id"] for layer in after["layers"][1:3])
    told = of(page, "runs", "differences", before, after)
    assert any(re.fullmatch(r"data: noise \S+ → 0.45", each) for each in told)
    assert f"{name}: units 8 → 3" in told and f"{other}: Dense → LayerNormalization" in told
    assert "Adam → SGD" in told and "batch size 32 → 16" in told and len(told) == 5
    del after["layers"][1]
    assert f"without {name}" in of(page, "runs", "differences", before, after)


def test_weights_are_judged_by_their_numbers(page: Page) -> None:
    gradient = {"low": -1, "high": 1, "counts": [4], "norm": 0.2}
    usual = {"layer": "dense", "name": "kernel", "shape": [8, 8], "low": -1, "high": 1, "counts": [64], "mean": 0, "std": 0.5, "zero": 0}
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "Nothing unusual"),
        ({"ratio": 0.3}, "30.0 % of its size"),
        ({"ratio": 1e-8}, "hardly moves"),
        ({"gradient": {"low": 0, "high": 0, "counts": [4], "norm": 0}}, "No gradient reaches it"),
        ({"zero": 0.95}, "95.0 % are zero"),
        ({"std": 40}, "Widely spread"),
        ({"low": None, "high": None}, "Not finite"),
    ]
    for changed, words in cases:
        verdict = of(page, "weights", "judged", {**usual, "gradient": gradient, "ratio": 1e-3, **changed})
        assert words in verdict["text"] and verdict["bad"] == bool(changed), changed


def test_numbers_are_as_long_as_they_tell_something(page: Page) -> None:
    for value, told in ((0, "0"), (0.12345, "0.123"), (-12.345, "−12.35"), (1234.5, "1235"), (2e-7, "2.0e−7"), (None, "–")):
        assert of(page, "pixels", "number", value) == told
    assert [of(page, "pixels", "brief", value) for value in (2.5, 1200, -0.04567)] == ["2.5", "1200", "−0.0457"]
    assert of(page, "pixels", "percent", 0.9996) == "100 %" and of(page, "pixels", "duration", 83) == "1 min 23 s"


def test_a_map_is_orange_below_zero_and_blue_above(page: Page) -> None:
    bytes_ = base64.b64encode(bytes([0, 128, 255, 128])).decode()
    low, zero, high = page.evaluate(
        """async (values) => {
          const {bytesOf} = await import("/static/pixels.js");
          const {drawTile} = await import("/static/neurons.js");
          const canvas = document.createElement("canvas");
          drawTile(canvas, bytesOf({values}), 2);
          const pixels = canvas.getContext("2d").getImageData(0, 0, 2, 2).data;
          return [0, 1, 2].map((i) => [...pixels.slice(4 * i, 4 * i + 3)]);
        }""",
        bytes_,
    )
    assert low[0] > 200 > low[2] and high[2] > 150 > high[0]
    assert max(zero) - min(zero) < 20


def test_wrong_answers_lead_inside(page: Page) -> None:
    set_epochs(page, 2)  # too few: some answers are wrong
    train(page)
    panel = view(page, "Confusion")
    table = panel.get_by_role("table", name=re.compile("predicted"))
    expect(table).to_be_visible()
    counts = [int(text) for text in table.get_by_role("cell").all_inner_texts() if text.isdigit()]
    (run,) = runs(page)
    right = counts[0] + counts[3]
    assert sum(counts) == 150 and right / 150 == pytest.approx(last(run, "val_accuracy"), abs=1e-6)
    cell = table.get_by_role("button").first
    words = re.match(r"(\w+): \d+ taken for (\w+)", cell.get_attribute("title") or "")
    assert words is not None
    cell.click()
    expect(panel.get_by_role("heading", name=f"{words[1]} taken for {words[2]}")).to_be_visible()
    wrong = panel.get_by_role("listitem").get_by_role("button").first
    number = re.search(r"\d+", wrong.get_attribute("title") or "")
    assert number is not None
    wrong.click()
    inside = page.get_by_role("tabpanel", name="Inside")
    expect(inside.get_by_label("Sample", exact=True)).to_have_value(number[0])
    expect(inside).to_contain_text(re.compile(rf"Predicted\s*{words[2]}, in truth\s*{words[1]}"))


def test_a_lesson_is_read_and_opened(page: Page) -> None:
    panel = view(page, "Learn")
    panel.get_by_role("button", name="What is data mining?").click()
    expect(panel.get_by_role("heading", name="What is data mining?")).to_be_visible()
    panel.get_by_role("button", name="Open this example").click()
    set_epochs(page, 2)
    train(page)
    expect(region(page, "Boundary").get_by_role("img")).to_have_accessible_name(re.compile("The class that the network gives"))
    open_example(page, "Dead ReLUs")
    expect(panel.get_by_role("heading", name="Dead ReLUs")).to_be_visible()
