// The small pictures in the nodes: what each neuron says over the plane, or what a layer makes of the chosen sample.

import { isPlane } from "./document.js";
import { html, useRef } from "./html.js";
import { Tiles } from "./neurons.js";
import { bytesOf, paint, paintPicture, useDrawing } from "./pixels.js";
import { shown, useStore } from "./store.js";

/** @import {ActivationLayer, Net, Picture, Report, Signature} from "./types.d.ts" */

const MOST = 8;

/**
 * The layers that have such pictures.
 * @param {Net} net
 * @param {Report | null} report
 * @param {Signature | null} signature
 * @returns {Set<string>}
 */
export function rowsOf(net, report, signature) {
  const plane = isPlane(signature);
  const shown = net.layers.filter((layer) => {
    const { shape } = report?.layers[layer.id] ?? {};
    if (!shape || shape.length < 2) return false;
    return plane ? layer.type !== "Input" && shape.length === 2 : net.kind === "supervised" && shape.length < 5;
  });
  return new Set(shown.map((layer) => layer.id));
}

/** @param {{layer: ActivationLayer, index: number, theme: string}} properties */
function Map({ layer, index, theme }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const size = layer.width * layer.height;
  useDrawing(() => canvas.current && paint(canvas.current, bytesOf(layer), layer.width, layer.height, index * size), [layer, index, theme]);
  return html`<canvas ref=${canvas} class="tile pixels" aria-hidden="true"></canvas>`;
}

/** @param {{picture: Picture}} properties */
function Given({ picture }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useDrawing(() => canvas.current && paintPicture(canvas.current, picture), [picture]);
  return html`<canvas ref=${canvas} class="tile pixels" aria-hidden="true"></canvas>`;
}

/** @param {{count: number}} properties */
const Blank = ({ count }) => {
  const most = count > MOST ? MOST - 1 : count;
  return html`<span class="tiles" aria-hidden="true">
    ${Array.from({ length: most }, (_, i) => html`<span key=${i} class="tile blank"></span>`)}
    ${count > most && html`<span class="tiles-more">+${count - most}</span>`}
  </span>`;
};

/** One row of a node; only it is drawn again while the network trains. @param {{id: string, shape: (number | null)[]}} properties */
export function MapRow({ id, shape }) {
  const { neurons, made, input, theme } = useStore((state) => {
    const run = shown(state);
    const snapshot = run?.document.data.name === state.document.data.name ? run.snapshot : null;
    const layer = snapshot?.activations?.layers.find((each) => each.id === id) ?? null;
    const first = state.document.layers.find((each) => each.id === id)?.type === "Input";
    return {
      neurons: snapshot?.neurons?.[id] ?? null,
      made: layer,
      input: first ? (snapshot?.activations?.pictures[id] ?? null) : null,
      theme: state.theme,
    };
  });
  const count = shape[shape.length - 1] ?? 1;
  if (neurons && neurons.count <= count)
    return html`<${Tiles} map=${neurons} most=${count > MOST ? MOST - 1 : MOST} total=${count} theme=${theme} />`;
  if (input) return html`<span class="tiles"><${Given} picture=${input} /></span>`;
  if (!made) return html`<${Blank} count=${count} />`;
  if (made.kind === "maps") {
    const most = Math.min(made.count, count > MOST ? MOST - 1 : MOST);
    return html`<span class="tiles">
      ${Array.from({ length: most }, (_, i) => html`<${Map} key=${i} layer=${made} index=${i} theme=${theme} />`)}
      ${count > most && html`<span class="tiles-more">+${count - most}</span>`}
    </span>`;
  }
  return html`<span class="tiles strip"><${Map} layer=${made} index=${0} theme=${theme} /></span>`;
}
