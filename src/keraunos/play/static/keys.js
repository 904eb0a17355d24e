// The keys that do something, and their list.

import { html, useEffect } from "./html.js";
import { DialogBox } from "./palette.js";
import { VIEWS } from "./link.js";
import { actions, getState } from "./store.js";

const LIST = [
  ["Space", "Play or pause"],
  [".", "One batch further"],
  [":", "One epoch further"],
  ["S", "Stop"],
  ["↑ ↓", "The layer before or after, when one has the focus"],
  ["Alt + ↑ ↓", "Move the layer"],
  ["A, Shift + A", "Add a layer after or before"],
  ["D", "Copy the layer"],
  ["Delete", "Remove the layer"],
  ["Ctrl + Z, Ctrl + Shift + Z", "Undo, redo"],
  ["1 … 7", "The tabs, from Layer to Learn"],
  ["E", "Examples"],
  ["T", "Light or dark"],
  ["?", "This list"],
];


/** Whether what has the focus takes this key itself. @param {EventTarget | null} target @param {string} key */
function takes(target, key) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("input:not([type=checkbox], [type=range]), textarea, select, [contenteditable]")) return true;
  return key === " " && target.matches("button, a, input, summary, [role=tab], [role=option]") && !target.closest("[role=listbox]");
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const state = getState();
  if (event.defaultPrevented || state.dialog) return;
  const { key } = event;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && key.toLowerCase() === "z") {
    if (takes(event.target, "z") && /** @type {HTMLInputElement} */ (event.target).type === "text") return;
    event.preventDefault();
    return event.shiftKey ? actions.redo() : actions.undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || takes(event.target, key)) return;
  const chosen = state.selected;
  const last = state.document.layers.at(-1)?.id;
  /** @type {Record<string, () => unknown>} */
  const does = {
    " ": () => actions.main(),
    ".": () => actions.step("batch"),
    ":": () => actions.step("epoch"),
    s: () => actions.stop(),
    a: () => (chosen ?? last) && actions.openPalette({ after: /** @type {string} */ (chosen ?? last) }),
    A: () => chosen && actions.openPalette({ before: chosen }),
    d: () => chosen && actions.copyLayer(chosen),
    e: () => actions.open("examples"),
    t: () => actions.turnTheme(),
    "?": () => actions.open("keys"),
    ...Object.fromEntries(VIEWS.map((view, i) => [String(i + 1), () => actions.choose(view)])),
  };
  if (!does[key]) return;
  event.preventDefault();
  does[key]();
}

export function useKeys() {
  useEffect(() => {
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

export function Keys() {
  return html`<${DialogBox} title="Keys">
    <table class="keys">
      <tbody>
        ${LIST.map(
          ([key, does]) =>
            html`<tr key=${key}>
              <th scope="row"><kbd>${key}</kbd></th>
              <td>${does}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  <//>`;
}
