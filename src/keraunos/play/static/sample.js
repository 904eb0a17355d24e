// One sample of the test data: which, what it is, and what the network takes it for.

import { html, useRef } from "./html.js";
import { brief, bytesOf, classNames, paintPicture, percent, useDrawing } from "./pixels.js";

/** @import { ActivationLayer, Activations, Actions, Picture as PictureData, RunState, State } from "./types.d.ts" */

const MOST_LINES = 4;

/** Whether a run learns from the data that is chosen now. @param {RunState} run @param {State} state */
export function ofThisData(run, state) {
  const [its, now] = [run.document.data, state.document.data];
  return its.name === now.name && its.upload === now.upload;
}

/**
 * A picture of the data, a pixel of it as a square.
 * @param {{picture: PictureData, label: string}} properties
 */
export function Picture({ picture, label }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useDrawing(() => canvas.current && paintPicture(canvas.current, picture), [picture]);
  const size = { width: picture.width, height: picture.height };
  return html`<canvas ref=${canvas} class="picture pixels" ...${size} role="img" aria-label=${label} title=${label}></canvas>`;
}

/**
 * A sample as pictures, one of each input that is a picture; of several, each has its input's name.
 * @param {{pictures: Record<string, PictureData>, sample: number}} properties
 */
export function Given({ pictures, sample }) {
  const all = Object.entries(pictures);
  return all.map(
    ([name, picture]) => html`<${Picture} key=${name} picture=${picture} label="Sample ${sample}${all.length > 1 ? `, ${name}` : ""}" />`,
  );
}

/**
 * A sample to be chosen, and the network's answer.
 * @param {{seen: Activations, run: RunState, samples: number, actions: Actions}} properties
 */
export function Sample({ seen, run, samples, actions }) {
  const go = (/** @type {number} */ sample) => actions.look({ sample: Math.max(0, Math.min(samples - 1, Math.round(sample) || 0)) });
  return html`<div class="row">
      <button
        type="button"
        class="button"
        aria-label="The sample before"
        title="The test sample before this one"
        disabled=${seen.sample <= 0}
        onClick=${() => go(seen.sample - 1)}
      >
        ‹
      </button>
      <label title="Which sample of the test data is looked at">
        Sample
        <input
          type="number"
          class="field digits"
          min="0"
          max=${samples - 1}
          value=${seen.sample}
          onChange=${(/** @type {any} */ event) => go(event.target.valueAsNumber)}
        />
      </label>
      <button
        type="button"
        class="button"
        aria-label="The next sample"
        title="The test sample after this one"
        disabled=${seen.sample >= samples - 1}
        onClick=${() => go(seen.sample + 1)}
      >
        ›
      </button>
      <button type="button" class="button" title="A test sample by chance" onClick=${() => go(Math.floor(Math.random() * samples))}>
        any
      </button>
    </div>
    <div class="sample-pictures"><${Given} pictures=${seen.pictures} sample=${seen.sample} /></div>
    <${Answer} seen=${seen} run=${run} most=${12} />`;
}

/**
 * What a sample is taken for, what it is, and how sure the network is of each class.
 * @param {{seen: Activations, run: RunState, most: number}} properties
 */
export function Answer({ seen, run, most }) {
  const [predicted, target] = [parted(seen.predicted, run), parted(seen.target, run)];
  const wrong = (/** @type {string} */ name) => run.targets[name]?.classes && predicted.get(name) !== target.get(name);
  const names = classNames(run.targets);
  const series = seen.layers.find(
    ({ id, kind }) => kind === "sequence" && run.document.layers.some((layer) => layer.id === id && layer.type === "Input"),
  );
  return html`${seen.text && html`<blockquote class="sample-text">${seen.text}</blockquote>`}
    ${series && html`<${Series} layer=${series} />`}
    ${[...predicted].map(
      ([name, said]) => html`<p key=${name} class="answer">
        ${predicted.size > 1 ? `${name}: predicted` : "Predicted"} <b class=${wrong(name) ? "bad" : ""}>${said}</b>
        ${target.has(name) && html`, in truth <b>${target.get(name)}</b>`}
      </p>`,
    )}
    ${seen.probabilities && html`<${Probabilities} ...${{ values: seen.probabilities, names, truth: [...target.values()], most }} />`}`;
}

/**
 * What is said of each target: of several, the sentence has their names.
 * @param {string} said
 * @param {RunState} run
 * @returns {Map<string, string>}
 */
function parted(said, run) {
  const names = Object.keys(run.document.outputs);
  if (said === "") return new Map();
  if (names.length < 2) return new Map([[names[0], said]]);
  const starts = names.map((name) => ({ name, at: `, ${said}`.indexOf(`, ${name}: `) })).filter(({ at }) => at >= 0);
  starts.sort((one, other) => one.at - other.at);
  return new Map(
    starts.map(({ name, at }, i) => [name, said.slice(at + name.length + 2, starts[i + 1] ? starts[i + 1].at - 2 : undefined)]),
  );
}

/**
 * A series of numbers as lines over time.
 * @param {{layer: ActivationLayer}} properties
 */
function Series({ layer }) {
  const { width, height, scale } = layer;
  if (height > MOST_LINES || width < 2) return null;
  const bytes = bytesOf(layer);
  const line = (/** @type {number} */ row) =>
    Array.from({ length: width }, (_, x) => `${(100 * x) / (width - 1)},${44 - (bytes[row * width + x] - 128) / 3.2}`).join(" ");
  const label = `The sample over time, within ± ${brief(scale)}`;
  return html`<svg class="series" viewBox="0 0 100 88" preserveAspectRatio="none" role="img" aria-label=${label}>
    <line class="series-zero" x1="0" x2="100" y1="44" y2="44" />
    ${Array.from({ length: height }, (_, row) => html`<polyline key=${row} points=${line(row)} />`)}
  </svg>`;
}

/** @param {{values: number[], names: string[], truth: string[], most: number}} properties */
function Probabilities({ values, names, truth, most }) {
  const rows = values.map((value, i) => ({ value, name: names[i] ?? String(i) }));
  const listed = rows.length > most ? rows.toSorted((a, b) => b.value - a.value).slice(0, most) : rows;
  return html`<table class="bars">
    <caption class="hidden">How sure the network is of each class</caption>
    <tbody>
      ${listed.map(
        ({ value, name }) => html`<tr key=${name} class=${truth.includes(name) ? "truth" : ""}>
          <th scope="row" title=${truth.includes(name) ? `${name}: the true class` : name}>${name}</th>
          <td class="bar">
            <svg width="100%" height="8" aria-hidden="true">
              <rect class="bar-ground" width="100%" height="8" />
              <rect class="bar-part" width="${100 * value}%" height="8" />
            </svg>
          </td>
          <td class="digits">${percent(value)}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
