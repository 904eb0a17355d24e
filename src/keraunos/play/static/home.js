// What can be taken home: the program, the notebook, the trained model, a link.

import { ApiError, download, file } from "./api.js";
import { fileName, readsFiles, takeProgram } from "./code.js";
import { html, useState } from "./html.js";
import { written } from "./link.js";
import { answered, shown } from "./store.js";

/** @import { Actions, State } from "./types.d.ts" */

/** @typedef {{name: string, button: string, text: string, why: string | null, take: () => Promise<string>}} Thing */

/**
 * What there is to take, and why some of it is not to be had yet.
 * @param {State} state
 * @returns {Thing[]}
 */
function things(state) {
  const { document } = state;
  const run = shown(state);
  const built = state.report && !state.report.ok ? "The network cannot be built as it stands: mend it first." : null;
  const trained = !run
    ? "Train the network first."
    : run.live === false
      ? "The process of this run has ended, and its weights with it: train it again."
      : run.state === "failed"
        ? "This run failed: it has no model to keep."
        : run.state === "starting" || run.state === "compiling"
          ? "Training is just beginning."
          : null;
  const model = (/** @type {"keras" | "onnx"} */ form) => async () => {
    if (!run) return "";
    await answered(); // it is as what was asked before has made it
    download(`${fileName(run.document)}.${form}`, await file(`/api/runs/${run.id}/model.${form}`), "application/octet-stream");
    return `Saved as trained up to epoch ${run.epoch}.`;
  };
  const files = {
    name: "Program and files",
    button: ".zip",
    text: "The program and the notebook with the files that they read: your data, and what was learnt before.",
    why: built,
    take: async () => (await takeProgram(document, "zip"), "Saved. Unpack it, and run program.py in its folder."),
  };
  return [
    ...(readsFiles(document) ? [files] : []),
    {
      name: "Program",
      button: ".py",
      text: "The Python program that runs here, in one file. By itself it reaches the same loss.",
      why: built,
      take: async () => (await takeProgram(document, "py"), "Saved."),
    },
    {
      name: "Notebook",
      button: ".ipynb",
      text: "The same program in cells, for Jupyter. It runs wherever Keraunos is installed.",
      why: built,
      take: async () => (await takeProgram(document, "ipynb"), "Saved."),
    },
    {
      name: "Trained model",
      button: ".keras",
      text: "The network with its weights as they are now: keraunos.models.load_model opens it, and so does this page.",
      why: trained,
      take: model("keras"),
    },
    {
      name: "For other programs",
      button: "ONNX",
      text: "The trained network in the format that ONNX Runtime and many other programs run.",
      why: trained,
      take: model("onnx"),
    },
    {
      name: "Link",
      button: "Copy link",
      text: "The whole network with its settings in an address that any playground opens. Own data and weights are not in it.",
      why: null,
      take: async () => {
        const hash = await written(document);
        await navigator.clipboard.writeText(`${location.origin}/${hash}`);
        return `Copied: ${hash.length + location.origin.length + 1} characters.`;
      },
    },
  ];
}

/** @param {{state: State, actions: Actions}} properties */
export function TakeHome({ state }) {
  const [said, say] = useState(/** @type {Record<string, {text: string, bad?: boolean}>} */ ({}));
  const take = async (/** @type {Thing} */ thing) => {
    say((/** @type {Record<string, {text: string, bad?: boolean}>} */ before) => ({ ...before, [thing.name]: { text: "One moment…" } }));
    const answer = await thing.take().then(
      (text) => ({ text }),
      (/** @type {unknown} */ error) => ({
        text: error instanceof ApiError ? `${error.message}${error.fix ? ` ${error.fix}` : ""}` : "The browser did not allow it.",
        bad: true,
      }),
    );
    say((/** @type {Record<string, {text: string, bad?: boolean}>} */ before) => ({ ...before, [thing.name]: answer }));
  };
  return html`<ul class="things" aria-label="Take home">
    ${things(state).map(
      (thing) => html`<li key=${thing.name}>
        <div>
          <h3>${thing.name}</h3>
          <p>${thing.text}</p>
          <output aria-live="polite" class=${said[thing.name]?.bad ? "bad" : "muted"}>${said[thing.name]?.text ?? thing.why ?? ""}</output>
        </div>
        <button
          type="button"
          class="button"
          aria-label="${thing.name}: ${thing.button}"
          title=${thing.why ?? thing.text}
          disabled=${Boolean(thing.why)}
          onClick=${() => take(thing)}
        >
          ${thing.button}
        </button>
      </li>`,
    )}
  </ul>`;
}
