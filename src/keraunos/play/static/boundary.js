// What the network says at each point of the plane, with the points of the data over it.

import { html, useRef, useState } from "./html.js";
import {
  brief,
  bytesOf,
  classColour,
  classNames,
  css,
  mixed,
  neutral,
  number,
  palette,
  percent,
  sharp,
  token,
  useDrawing,
  useWidth,
} from "./pixels.js";
import { ofThisData } from "./sample.js";
import { shown } from "./store.js";

/** @import { Actions, BoundaryView, State } from "./types.d.ts" */

const LEFT = 30;
const BOTTOM = 20;
const ROOM = 0.15;
const FINER = 4;

/** @typedef {import("./pixels.js").Colour} Colour */

/**
 * A field's values with others between them, so that a boundary is a line and no stairs.
 * @param {Uint8Array} values
 * @param {number} size
 */
function finer(values, size) {
  const wide = (size - 1) * FINER + 1;
  const found = new Float32Array(wide * wide);
  for (let row = 0; row < wide; row++) {
    const top = Math.min(size - 2, Math.floor(row / FINER));
    const down = row / FINER - top;
    for (let column = 0; column < wide; column++) {
      const left = Math.min(size - 2, Math.floor(column / FINER));
      const right = column / FINER - left;
      const at = top * size + left;
      const above = values[at] + (values[at + 1] - values[at]) * right;
      const below = values[at + size] + (values[at + size + 1] - values[at + size]) * right;
      found[row * wide + column] = above + (below - above) * down;
    }
  }
  return { found, wide };
}

/**
 * The field as a picture, its outer values on the edges.
 * @param {BoundaryView} field
 * @param {number} classes
 * @returns {HTMLCanvasElement}
 */
function coloured(field, classes) {
  const canvas = document.createElement("canvas");
  const values = bytesOf(field);
  const ground = neutral();
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  if (field.kind === "classes" && classes > 2) {
    // Classes have nothing between them: their colours are mixed where the picture is made large.
    const sure = field.sure ? bytesOf(field, "sure") : null;
    const image = new ImageData(field.size, field.size);
    for (let i = 0; i < field.size ** 2; i++) {
      const part = sure ? Math.max(0, (sure[i] / 255 - 1 / classes) / (1 - 1 / classes)) : 1;
      image.data.set([...mixed(ground, classColour(values[i]), 0.12 + 0.58 * part), 255], 4 * i);
    }
    canvas.width = canvas.height = field.size;
    context.putImageData(image, 0, 0);
    return canvas;
  }
  const { found, wide } = finer(values, field.size);
  const image = new ImageData(wide, wide);
  const pixels = new Uint32Array(image.data.buffer);
  const shades = palette("signed", 0.72);
  for (let i = 0; i < found.length; i++) pixels[i] = shades[Math.round(found[i])];
  canvas.width = canvas.height = wide;
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * The range of the plane that is drawn.
 * @param {any} field
 * @param {any[]} points
 */
function ranges(field, points) {
  if (field) return { x: field.x, y: field.y };
  return { x: around(points.map((point) => point.x)), y: around(points.map((point) => point.y)) };
}

/** The range of some values, with a little room. @param {number[]} values */
function around(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = ROOM * (high - low) || 1;
  return [low - room, high + room];
}

/**
 * The points of a preview, whatever they are learnt as.
 * @param {any} preview
 * @returns {{x: number, y: number, value: number, test: boolean}[]}
 */
function pointsOf(preview) {
  if (!preview || preview.kind !== "points") return [];
  return preview.points || [];
}

/**
 * What the field says of one of its pixels, in words.
 * @param {any} field
 * @param {string[]} names
 * @param {number} x
 * @param {number} y
 */
function said(field, names, x, y) {
  const column = Math.round(((x - field.x[0]) / (field.x[1] - field.x[0])) * (field.size - 1));
  const row = Math.round(((field.y[1] - y) / (field.y[1] - field.y[0])) * (field.size - 1));
  if (column < 0 || row < 0 || column >= field.size || row >= field.size) return "";
  const at = row * field.size + column;
  const value = bytesOf(field)[at];
  const place = `(${number(x)}, ${number(y)})`;
  if (field.kind !== "classes") return `${place}: ${number(field.low + (value / 255) * (field.high - field.low))}`;
  if (field.kind === "classes" && field.high > 1) {
    const sure = field.sure ? `, ${percent(bytesOf(field, "sure")[at] / 255)}` : "";
    return `${place}: ${names[value] ?? `unit ${value + 1}`}${sure}`;
  }
  const second = value / 255;
  return `${place}: ${second >= 0.5 ? (names[1] ?? "1") : (names[0] ?? "0")}, ${percent(Math.max(second, 1 - second))}`;
}

/** @param {number[]} range */
function ticks([low, high]) {
  const least = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((times) => times * unit).find((each) => each >= least) || least;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9; value += step) found.push(Math.abs(value) < step / 1e6 ? 0 : value);
  return found;
}

/** @param {{state: State, actions: Actions}} properties */
export function Boundary({ state }) {
  const run = shown(state);
  const same = run && ofThisData(run, state);
  const field = (same && run.snapshot && run.snapshot.boundary) || null;
  const [holder, width] = useWidth();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const ground = useRef(/** @type {{field: any, theme: string, image: HTMLCanvasElement} | null} */ (null));
  const [probe, setProbe] = useState(/** @type {[number, number] | null} */ (null));
  const [test, setTest] = useState(true);
  const points = pointsOf(state.preview);
  // The preview may still be of the data before: its points are drawn by its own classes.
  const names = /** @type {string[]} */ (state.preview ? (state.preview.classes ?? []) : classNames(run && run.targets));
  const classes = Math.max(names.length, field && field.kind === "classes" ? field.high + 1 : 0);
  const labelled = !state.preview || state.preview.labelled !== false;
  const { x, y } = ranges(field, points);
  const size = Math.min(width, 420);
  const side = Math.max(0, size - LEFT);
  const across = (/** @type {number} */ value) => LEFT + ((value - x[0]) / (x[1] - x[0])) * side;
  const down = (/** @type {number} */ value) => ((y[1] - value) / (y[1] - y[0])) * side;

  useDrawing(() => {
    if (!canvas.current || side < 20) return;
    const context = sharp(canvas.current, size, side + BOTTOM);
    if (field) {
      if (!ground.current || ground.current.field !== field || ground.current.theme !== state.theme) {
        ground.current = { field, theme: state.theme, image: coloured(field, classes) };
      }
      context.imageSmoothingQuality = "high";
      // The outer values lie on the edges: half a pixel of each is outside.
      const { image } = ground.current;
      context.drawImage(image, 0.5, 0.5, image.width - 1, image.height - 1, LEFT, 0, side, side);
    } else {
      context.fillStyle = css(neutral());
      context.fillRect(LEFT, 0, side, side);
    }
    drawPoints(context, points, { across, down, names, field, test, labelled });
    drawAxes(context, { x, y, across, down, side });
    if (probe) {
      context.strokeStyle = token("ink");
      context.beginPath();
      context.arc(across(probe[0]), down(probe[1]), 7, 0, 2 * Math.PI);
      context.stroke();
    }
  }, [field, state.preview, size, state.theme, test, probe, classes]);

  const move = (/** @type {any} */ event) => {
    if (!field) return;
    const left = x[0] + ((event.offsetX - LEFT) / side) * (x[1] - x[0]);
    const top = y[1] - (event.offsetY / side) * (y[1] - y[0]);
    setProbe(event.offsetX < LEFT || event.offsetY > side ? null : [left, top]);
  };
  const press = (/** @type {any} */ event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[/** @type {string} */ (event.key)];
    if (!by || !field) return;
    event.preventDefault();
    event.stopPropagation();
    const [cx, cy] = probe || [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2];
    const inside = (/** @type {number} */ value, /** @type {number[]} */ [low, high]) => Math.max(low, Math.min(high - 1e-6, value));
    setProbe([inside(cx + (by[0] * (x[1] - x[0])) / 40, x), inside(cy + (by[1] * (y[1] - y[0])) / 40, y)]);
  };
  const words = field && probe ? said(field, names, probe[0], probe[1]) : "";
  const what =
    field && field.kind === "number" ? "The value that the network gives at each point" : "The class that the network gives at each point";
  const label = field
    ? `${what}, x from ${brief(x[0])} to ${brief(x[1])}, y from ${brief(y[0])} to ${brief(y[1])}. Arrow keys read it.`
    : `The ${points.length} points of the data`;
  if (!field && !points.length) return null;
  return html`<section class="boundary" aria-label="Boundary">
    <div ref=${holder} class="boundary-holder">
      <canvas
        ref=${canvas}
        style=${{ width: `${size}px`, height: `${side + BOTTOM}px` }}
        tabindex="0"
        role="img"
        aria-label=${label}
        onPointerMove=${move}
        onPointerLeave=${() => setProbe(null)}
        onKeyDown=${press}
      ></canvas>
    </div>
    <div class="boundary-foot">
      <div class="boundary-said">
        ${labelled && html`<${Key} field=${field} names=${names} points=${points} hidden=${Boolean(words)} />`}
        <output class="digits" aria-live="polite">${words}</output>
      </div>
      <label class="check" title="Points of the test data are drawn as rings: the network does not learn from them">
        <input type="checkbox" checked=${test} onChange=${(/** @type {any} */ event) => setTest(event.target.checked)} /> test points
      </label>
    </div>
  </section>`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {any[]} points
 * @param {{across: (x: number) => number, down: (y: number) => number, names: string[], field: any, test: boolean,
 *   labelled: boolean}} how
 */
function drawPoints(context, points, { across, down, names, field, test, labelled }) {
  const values = points.map((point) => point.value);
  const [low, high] = field && field.kind === "number" ? [field.low, field.high] : [Math.min(...values), Math.max(...values)];
  const paper = token("paper");
  const ink = token("muted");
  for (const point of points) {
    if (point.test && !test) continue;
    const part = high > low ? (point.value - low) / (high - low) : 0.5;
    const colour =
      names.length > 0
        ? classColour(point.value)
        : mixed(neutral(), classColour(part < 0.5 ? 0 : 1), Math.min(1, Math.abs(2 * part - 1) + 0.15));
    context.beginPath();
    context.arc(across(point.x), down(point.y), point.test ? 3 : 2.75, 0, 2 * Math.PI);
    if (point.test) {
      context.fillStyle = paper;
      context.fill();
      context.lineWidth = 1.5;
      context.strokeStyle = labelled ? css(colour) : ink;
    } else {
      context.fillStyle = labelled ? css(colour) : ink;
      context.fill();
      context.lineWidth = 0.75;
      context.strokeStyle = paper;
    }
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number[], y: number[], across: (x: number) => number, down: (y: number) => number, side: number}} how
 */
function drawAxes(context, { x, y, across, down, side }) {
  context.strokeStyle = token("line");
  context.lineWidth = 1;
  context.strokeRect(LEFT + 0.5, 0.5, side - 1, side - 1);
  context.fillStyle = token("muted");
  context.font = "11px system-ui, sans-serif";
  const text = (/** @type {number} */ value) => String(Number(value.toPrecision(3))).replace("-", "−");
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const value of ticks(x)) context.fillText(text(value), Math.max(LEFT + 8, Math.min(LEFT + side - 8, across(value))), side + 5);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of ticks(y)) context.fillText(text(value), LEFT - 5, Math.max(6, Math.min(side - 6, down(value))));
}

/** @param {{field: any, names: string[], points: any[], hidden: boolean}} properties */
function Key({ field, names, points, hidden }) {
  if (names.length)
    return html`<ul class=${hidden ? "key away" : "key"}>
      ${names.map(
        (name, i) =>
          html`<li key=${i}><span class="dot" style=${{ background: css(classColour(i)) }} aria-hidden="true"></span>${name}</li>`,
      )}
    </ul>`;
  const values = points.map((point) => point.value);
  const [low, high] = field ? [field.low, field.high] : values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  return html`<span class=${hidden ? "key away" : "key"}
    ><span class="digits">${brief(low)}</span><span class="ramp" aria-hidden="true"></span><span class="digits">${brief(high)}</span></span
  >`;
}
