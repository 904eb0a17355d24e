// What each layer makes of one sample: feature maps, vectors, sequences; each can be seen large, with its numbers.

import { html, useEffect, useRef, useState } from "./html.js";
import { Tiles } from "./neurons.js";
import { brief, bytesOf, count, paint, percent, useDrawing } from "./pixels.js";
import { Sample } from "./sample.js";
import { shown } from "./store.js";

/** @import { ActivationLayer, Actions, Snapshot, State } from "./types.d.ts" */

const MOST_MAPS = 32;

/** @param {{state: State, actions: Actions}} properties */
export function Inside({ state, actions }) {
  const run = shown(state);
  const snapshot = run && run.snapshot;
  const seen = snapshot && snapshot.activations;
  const [large, setLarge] = useState(/** @type {{layer: string, map: number} | null} */ (null));
  const id = run && run.id;
  useEffect(() => setLarge(null), [id]);
  if (!run || !snapshot || !seen) {
    return html`<p class="empty">
      ${
        !run
          ? "Train the network: what each of its layers makes of one sample is drawn here."
          : run.document.kind === "adversarial"
            ? "A generator has no sample to begin with: what it makes of noise stands beside the curves."
            : "The first look inside is on its way."
      }
    </p>`;
  }
  const layer = large && seen.layers.find((each) => each.id === large.layer);
  return html`<section class="inside" aria-label="Inside">
    <div class="inside-sample">
      <${Sample} seen=${seen} run=${run} samples=${state.signature ? state.signature.test : 1} actions=${actions} />
    </div>
    <div class="inside-layers">
      <p class="view-note">
        From the input to the output, at epoch ${snapshot.epoch}.${" "}
        <b class="negative">Orange</b> is negative, <b class="positive">blue</b> positive; each layer has its own scale.${" "}
        Click a map to read its numbers.${run.live === false && " The process of this run has ended: this is what was seen last."}
      </p>
      <ol class="layers">
        ${seen.layers.map(
          (each) => html`<li key=${each.id}>
            <${LayerMaps}
              layer=${each}
              theme=${state.theme}
              chosen=${large && large.layer === each.id ? large.map : null}
              choose=${(/** @type {number} */ map) =>
                setLarge(large && large.layer === each.id && large.map === map ? null : { layer: each.id, map })}
              select=${() => actions.select(each.id)}
            />
            ${large && layer === each && html`<${Large} layer=${each} map=${large.map} close=${() => setLarge(null)} />`}
          </li>`,
        )}
      </ol>
      ${snapshot.neurons && html`<${Neurons} snapshot=${snapshot} theme=${state.theme} />`}
    </div>
  </section>`;
}

/** What a map of a layer is called. @param {ActivationLayer} layer */
function noun(layer) {
  return layer.kind === "maps" ? "map" : layer.kind === "sequence" ? "sequence" : "vector";
}

/** @param {{layer: ActivationLayer, theme: string, chosen: number | null, choose: (map: number) => void, select: () => void}} properties */
function LayerMaps({ layer, theme, chosen, choose, select }) {
  const [all, setAll] = useState(false);
  const most = all ? layer.count : Math.min(layer.count, MOST_MAPS);
  const fewer = layer.kind === "maps" && layer.shape.length === 3 && layer.shape[2] > layer.count;
  return html`<div class="layer-maps">
    <h3>
      <button type="button" class="plain mono" title="Choose ${layer.id}: more of its maps are shown then" onClick=${select}>
        ${layer.id}
      </button>
      <span class="muted digits">${layer.shape.join(" × ")}</span>
      <span class="muted digits" title="Full colour is this value">± ${brief(layer.scale)}</span>
      ${layer.kind === "sequence" && html`<span class="muted">time goes to the right</span>`}
      ${fewer && html`<span class="muted">the first ${layer.count} maps; choose the layer to see more</span>`}
    </h3>
    <div class="maps">
      ${Array.from(
        { length: most },
        (_, i) => html`<button
          key=${i}
          type="button"
          class="map"
          aria-pressed=${chosen === i}
          aria-label="${layer.id}, ${noun(layer)} ${i + 1} of ${layer.count}: show its numbers"
          title="${noun(layer)} ${i + 1} of ${layer.count}"
          onClick=${() => choose(i)}
        >
          <${Map} layer=${layer} index=${i} theme=${theme} />
        </button>`,
      )}
      ${
        layer.count > MOST_MAPS &&
        html`<button
          type="button"
          class="plain"
          title=${all ? "Show the first maps only" : "Show all maps of this layer"}
          onClick=${() => setAll(!all)}
        >
          ${all ? "fewer" : `all ${layer.count}`}
        </button>`
      }
    </div>
  </div>`;
}

/** @param {{layer: ActivationLayer, index: number, theme: string}} properties */
function Map({ layer, index, theme }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useDrawing(() => {
    if (canvas.current) paint(canvas.current, bytesOf(layer), layer.width, layer.height, index * layer.width * layer.height);
  }, [layer, index, theme]);
  const { width, height } = layer;
  return html`<canvas ref=${canvas} class="pixels" width=${width} height=${height} style=${sized(layer)} aria-hidden="true"></canvas>`;
}

/**
 * How large a map is drawn: pixels stay square, vectors are strips.
 * @param {ActivationLayer} layer
 */
function sized({ width, height, kind }) {
  if (kind === "vector") return { width: `${Math.min(560, Math.max(24, width * 12))}px`, height: "20px" };
  const scale = Math.min(kind === "sequence" ? 320 / width : 48 / width, 64 / height);
  return { width: `${Math.max(6, width * scale)}px`, height: `${Math.max(12, height * scale)}px` };
}

/** @param {{layer: ActivationLayer, map: number, close: () => void}} properties */
function Large({ layer, map, close }) {
  const { width, height, scale } = layer;
  const bytes = bytesOf(layer).subarray(map * width * height, (map + 1) * width * height);
  const values = Array.from(bytes, (byte) => ((byte - 128) / 127) * scale);
  const readable = width * height <= 1024;
  const zeros = values.filter((value) => value === 0).length;
  return html`<div class="large" role="group" aria-label="${layer.id}, ${noun(layer)} ${map + 1}">
    <div class="row">
      <b>${noun(layer)} ${map + 1}</b>
      <span class="muted digits">
        ${brief(Math.min(...values))} to ${brief(Math.max(...values))}, mean ${brief(values.reduce((a, b) => a + b, 0) / values.length)},
        ${percent(zeros / values.length)} zero; in steps of ${brief(scale / 127)}
      </span>
      <button type="button" class="button quiet" title="Close the numbers" onClick=${close}>close</button>
    </div>
    ${
      readable
        ? html`<div class="scroll" tabindex="0" role="region" aria-label="Numbers of ${noun(layer)} ${map + 1}">
            <table class="cells digits">
              <tbody>
                ${Array.from(
                  { length: height },
                  (_, y) => html`<tr key=${y}>
                    ${Array.from({ length: width }, (_cell, x) => html`<${Cell} key=${x} value=${values[y * width + x]} scale=${scale} />`)}
                  </tr>`,
                )}
              </tbody>
            </table>
          </div>`
        : html`<p class="muted">${count(width * height)} numbers are too many to read: the map is drawn above.</p>`
    }
  </div>`;
}

/** @param {{value: number, scale: number}} properties */
function Cell({ value, scale }) {
  const part = scale ? Math.min(1, Math.abs(value) / scale) : 0;
  const colour = value < 0 ? "217, 130, 43" : "43, 108, 176";
  const style = { background: `rgba(${colour}, ${0.75 * part})`, color: part > 0.8 ? "#fff" : "" };
  return html`<td style=${style}>${value === 0 ? "0" : value.toFixed(2).replace("-", "−")}</td>`;
}

/**
 * The neurons of each layer over the plane of the input.
 * @param {{snapshot: Snapshot, theme: string}} properties
 */
function Neurons({ snapshot, theme }) {
  return html`<div class="inside-neurons">
    <h3>Each neuron over the plane</h3>
    ${Object.entries(snapshot.neurons || {}).map(
      ([id, map]) => html`<div key=${id} class="row">
        <span class="mono">${id}</span>
        <${Tiles} map=${map} most=${24} theme=${theme} />
        <span class="muted digits">± ${brief(map.scale)}</span>
      </div>`,
    )}
  </div>`;
}
