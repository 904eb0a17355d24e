"""Many tabs: one that nobody sees holds no connection, of which a browser has six for all. And one that hears late."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import CLEAR, SIZES, Server
from tests.browser.steps import await_state, press, set_epochs, train

STREAMS = """(() => {
  window.streams = [];
  window.EventSource = class extends EventSource {
    constructor(...given) {
      super(...given);
      window.streams.push(this);
      this.addEventListener("hello", (event) => (window.heard = JSON.parse(event.data).runs.map((run) => run.state)));
    }
  };
})()"""
LATE = """(() => {
  window.waiting = [];
  window.hear = () => { for (const tell of window.waiting.splice(0)) tell(); window.late = false; };
  window.late = true;
  window.EventSource = class extends EventSource {
    addEventListener(name, tell) {
      super.addEventListener(name, (event) => (window.late ? window.waiting.push(() => tell(event)) : tell(event)));
    }
  };
})()"""
HEARD = "async (state) => { while (window.heard.join() !== state) await new Promise((done) => setTimeout(done, 50)); }"
OPEN = "() => window.streams.filter((stream) => stream.readyState !== EventSource.CLOSED).length"
HIDDEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_hidden_tabs_hold_no_connection_and_hear_all_when_they_are_seen_again(browser: Any, server: Server) -> None:
    context = browser.new_context(viewport=SIZES["wide"])
    context.add_init_script(STREAMS)
    tabs = []
    for _ in range(7):
        tabs.append(context.new_page())
        tabs[-1].goto(server.address)
        tabs[-1].get_by_role("tablist").wait_for()
        assert tabs[-1].evaluate(OPEN) == 1
        tabs[-1].evaluate(HIDDEN, True)
        assert tabs[-1].evaluate(OPEN) == 0
    first, last = tabs[0], tabs[-1]
    last.evaluate(HIDDEN, False)
    set_epochs(last, 5)
    train(last)
    first.evaluate(HIDDEN, False)
    first.evaluate(HEARD, "done")
    last.evaluate(CLEAR)
    context.close()


def test_a_run_that_was_begun_before_the_page_heard_what_there_was_is_shown(browser: Any, server: Server) -> None:
    context = browser.new_context(viewport=SIZES["wide"])
    context.add_init_script(LATE)
    page = context.new_page()
    page.goto(server.address)
    set_epochs(page, 1)
    page.wait_for_function("window.waiting.length > 0")
    press(page, "Play")
    await_state(page, "Starting the engine")
    page.evaluate("window.hear()")
    await_state(page, "Done")
    page.evaluate(CLEAR)
    context.close()
