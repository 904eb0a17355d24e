// What the data looks like: pictures, films, waves, texts, rows; points stand in the result, where the boundary is.

import { html, useRef } from "./html.js";
import { paintPicture, useDrawing } from "./pixels.js";
import { useStore } from "./store.js";

/** @import {Picture} from "./types.d.ts" */
/** @typedef {{pictures?: Picture[], text?: string, values?: number[], label: string}} Sample */

const SHOWN = { pictures: 10, video: 3, text: 4, sequence: 6, table: 5 };

/** @param {{picture: Picture}} properties */
function Small({ picture }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useDrawing(() => canvas.current && paintPicture(canvas.current, picture), [picture]);
  return html`<canvas ref=${canvas} class="pixels small" aria-hidden="true"></canvas>`;
}

/** @param {{values: number[]}} properties */
function Wave({ values }) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const points = values.map((value, i) => `${(100 * i) / (values.length - 1)},${22 - (20 * (value - low)) / (high - low || 1)}`).join(" ");
  return html`<svg class="wave" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><polyline points=${points} /></svg>`;
}

/** @param {{sample: Sample, kind: string}} properties */
function One({ sample, kind }) {
  const shown = kind === "video" ? (sample.pictures ?? []).filter((_, i) => i % 2 === 0) : (sample.pictures ?? []);
  return html`<figure>
    ${shown.map((picture, i) => html`<${Small} key=${i} picture=${picture} />`)}
    ${sample.text !== undefined && html`<blockquote>${sample.text}</blockquote>`}
    ${sample.values && html`<${Wave} values=${sample.values} />`}
    <figcaption>${sample.label}</figcaption>
  </figure>`;
}

/** @param {{samples: Sample[], columns: {name: string}[]}} properties */
const Rows = ({ samples, columns }) =>
  html`<div class="rows" tabindex="0" role="region" aria-label="The first rows">
    <table>
      ${
        columns.length > 0 &&
        html`<thead>
          <tr>
            ${columns.map((column) => html`<th key=${column.name} scope="col">${column.name}</th>`)}
            <th scope="col">label</th>
          </tr>
        </thead>`
      }
      <tbody>
        ${samples.map(
          (sample, i) =>
            html`<tr key=${i}>
              ${(sample.values ?? []).map((value, j) => html`<td key=${j} class="number">${value}</td>`)}
              <td>${sample.label}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

export function Preview() {
  const preview = useStore((state) => state.preview);
  if (!preview) return null;
  const notes = /** @type {string[]} */ (preview.notes ?? []);
  const kind = /** @type {keyof typeof SHOWN} */ (preview.kind);
  const samples = /** @type {Sample[]} */ (preview.samples ?? []).slice(0, SHOWN[kind]);
  const columns = /** @type {any[]} */ (preview.columns ?? []).map((column) => (typeof column === "string" ? { name: column } : column));
  return html`${notes.map((note) => html`<p key=${note} class="about">${note}</p>`)}
  ${
    samples.length > 0 &&
    (kind === "table"
      ? html`<${Rows} samples=${samples} columns=${columns.length === samples[0].values?.length ? columns : []} />`
      : html`<div class=${`preview ${kind}`} role="group" aria-label="Some of the samples, with their labels">
          ${samples.map((sample, i) => html`<${One} key=${i} sample=${sample} kind=${kind} />`)}
        </div>`)
  }`;
}
