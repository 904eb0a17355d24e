// What the drawings share: bytes, colours, canvases, and numbers in words.

import { useEffect, useLayoutEffect, useState } from "./html.js";

/** @type {WeakMap<object, Map<string, Uint8Array>>} */
const decoded = new WeakMap();

/**
 * The bytes that an object holds as base64, decoded once.
 * @param {object} holder
 * @param {string} [field]
 * @returns {Uint8Array}
 */
export function bytesOf(holder, field = "values") {
  let fields = decoded.get(holder);
  if (!fields) decoded.set(holder, (fields = new Map()));
  let bytes = fields.get(field);
  if (!bytes) {
    const text = atob(/** @type {any} */ (holder)[field] || "");
    bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    fields.set(field, bytes);
  }
  return bytes;
}

/** @typedef {[number, number, number]} Colour */

const BLUE = /** @type {Colour} */ ([43, 108, 176]);
const ORANGE = /** @type {Colour} */ ([217, 130, 43]);
// Told apart by those who see few colours as well: they differ in lightness too.
const CLASSES = /** @type {Colour[]} */ ([
  ORANGE,
  BLUE,
  [27, 142, 109],
  [163, 90, 168],
  [201, 166, 26],
  [86, 173, 211],
  [196, 78, 110],
  [122, 128, 138],
  [128, 88, 44],
  [138, 176, 74],
]);
/** Whether the page is dark now. */
export function dark() {
  const theme = document.documentElement.dataset.theme;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

/**
 * A colour of the page's theme, such as "ink".
 * @param {string} name
 */
export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || (dark() ? "#ddd" : "#222");
}

/** The colour that stands for nothing: zero, or "not sure". @returns {Colour} */
export function neutral() {
  return dark() ? [38, 41, 46] : [245, 245, 243];
}

/** @param {number} index @returns {Colour} */
export function classColour(index) {
  return CLASSES[index % CLASSES.length];
}

/**
 * A colour such as #2b6cb0 as it is seen well on the page's ground: lighter where that is dark.
 * @param {string} hex
 */
export function legible(hex) {
  const value = parseInt(hex.slice(1), 16);
  const colour = /** @type {Colour} */ ([value >> 16, (value >> 8) & 255, value & 255]);
  return dark() ? css(mixed(colour, [255, 255, 255], 0.4)) : hex;
}

/** @param {Colour} colour @param {number} [alpha] */
export function css([r, g, b], alpha = 1) {
  return `rgba(${Math.round(r)}, ${Math.round(g)}, ${Math.round(b)}, ${alpha})`;
}

/** @param {Colour} from @param {Colour} to @param {number} part @returns {Colour} */
export function mixed(from, to, part) {
  return /** @type {Colour} */ (from.map((value, i) => value + (to[i] - value) * part));
}

/** @type {Map<string, Uint32Array>} */
const tables = new Map();

/** @param {Colour} colour */
function packed([r, g, b]) {
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

/**
 * The 256 colours of bytes: "signed" has orange below 128 and blue above it, "grey" is light.
 * @param {"signed" | "grey"} kind
 * @param {number} [strength] how much colour there is at the ends
 * @returns {Uint32Array}
 */
export function palette(kind, strength = 1) {
  const key = `${kind} ${strength} ${dark()}`;
  let table = tables.get(key);
  if (!table) {
    table = new Uint32Array(256);
    for (let value = 0; value < 256; value++) {
      const sign = Math.max(-1, Math.min(1, (value - 128) / 127));
      table[value] = packed(
        kind === "grey" ? [value, value, value] : mixed(neutral(), sign < 0 ? ORANGE : BLUE, strength * Math.abs(sign) ** 0.8),
      );
    }
    tables.set(key, table);
  }
  return table;
}

/**
 * Puts a part of bytes on a canvas, a pixel each; CSS makes them large.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} bytes
 * @param {number} width
 * @param {number} height
 * @param {number} [offset]
 * @param {Uint32Array} [colours]
 */
export function paint(canvas, bytes, width, height, offset = 0, colours = palette("signed")) {
  if (!width || !height) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colours[bytes[offset + i]];
  context.putImageData(image, 0, 0);
}

/**
 * Draws a picture of the data.
 * @param {HTMLCanvasElement} canvas
 * @param {{width: number, height: number, channels: number, values: string}} picture
 */
export function paintPicture(canvas, picture) {
  const { width, height, channels } = picture;
  const bytes = bytesOf(picture);
  if (channels === 1) {
    paint(canvas, bytes, width, height, 0, palette("grey"));
    return;
  }
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[channels * i + c];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/**
 * Makes a canvas as sharp as the screen, and gives its context in CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/**
 * Draws in the next frame when one of `on` has changed, at most once a frame.
 * @param {() => void} draw
 * @param {unknown[]} on
 */
export function useDrawing(draw, on) {
  useEffect(() => {
    const frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, on);
}

/**
 * The width in CSS pixels of the element that the reference is put on, also where it comes later than what holds it.
 * @returns {[(element: HTMLElement | null) => void, number]}
 */
export function useWidth() {
  const [element, hold] = useState(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (!element) return undefined;
    const measure = () => setWidth(Math.floor(element.clientWidth));
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [element]);
  return [hold, width];
}

/**
 * A number with as many digits as tell something.
 * @param {number | null | undefined} value
 */
export function number(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  const size = Math.abs(value);
  const text =
    size === 0
      ? "0"
      : size >= 1e5 || size < 1e-3
        ? value.toExponential(1).replace("e+", "e")
        : size >= 1000
          ? value.toFixed(0)
          : value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
  return text.replace(/-/g, "−");
}

/**
 * A number as short as it can be said with three digits.
 * @param {number} value
 */
export function brief(value) {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || (size !== 0 && (size >= 1e5 || size < 1e-3))) return number(value);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(3))).replace("-", "−");
}

const COUNTS = new Intl.NumberFormat("en-US");

/** A count with its thousands apart. @param {number} value */
export function count(value) {
  return COUNTS.format(value);
}

/** @param {number} part */
export function percent(part) {
  const value = 100 * part;
  return `${value >= 99.95 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/**
 * The names of the classes of the first target that has some.
 * @param {Record<string, import("./types.d.ts").Target> | null | undefined} targets
 * @returns {string[]}
 */
export function classNames(targets) {
  return Object.values(targets ?? {}).find((target) => target.classes)?.classes ?? [];
}
