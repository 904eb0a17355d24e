// The page: its header, its columns, its tabs.

import { Boundary } from "./boundary.js";
import { Code } from "./code.js";
import { Curves } from "./curves.js";
import { Data } from "./data.js";
import { Gallery } from "./gallery.js";
import { Graph } from "./graph.js";
import { Header } from "./header.js";
import { TakeHome } from "./home.js";
import { html, render, useErrorBoundary } from "./html.js";
import { Inside } from "./inside.js";
import { Keys, useKeys } from "./keys.js";
import { LayerPanel } from "./layer.js";
import { Learn } from "./learn.js";
import { Matrix } from "./matrix.js";
import { DialogBox, Examples, Palette } from "./palette.js";
import { Runs } from "./runs.js";
import { Scrubber } from "./scrubber.js";
import { actions, begun, useStore } from "./store.js";
import { Transport } from "./transport.js";
import { TroubleCard } from "./trouble.js";
import { Weights } from "./weights.js";

/** @import {View} from "./types.d.ts" */

/** A view that gets the whole state; where it fails, the rest of the page stays. @param {{of: any, name: string}} properties */
function Live({ of, name }) {
  const state = useStore((state) => state);
  const [error, reset] = useErrorBoundary((error) => console.error(error));
  if (error) {
    return html`<p class="empty" role="alert">
      ${name} could not be drawn (${String(error.message ?? error)}).
      <button type="button" class="button quiet" onClick=${reset}>Try again</button>
    </p>`;
  }
  return html`<${of} state=${state} actions=${actions} />`;
}

function Result() {
  return html`<section class="panel result" aria-label="Result">
    <${Live} of=${TroubleCard} name="The trouble" />
    <${Live} of=${Boundary} name="The boundary" />
    <${Live} of=${Gallery} name="The pictures" />
    <${Live} of=${Curves} name="The curves" />
    <${Live} of=${Scrubber} name="The scrubber" />
  </section>`;
}

/** @type {{view: View, title: string, of: any, says: string}[]} */
const TABS = [
  { view: "layer", title: "Layer", of: null, says: "The arguments of the layer that is chosen" },
  { view: "inside", title: "Inside", of: Inside, says: "What each layer makes of one sample" },
  { view: "weights", title: "Weights", of: Weights, says: "How weights and gradients are spread" },
  { view: "matrix", title: "Confusion", of: Matrix, says: "Which classes are taken for which" },
  { view: "runs", title: "Runs", of: Runs, says: "All runs, to compare" },
  { view: "code", title: "Code", of: Code, says: "The Python program that runs" },
  { view: "learn", title: "Learn", of: Learn, says: "What to try, and why it is so" },
];

function Tabs() {
  const view = useStore((state) => state.view);
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!way) return;
    event.preventDefault();
    const at = TABS.findIndex((tab) => tab.view === view);
    const next = TABS[(at + way + TABS.length) % TABS.length].view;
    actions.choose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  const tab = /** @type {(typeof TABS)[number]} */ (TABS.find((each) => each.view === view));
  return html`<section class="panel tabs" aria-label="Views">
    <div class="tab-list" role="tablist" aria-label="Views" onKeyDown=${keys}>
      ${TABS.map(
        ({ view: each, title, says }) =>
          html`<button
            key=${each}
            id=${`tab-${each}`}
            type="button"
            role="tab"
            aria-selected=${each === view}
            aria-controls="tab-panel"
            tabindex=${each === view ? 0 : -1}
            title=${says}
            onClick=${() => actions.choose(each)}
          >
            ${title}
          </button>`,
      )}
    </div>
    <div id="tab-panel" class="tab-panel" role="tabpanel" aria-labelledby=${`tab-${view}`} tabindex="0">
      ${tab.of ? html`<${Live} key=${view} of=${tab.of} name=${tab.title} />` : html`<${LayerPanel} />`}
    </div>
  </section>`;
}

function Dialogs() {
  const dialog = useStore((state) => state.dialog);
  if (dialog === "palette") return html`<${Palette} />`;
  if (dialog === "examples") return html`<${Examples} />`;
  if (dialog === "keys") return html`<${Keys} />`;
  if (dialog === "home") return html`<${DialogBox} title="Take home"><${Live} of=${TakeHome} name="Take home" /><//>`;
  return null;
}

function App() {
  useKeys();
  return html`
    <a class="skip" href="#network">To the network</a>
    <${Header} />
    <${Transport} />
    <main class="page">
      <${Data} />
      <${Graph} />
      <${Result} />
      <${Tabs} />
    </main>
    <${Dialogs} />
  `;
}

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

/** @param {any} error */
function failed(error) {
  const text =
    error.status === 401 || error.status === 403
      ? "This address is of a playground that was closed. Open the address that the terminal shows, which begins with http://127.0.0.1."
      : `${error.message ?? error} ${error.fix ?? ""}`;
  root.replaceChildren();
  render(html`<p class="waiting" role="alert">${text}</p>`, root);
}

begun().then(() => {
  root.replaceChildren();
  render(html`<${App} />`, root);
  requestAnimationFrame(() => setTimeout(() => performance.mark("painted")));
}, failed);
