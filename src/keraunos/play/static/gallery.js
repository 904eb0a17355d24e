// What a network makes of data that is no plane: pictures that it rebuilds or draws, or its answer for one sample.

import { html } from "./html.js";
import { Answer, Given, ofThisData, Picture } from "./sample.js";
import { shown } from "./store.js";

/** @import { Actions, State } from "./types.d.ts" */

/** @param {{state: State, actions: Actions}} properties */
export function Gallery({ state, actions }) {
  const run = shown(state);
  const snapshot = run && run.snapshot;
  if (!run || !snapshot || !ofThisData(run, state)) return null;
  const { pictures: made, activations: seen, boundary } = snapshot;
  if (!made || !made.pictures.length) {
    if (!seen || boundary) return null;
    const another = () => actions.look({ sample: Math.floor(Math.random() * (state.signature ? state.signature.test : 1)) });
    return html`<section class="gallery" aria-label="Answer">
      <div class="view-head">
        <p class="muted">Sample ${seen.sample} of the test data</p>
        <button type="button" class="button quiet" title="A test sample by chance" onClick=${another}>another</button>
      </div>
      <div class="gallery-answer">
        <${Given} pictures=${seen.pictures} sample=${seen.sample} />
        <div><${Answer} seen=${seen} run=${run} most=${3} /></div>
      </div>
    </section>`;
  }
  if (run.document.kind === "supervised") {
    const half = made.pictures.length / 2;
    return html`<section class="gallery" aria-label=${made.title}>
      <p class="view-note">Above a picture of the test data, below what the network makes of it, at epoch ${snapshot.epoch}</p>
      <ul class="pictures">
        ${made.pictures.slice(0, half).map(
          (picture, i) => html`<li key=${i}>
            <${Picture} picture=${picture} label="Picture ${i + 1} of the test data" />
            <${Picture} picture=${made.pictures[half + i]} label="What the network makes of picture ${i + 1}" />
          </li>`,
        )}
      </ul>
    </section>`;
  }
  return html`<section class="gallery" aria-label=${made.title}>
    <p class="view-note">${made.title}, at epoch ${snapshot.epoch}</p>
    <ul class="pictures">
      ${made.pictures.map(
        (picture, i) =>
          html`<li key=${i}><${Picture} picture=${picture} label="${made.title}: ${i + 1} of ${made.pictures.length}" /></li>`,
      )}
    </ul>
  </section>`;
}
