// Tiny heat maps: what a neuron says over the plane of a two-dimensional input.

import { html, useRef } from "./html.js";
import { bytesOf, brief, paint, useDrawing } from "./pixels.js";

/**
 * Draws one neuron on a canvas: orange where its output is negative, blue where it is positive.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} bytes the maps of the whole layer
 * @param {number} size a map's width and height
 * @param {number} [index] which of the maps
 */
export function drawTile(canvas, bytes, size, index = 0) {
  paint(canvas, bytes, size, size, index * size * size);
}

/** @param {{map: any, index: number, theme?: string}} properties */
function Tile({ map, index, theme }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useDrawing(() => canvas.current && drawTile(canvas.current, bytesOf(map), map.size, index), [map, index, theme]);
  const label = `Neuron ${index + 1}: what it gives over the plane, orange below 0, blue above, full colour at ${brief(map.scale)}`;
  return html`<canvas ref=${canvas} class="tile pixels" role="img" aria-label=${label} title=${label}></canvas>`;
}

/**
 * The first neurons of a layer as tiles, and how many more there are: all of the layer's, of which the map may hold a part.
 * @param {{map: {count: number, size: number, values: string, scale: number}, most?: number, total?: number, theme?: string}} properties
 */
export function Tiles({ map, most = 8, total = map.count, theme }) {
  const shown = Math.min(map.count, most);
  return html`<span class="tiles">
    ${Array.from({ length: shown }, (_, i) => html`<${Tile} key=${i} map=${map} index=${i} theme=${theme} />`)}
    ${total > shown && html`<span class="tiles-more">+${total - shown}</span>`}
  </span>`;
}
