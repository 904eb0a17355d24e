// The network in the address: `#1.` and the document, deflated, as base64url.

import { isNet } from "./document.js";

/** @import {Net, View} from "./types.d.ts" */

const VERSION = "1.";
const MOST = 65536;
const KEPT = "keraunos.network";
const SEEN = "keraunos.view";
/** The tabs, in their order. @type {View[]} */
export const VIEWS = ["layer", "inside", "weights", "matrix", "runs", "code", "learn"];

/** @param {ReadableStream<Uint8Array>} stream @param {number} most */
async function gathered(stream, most) {
  const reader = stream.getReader();
  /** @type {Uint8Array[]} */
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) throw new Error("too long");
    parts.push(value);
  }
  const all = new Uint8Array(size);
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

/** @param {Uint8Array<ArrayBuffer>} bytes @param {CompressionStream | DecompressionStream} change */
const through = (bytes, change) => gathered(/** @type {any} */ (new Blob([bytes]).stream().pipeThrough(/** @type {any} */ (change))), MOST);

/** The part of an address that holds a network. @param {Net} net */
export async function written(net) {
  const packed = await through(new TextEncoder().encode(JSON.stringify(net)), new CompressionStream("deflate-raw"));
  const text = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(""));
  return `#${VERSION}${text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

/** The network in such a part of an address. @param {string} hash @returns {Promise<Net>} */
export async function read(hash) {
  const text = hash.replace(/^#/, "");
  if (!text.startsWith(VERSION)) throw new Error("another version");
  const packed = atob(text.slice(VERSION.length).replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const net = JSON.parse(new TextDecoder().decode(await through(bytes, new DecompressionStream("deflate-raw"))));
  if (!isNet(net)) throw new Error("no network");
  return net;
}

/** Keeps something in the browser. @param {string} name @param {unknown} value */
function stored(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Storage is full or closed: the address still holds the network.
  }
}

/** What is kept in the browser. @param {string} name @returns {any} */
function found(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/** Keeps which tab is open and which runs are pinned. @param {{view: View, pinned: string[]}} seen */
export const keepView = (seen) => stored(SEEN, seen);

/** The tab and the pinned runs that were kept. @returns {{view: View | null, pinned: string[]}} */
export function keptView() {
  const { view = null, pinned = [] } = found(SEEN) ?? {};
  return { view: VIEWS.includes(view) ? view : null, pinned: Array.isArray(pinned) ? pinned : [] };
}

let keeping = 0;

/** Keeps a network in the address and in the browser, unless a newer one is kept meanwhile. @param {Net} net */
export async function keep(net) {
  const mine = ++keeping;
  const address = await written(net);
  if (mine !== keeping) return;
  stored(KEPT, net);
  history.replaceState(null, "", address);
}

/** Keeps a network while the page is left, when there is no time to pack it: the browser has it then, not the address. @param {Net} net */
export function keepAtOnce(net) {
  keeping++;
  stored(KEPT, net);
  history.replaceState(null, "", location.pathname);
}

/** The network kept last; null if there is none. @returns {Net | null} */
export function kept() {
  const net = found(KEPT);
  return isNet(net) ? net : null;
}
