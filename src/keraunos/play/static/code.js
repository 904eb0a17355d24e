// The program that runs, as text.

import { ApiError, download, program } from "./api.js";
import { html, useMemo, useState } from "./html.js";

/** @import { Actions, Net, State } from "./types.d.ts" */

const KEYWORDS = new Set(
  (
    "and as assert break class continue def del elif else except finally for from if import in is lambda not or pass raise " +
    "return try while with yield"
  ).split(" "),
);
const VALUES = new Set(["True", "False", "None", "self"]);
const TOKEN =
  /("""[^]*?"""|'''[^]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(#.*)|(\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?\b)|(@?[A-Za-z_]\w*)/g;

/**
 * The parts of a Python program and what each is.
 * @param {string} text
 * @returns {[kind: string, text: string][]}
 */
export function tokens(text) {
  const parts = /** @type {[string, string][]} */ ([]);
  let end = 0;
  let before = "";
  for (const match of text.matchAll(TOKEN)) {
    const [word, string, comment, digits] = match;
    if (match.index > end) parts.push(["", text.slice(end, match.index)]);
    end = match.index + word.length;
    const defined = before === "def" || before === "class";
    const name = defined ? "name" : KEYWORDS.has(word) ? "keyword" : VALUES.has(word) ? "value" : word[0] === "@" ? "name" : "";
    parts.push([string ? "string" : comment ? "comment" : digits ? "value" : name, word]);
    before = word;
  }
  parts.push(["", text.slice(end)]);
  return parts;
}

/** What a file of a network is called, without its ending. @param {Net} document */
export const fileName = (document) => (document.name || "network").replace(/[^\w-]+/g, "_").toLowerCase();

/** @typedef {"py" | "ipynb" | "zip"} Form "zip" has both, and the files that they read */

const TYPES = { py: "text/x-python", ipynb: "application/x-ipynb+json", zip: "application/zip" };

/**
 * Gives a network's program or notebook to the browser as a file.
 * @param {Net} document
 * @param {Form} form
 */
export async function takeProgram(document, form) {
  download(`${fileName(document)}.${form}`, await program({ document, form }), TYPES[form]);
}

/** Whether a network's program reads files: data of one's own, or what was learnt before. @param {Net} document */
export const readsFiles = (document) => Boolean(document.data.upload || document.weights);

/** @param {{state: State, actions: Actions}} properties */
export function Code({ state, actions }) {
  const { code } = state;
  const parts = useMemo(
    () => tokens(code || "").map(([kind, text]) => (kind ? html`<span class="code-${kind}">${text}</span>` : text)),
    [code],
  );
  const [said, say] = useState("");
  const told = (/** @type {Promise<unknown>} */ doing, /** @type {string} */ done) =>
    doing.then(
      () => say(done),
      (/** @type {unknown} */ error) => say(error instanceof ApiError ? error.message : "That did not work."),
    );
  const copy = () => told(navigator.clipboard.writeText(code || ""), "Copied.");
  const take = (/** @type {Form} */ form) => told(takeProgram(state.document, form), "Saved.");
  if (!code) {
    return html`<div class="empty">
      <p>There is no program yet: the network cannot be built as it stands.</p>
      <button type="button" class="button" title="Show the layer that has a problem" onClick=${() => broken(state, actions)}>
        Show the problem
      </button>
    </div>`;
  }
  return html`<section class="code" aria-label="Code">
    <div class="view-head">
      <p class="view-note">This is the program that runs when you press play. It needs only keraunos and the engine.</p>
      <div class="row">
        <output aria-live="polite" class="muted">${said}</output>
        <button type="button" class="button" title="Copy the program to the clipboard" onClick=${copy}>Copy</button>
        <button type="button" class="button" title="Download it as a Python file" onClick=${() => take("py")}>.py</button>
        <button type="button" class="button" title="Download it as a Jupyter notebook" onClick=${() => take("ipynb")}>.ipynb</button>
        ${readsFiles(state.document) &&
        html`<button type="button" class="button" title="Download it with the files that it reads" onClick=${() => take("zip")}>.zip</button>`}
      </div>
    </div>
    <pre class="program" tabindex="0" aria-label="The program"><code>${parts}</code></pre>
  </section>`;
}

/**
 * Selects the first layer with a problem.
 * @param {State} state
 * @param {Actions} actions
 */
function broken(state, actions) {
  const problem = (state.report?.problems || []).find((each) => each.layer);
  if (problem && problem.layer) actions.select(problem.layer);
  actions.choose("layer");
}
