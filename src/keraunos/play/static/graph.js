// The network as a graph: layers as nodes with what they make, shapes on the edges, errors where they are.

import { layerOf, reaches, shapeText, summary, targetsOf } from "./document.js";
import { said } from "./fields.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { ProblemText } from "./layer.js";
import { MapRow, rowsOf } from "./maps.js";
import { count } from "./pixels.js";
import { actions, getState, useStore } from "./store.js";
import * as dagre from "./vendor/dagre.js";

/** @import {Layer, Net, Problem, Report} from "./types.d.ts" */

const WIDTH = 220;
const HEIGHT = 46;
const ROW = 28;
const ERROR = 34;
const NEAR = 44;
const FAR = 5;

/** @typedef {{id: string, x: number, y: number, width: number, height: number}} Box */
/** @typedef {{from: string, to: string, points: {x: number, y: number}[], middle: {x: number, y: number}}} Wire */
/** @typedef {{nodes: Box[], wires: Wire[], width: number, height: number}} Drawing */

/** What is said of a layer, in the report's order. @param {Report | null} report @param {string} id @returns {Problem | null} */
const problemOf = (report, id) => report?.layers[id]?.error ?? report?.problems.find((problem) => problem.layer === id) ?? null;

/**
 * Where everything stands.
 * @param {Net} net @param {Record<string, number>} heights
 * @returns {Drawing}
 */
function drawn(net, heights) {
  const graph = new dagre.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 24, ranksep: 34, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const layer of net.layers) graph.setNode(layer.id, { width: WIDTH, height: heights[layer.id] });
  for (const layer of net.layers) for (const from of layer.inputs) if (layerOf(net, from)) graph.setEdge(from, layer.id);
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const begins = net.layers.filter((layer) => !layer.inputs.length).map((layer) => graph.node(layer.id).x);
  // The first input is to stand on the left.
  const placed = (/** @type {number} */ x) => (begins.length > 1 && begins[0] > begins[begins.length - 1] ? width - x : x);
  const nodes = net.layers.map((layer) => {
    const { x, y, width, height } = graph.node(layer.id);
    return { id: layer.id, x: placed(x) - width / 2, y: y - height / 2, width, height };
  });
  const wires = graph.edges().map(({ v, w }) => {
    const points = graph.edge(v, w).points.map((/** @type {{x: number, y: number}} */ { x, y }) => ({ x: placed(x), y }));
    return { from: v, to: w, points, middle: points[Math.floor(points.length / 2)] };
  });
  return { nodes, wires, width, height };
}

/** A smooth line through points, from top to bottom. @param {{x: number, y: number}[]} points */
function path(points) {
  const [first, ...rest] = points;
  let text = `M${first.x} ${first.y}`;
  let last = first;
  for (const point of rest) {
    const half = (last.y + point.y) / 2;
    text += `C${last.x} ${half} ${point.x} ${half} ${point.x} ${point.y}`;
    last = point;
  }
  return text;
}

/** What a layer is, in one sentence, for those who hear it. @param {Net} net @param {Layer} layer @param {Report | null} report */
function spoken(net, layer, report) {
  const known = report?.layers[layer.id];
  const problem = problemOf(report, layer.id);
  const parts = [
    `${layer.id}: ${summary(net, layer)}`,
    layer.shares && `shares the weights of ${layer.shares}`,
    layer.inputs.length && `from ${layer.inputs.join(" and ")}`,
    known?.shape ? `shape ${shapeText(known.shape)}` : "shape unknown",
    known?.parameters && `${count(known.parameters)} parameters`,
    targetsOf(net, layer.id).length && `gives ${targetsOf(net, layer.id).join(" and ")}`,
    problem && `error: ${problem.message}`,
  ];
  return parts.filter(Boolean).join(", ");
}

/**
 * @typedef {Record<"selected" | "row" | "first" | "over" | "lifted", boolean>} Looks
 * @param {{net: Net, layer: Layer, box: Box, report: Report | null} & Looks} properties
 */
function Node({ net, layer, box, report, selected, row, first, over, lifted }) {
  const known = report?.layers[layer.id];
  const problem = problemOf(report, layer.id);
  const targets = targetsOf(net, layer.id);
  const kind = layer.type === "Input" ? "input" : targets.length ? "output" : "";
  return html`<div
    id=${`node-${layer.id}`}
    class=${`node ${kind} ${problem ? "bad" : ""} ${over ? "over" : ""} ${lifted ? "lifted" : ""}`}
    data-id=${layer.id}
    role="option"
    aria-selected=${selected}
    aria-label=${spoken(net, layer, report)}
    tabindex=${selected || first ? 0 : -1}
    title=${problem ? undefined : "Click: its arguments. Drag: onto another edge."}
    style=${{ left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` }}
    onFocus=${() => actions.select(layer.id)}
  >
    <div class="node-line" aria-hidden="true">
      <b>${layer.id}</b>
      <span class="number muted" title="The shape of what it gives, for one sample">${shapeText(known?.shape)}</span>
    </div>
    <div class="node-line muted" aria-hidden="true">
      <span>${layer.shares ? html`shares <i>${layer.shares}</i>` : summary(net, layer)}</span>
      <span class="number" title="Parameters: the numbers that it learns">${known?.parameters ? count(known.parameters) : ""}</span>
    </div>
    ${row && html`<${MapRow} id=${layer.id} shape=${known?.shape} />`}
    ${problem && html`<p class="node-problem" aria-hidden="true" title=${problem.message}>${problem.message}</p>`}
    <span class="port" data-port=${layer.id} title="Drag to a layer that is to take what this one gives"></span>
  </div>`;
}

/** @param {{wire: Wire, report: Report | null, shape: string, hot: boolean}} properties */
function WireMark({ wire, report, shape, hot }) {
  const problem = report?.problems.find((each) => each.edge && each.edge[0] === wire.from && each.edge[1] === wire.to);
  return html`<div
    class=${`wire-mark ${problem ? "bad" : ""} ${hot ? "over" : ""}`}
    style=${{ left: `${wire.middle.x}px`, top: `${wire.middle.y}px` }}
  >
    <button
      type="button"
      class="insert"
      tabindex="-1"
      aria-label=${`Add a layer between ${wire.from} and ${wire.to}`}
      title=${problem ? problem.message : `Add a layer between ${wire.from} and ${wire.to}`}
      onClick=${() => actions.openPalette({ edge: [wire.from, wire.to] })}
    >
      <span class="shape number" aria-hidden="true">${problem ? "!" : shape}</span><span class="plus" aria-hidden="true">+</span>
    </button>
  </div>`;
}

/**
 * @typedef {object} Drag
 * @property {"node" | "port"} kind
 * @property {string} id
 * @property {number} x
 * @property {number} y
 * @property {number} startX
 * @property {number} startY
 * @property {boolean} moved
 * @property {string | null} on the layer that is under it
 * @property {[string, string] | null} edge the edge that is next to it
 */

/**
 * Dragging: a node onto an edge, or from a port to a node.
 * @param {import("preact").RefObject<HTMLElement | null>} holder
 * @param {Drawing} drawing
 */
function useDrag(holder, drawing) {
  const [drag, setDrag] = useState(/** @type {Drag | null} */ (null));
  const current = useRef(/** @type {Drag | null} */ (null));
  const set = (/** @type {Drag | null} */ next) => setDrag((current.current = next));
  const place = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (holder.current).getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const down = (/** @type {PointerEvent} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const port = target.closest("[data-port]");
    const node = target.closest("[data-id]");
    if (event.button || !node || target.closest("button") || (event.pointerType === "touch" && !port)) return;
    const id = /** @type {string} */ (node.getAttribute("data-id"));
    const { x, y } = place(event);
    set({ kind: port ? "port" : "node", id, x, y, startX: x, startY: y, moved: false, on: null, edge: null });
  };
  useEffect(() => {
    const move = (/** @type {PointerEvent} */ event) => {
      const now = current.current;
      if (!now) return;
      const { x, y } = place(event);
      const moved = now.moved || Math.hypot(x - now.startX, y - now.startY) > FAR;
      if (!moved) return;
      event.preventDefault();
      const net = getState().document;
      const at = drawing.nodes.find((box) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height);
      const on = now.kind === "port" && at && !reaches(net, at.id, now.id) && layerOf(net, at.id)?.type !== "Input" ? at.id : null;
      const near = drawing.wires
        .filter((wire) => now.kind === "node" && wire.from !== now.id && wire.to !== now.id)
        .map((wire) => ({ wire, far: Math.hypot(wire.middle.x - x, wire.middle.y - y) }))
        .sort((one, other) => one.far - other.far)[0];
      set({ ...now, x, y, moved, on, edge: near && near.far < NEAR ? [near.wire.from, near.wire.to] : null });
    };
    const up = () => {
      const now = current.current;
      if (!now) return;
      set(null);
      if (now.on) actions.connect(now.id, now.on);
      if (now.edge) actions.moveTo(now.id, { edge: now.edge });
    };
    const away = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && current.current && set(null);
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
    addEventListener("keydown", away);
    return () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      removeEventListener("keydown", away);
    };
  }, [drawing]);
  return { drag: drag?.moved ? drag : null, down };
}

/** @param {KeyboardEvent} event @param {Drawing} drawing */
function walked(event, drawing) {
  const { selected, document: net } = getState();
  const go = (/** @type {string | undefined} */ id) => {
    if (!id) return;
    event.preventDefault();
    actions.select(id);
    document.getElementById(`node-${id}`)?.focus();
  };
  const at = net.layers.findIndex((layer) => layer.id === selected);
  const box = drawing.nodes.find((each) => each.id === selected);
  const beside = (/** @type {number} */ way) =>
    drawing.nodes
      .filter((each) => box && Math.abs(each.y - box.y) < HEIGHT && (each.x - box.x) * way > 0)
      .sort((one, other) => (one.x - other.x) * way)[0]?.id;
  if (event.altKey && selected && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    actions.moveLayer(selected, event.key === "ArrowUp" ? -1 : 1);
  } else if (event.key === "ArrowUp") go(net.layers[at - 1]?.id);
  else if (event.key === "ArrowDown") go(net.layers[at + 1]?.id);
  else if (event.key === "ArrowLeft") go(beside(-1));
  else if (event.key === "ArrowRight") go(beside(1));
  else if (event.key === "Home") go(net.layers[0]?.id);
  else if (event.key === "End") go(net.layers.at(-1)?.id);
  else if ((event.key === "Delete" || event.key === "Backspace") && selected) {
    event.preventDefault();
    actions.removeLayer(selected);
  } else if (event.key === "Enter" && selected) {
    event.preventDefault();
    actions.choose("layer");
    document.getElementById("tab-panel")?.focus();
  }
}

function Picture() {
  const { net, report, selected, signature } = useStore((state) => ({
    net: state.document,
    report: state.report,
    selected: state.selected,
    signature: state.signature,
  }));
  const rows = rowsOf(net, report, signature);
  const holder = useRef(/** @type {HTMLElement | null} */ (null));
  const heights = Object.fromEntries(
    net.layers.map((layer) => {
      return [layer.id, HEIGHT + (rows.has(layer.id) ? ROW : 0) + (problemOf(report, layer.id) ? ERROR : 0)];
    }),
  );
  const drawing = useMemo(() => drawn(net, heights), [net, JSON.stringify(heights)]);
  const { drag, down } = useDrag(holder, drawing);
  useEffect(() => {
    const focused = document.activeElement;
    const now = getState().selected; // another may have been chosen since this was drawn
    if (now && (focused === document.body || focused?.closest("[role=listbox]")))
      document.getElementById(`node-${now}`)?.focus({ preventScroll: true });
  }, [selected, drawing]);
  const shape = (/** @type {string} */ id) => shapeText(report?.layers[id]?.shape);
  const first = selected && layerOf(net, selected) ? null : net.layers[0]?.id;
  const size = { width: `${drawing.width}px`, height: `${drawing.height}px` };
  return html`<div class="graph" onKeyDown=${(/** @type {KeyboardEvent} */ event) => walked(event, drawing)}>
    <div ref=${holder} class=${`drawing ${drag ? "dragging" : ""}`} style=${size} onPointerDown=${down}>
      <svg class="wires" width=${drawing.width} height=${drawing.height} aria-hidden="true">
        ${drawing.wires.map((wire) => {
          const bad = report?.problems.some((each) => each.edge && each.edge[0] === wire.from && each.edge[1] === wire.to);
          return html`<path key=${`${wire.from} ${wire.to}`} class=${bad ? "bad" : ""} d=${path(wire.points)} />`;
        })}
        ${drag?.kind === "port" && html`<path class="drawn" d=${`M${drag.startX} ${drag.startY}L${drag.x} ${drag.y}`} />`}
      </svg>
      ${drawing.wires.map(
        (wire) =>
          html`<${WireMark}
            key=${`${wire.from} ${wire.to}`}
            wire=${wire}
            report=${report}
            shape=${shape(wire.from)}
            hot=${drag?.edge?.[0] === wire.from && drag?.edge?.[1] === wire.to}
          />`,
      )}
      <div role="listbox" aria-label="The layers of the network" aria-orientation="vertical">
        ${net.layers.map((layer, i) => {
          const box = drawing.nodes[i];
          const own =
            drag?.kind === "node" && drag.id === layer.id
              ? { ...box, x: box.x + drag.x - drag.startX, y: box.y + drag.y - drag.startY }
              : box;
          return html`<${Node}
            key=${layer.id}
            net=${net}
            layer=${layer}
            box=${own}
            report=${report}
            selected=${layer.id === selected}
            row=${rows.has(layer.id)}
            first=${layer.id === first}
            over=${drag?.on === layer.id}
            lifted=${drag?.kind === "node" && drag.id === layer.id}
          />`;
        })}
      </div>
    </div>
  </div>`;
}

export function Graph() {
  const { report, last, selected, layers, hint } = useStore((state) => ({
    report: state.report,
    hint: state.start.presets.find(
      ({ document }) => document.name === state.document.name && document.data.name === state.document.data.name,
    )?.text,
    last: state.document.layers.at(-1)?.id,
    selected: state.selected,
    layers: state.document.layers.length,
  }));
  const general = (report?.problems ?? []).filter((problem) => !problem.layer);
  const wrong = report?.problems.length ?? 0;
  const after = selected ?? last;
  const size = `${layers} layers, ${report?.ok ? count(report.parameters) : "–"} parameters`;
  return html`<section id="network" class="panel network" aria-label="Network" tabindex="-1">
    <div class="panel-head">
      <h2>Network</h2>
      <span class="muted" title="Parameters are the numbers that it learns">${size}</span>
      ${wrong > 0 && html`<span class="wrong-text" role="status">${wrong === 1 ? "1 mistake" : `${wrong} mistakes`}</span>`}
      <span class="gap"></span>
      <button
        type="button"
        class="button"
        disabled=${!after}
        title=${`Add a layer after ${after} (a)`}
        onClick=${() => after && actions.openPalette({ after })}
      >
        Add a layer
      </button>
    </div>
    ${hint && html`<p class="hint muted">${said(hint)}</p>`}
    ${general.map((problem, i) => html`<${ProblemText} key=${i} problem=${problem} />`)}
    <${Picture} />
  </section>`;
}
