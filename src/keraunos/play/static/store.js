// The page's state, and all that can be done with it.

import * as api from "./api.js";
import * as edit from "./document.js";
import { useEffect, useRef, useState } from "./html.js";
import { keep, keepAtOnce, keepView, kept, keptView, read, written } from "./link.js";

/**
 * @import {DataSpec, Dialog, History, Look, Net, Place, Point, Run, RunState, Snapshot, State, Training, Value, View} from "./types.d.ts"
 */

const PAST = 500;
const CHECK_AFTER = 150;
const KEEP_AFTER = 300;
const TYPING = 1000;
const AGAIN_AFTER = 3000;
const COLOURS = ["#2b6cb0", "#2f855a", "#805ad5", "#b7791f", "#c2417c", "#0e7490", "#64748b", "#9c4221"];
const HIDDEN = /^(Dense|(Depthwise|Separable)?Conv[12]D(Transpose)?)$/;
const ACTIVE = ["starting", "compiling", "training", "paused"];

/** @type {State} */
let state = /** @type {any} */ ({
  document: null,
  past: [],
  future: [],
  selected: null,
  report: null,
  checked: null,
  code: null,
  signature: null,
  preview: null,
  start: null,
  runs: [],
  shown: null,
  pinned: [],
  connection: "connecting",
  view: "layer",
  theme: document.documentElement.dataset.theme ?? "light",
  sample: 0,
  epoch: null,
  notice: null,
  dialog: null,
  place: null,
  busy: false,
});

/** @type {Set<() => void>} */
const listeners = new Set();
let asked = false;

export const getState = () => state;

/** Those who listen hear of changes once a frame; where no frame is drawn (a hidden tab), a little later. */
function announce() {
  if (asked) return;
  asked = true;
  const tell = () => {
    if (!asked) return;
    asked = false;
    listeners.forEach((listener) => listener());
  };
  requestAnimationFrame(tell);
  setTimeout(tell, 250);
}

/** @param {Partial<State>} patch */
export function update(patch) {
  state = { ...state, ...patch };
  announce();
}

/** Whether two selections are the same: as values, or one by one. @param {any} one @param {any} other */
function same(one, other) {
  if (Object.is(one, other)) return true;
  if (!one || !other || typeof one !== "object" || typeof other !== "object") return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.is(one[name], other[name]));
}

/**
 * What a component needs of the state; it is rendered again when that has changed.
 * @template T
 * @param {(state: State) => T} selector
 * @returns {T}
 */
export function useStore(selector) {
  const [, again] = useState(0);
  const chosen = selector(state);
  const current = useRef({ selector, chosen });
  current.current = { selector, chosen };
  useEffect(() => {
    const check = () => {
      const { selector, chosen } = current.current;
      if (!same(selector(state), chosen)) again((/** @type {number} */ times) => times + 1);
    };
    listeners.add(check);
    check();
    return () => void listeners.delete(check);
  }, []);
  return chosen;
}

/** The run that is shown. @param {State} state @returns {RunState | null} */
export const shown = (state) => state.runs.find((run) => run.id === state.shown) ?? null;

/** Whether a run still trains, or could go on. @param {Run | null} run */
export const active = (run) => run !== null && ACTIVE.includes(run.state);

/** Whether the network was changed since the run shown began. @param {State} state */
export const changed = (state) => {
  const run = shown(state);
  return run !== null && !edit.alike(run.document, state.document);
};

/** @param {unknown} error */
function told(error) {
  const wrong = /** @type {api.ApiError} */ (error);
  if (wrong.status === 401) update({ connection: "restarted" });
  update({ notice: { kind: "error", text: wrong.message, fix: wrong.fix ?? null } });
}

/** Does what may fail; what is wrong is told. @template T @param {() => Promise<T>} act @returns {Promise<T | null>} */
async function trying(act) {
  try {
    return await act();
  } catch (error) {
    told(error);
    return null;
  }
}

// The document and its checks.

let checks = 0;
let checkLater = 0;
let keepLater = 0;

async function check() {
  const mine = ++checks;
  const net = state.document;
  try {
    const { report, code, signature } = await api.post("/api/check", { document: net });
    if (state.connection === "restarted") update({ connection: "open" });
    if (mine !== checks) return;
    const before = edit.isPlane(state.signature);
    update({ report, code: code ?? state.code, signature, checked: net });
    if (edit.isPlane(signature) !== before) inTurn(lookNow); // what was started meanwhile is looked at as its data is
  } catch (error) {
    if (mine !== checks) return;
    const { message, fix, code, layer, field, status } = /** @type {api.ApiError} */ (error);
    if (status === 401) {
      update({ connection: "restarted" });
      checkLater = window.setTimeout(check, AGAIN_AFTER);
    }
    if (status === 401 || !status) return;
    const problem = { layer, edge: null, field, message, fix, code };
    const layers = layer ? { ...state.report?.layers, [layer]: { error: problem } } : (state.report?.layers ?? {});
    update({ report: { ok: false, layers, problems: [problem], parameters: 0, activations: 0, bytes: 0 }, checked: net });
  }
}

let previewed = "";

async function preview() {
  const { data } = state.document;
  const wanted = JSON.stringify(data);
  if (wanted === previewed) return;
  previewed = wanted;
  try {
    const found = await api.post("/api/preview", { data });
    if (previewed === wanted) update({ preview: found });
  } catch (error) {
    if (previewed === wanted) previewed = "";
    told(error);
  }
}

function checkSoon() {
  clearTimeout(checkLater);
  clearTimeout(keepLater);
  checkLater = window.setTimeout(() => (check(), preview()), CHECK_AFTER);
  keepLater = window.setTimeout(() => {
    keepLater = 0;
    keep(state.document);
  }, KEEP_AFTER);
}

/** What was changed last, and when: a number that is typed letter by letter is one change. */
let typed = { what: "", at: 0 };

/**
 * Changes the network; the last one can be had back.
 * @param {Net | null} next
 * @param {Partial<State>} [patch]
 * @param {string} [what] the same again at once is the same change
 */
function change(next, patch = {}, what = "") {
  if (!next || next === state.document) return update(patch);
  const now = performance.now();
  const same = what !== "" && what === typed.what && now - typed.at < TYPING && !state.future.length;
  typed = { what, at: now };
  update({ document: next, past: same ? state.past : [...state.past, state.document].slice(-PAST), future: [], ...patch });
  checkSoon();
}

/** @param {string} type */
const kindOf = (type) => state.start.catalog.layers.find((kind) => kind.type === type);

// Runs.

/** @type {History} */
const NOTHING = { epoch: [], step: [], partial: [], logs: {} };

/**
 * A history with further points; a point of an epoch under way gives way to the next.
 * @param {History} history
 * @param {Point[]} points
 * @returns {History}
 */
function extended(history, points) {
  if (!points.length) return history;
  const epoch = [...history.epoch];
  const step = [...history.step];
  const partial = [...(history.partial ?? [])];
  /** @type {History["logs"]} */
  const logs = Object.fromEntries(Object.entries(history.logs).map(([name, values]) => [name, [...values]]));
  for (const point of points) {
    const last = epoch.length - 1;
    const at = last >= 0 && epoch[last] === point.epoch ? last : last + 1;
    partial[at] = point.partial ?? false;
    epoch[at] = point.epoch;
    step[at] = point.step;
    for (const name of new Set([...Object.keys(logs), ...Object.keys(point.logs)])) {
      const values = (logs[name] ??= []);
      while (values.length < at) values.push(null);
      if (name in point.logs || values.length === at) values[at] = point.logs[name] ?? null;
    }
  }
  return { epoch, step, partial, logs };
}

/** @param {Run} run @returns {RunState} */
function known(run) {
  const before = state.runs.find((each) => each.id === run.id);
  const history = run.history ?? before?.history ?? NOTHING;
  const colour = before?.colour ?? COLOURS.find((each) => state.runs.every((other) => other.colour !== each)) ?? COLOURS[0];
  return { ...run, history, snapshot: run.snapshot ?? before?.snapshot ?? null, colour };
}

/** @param {string} id @param {(run: RunState) => RunState} into */
const runChanged = (id, into) => update({ runs: state.runs.map((run) => (run.id === id ? into(run) : run)) });

/** What is told of a run, in an answer or an event, unless what is known is newer. @param {Run} run */
function withRun(run) {
  const own = known(run);
  const before = state.runs.find((each) => each.id === run.id);
  if (before && before.number > run.number) return;
  update({ runs: before ? state.runs.map((each) => (each === before ? own : each)) : [...state.runs, own] });
}

/** The last run of the network as it is now; null if there is none. */
const itsRun = () => state.runs.findLast((run) => edit.alike(run.document, state.document))?.id ?? null;

/** @type {Record<string, (data: any) => void>} */
const heard = {
  hello: (/** @type {{server: string, runs: Run[], number: number}} */ { server, runs, number }) => {
    const restarted = server !== state.start.server;
    const newer = restarted ? [] : state.runs.filter((run) => run.number > number);
    update({ runs: [], start: { ...state.start, server } });
    runs.forEach(withRun);
    for (const { history: _, snapshot: __, ...run } of newer) withRun(run); // an answer that overtook this
    const still = (/** @type {string | null} */ id) => state.runs.some((run) => run.id === id);
    update({ shown: still(state.shown) ? state.shown : itsRun(), pinned: state.pinned.filter(still) });
    if (restarted) {
      update({ notice: { kind: "info", text: "The server was started again: its runs are gone, your network is here.", fix: null } });
    }
    if (restarted || state.checked !== state.document) checkSoon();
  },
  run: (/** @type {Run} */ run) => {
    withRun(run);
    if (state.shown === null) update({ shown: itsRun() }); // it was begun before the page heard what there was
  },
  progress: (/** @type {import("./types.d.ts").Progress} */ { id, points, ...told }) =>
    runChanged(id, (run) => ({ ...run, ...(told.number > run.number ? told : {}), history: extended(run.history, points) })),
  snapshot: (/** @type {Snapshot} */ snapshot) => runChanged(snapshot.id, (run) => ({ ...run, snapshot })),
  removed: (/** @type {{id: string}} */ { id }) => {
    const runs = state.runs.filter((run) => run.id !== id);
    update({ runs, pinned: state.pinned.filter((each) => each !== id) });
    if (state.shown === id) update({ shown: itsRun() });
  },
};

/** What was asked of runs last. @type {Promise<unknown>} */
let latest = Promise.resolve();

/**
 * Asks something of runs when all that was asked before has been answered: requests that are under way together may overtake each other.
 * What it is asked of, and what it comes to, is seen then.
 * @template T
 * @param {() => Promise<T> | T} act
 */
function inTurn(act) {
  const mine = latest.then(() => trying(async () => act()));
  latest = mine;
  return mine;
}

/** When all that was asked of runs so far has been answered. */
export const answered = () => latest;

/** Tells a run what to do, in the turn of who calls this. @param {Record<string, unknown>} body @param {string | null} [id] */
async function command(body, id = state.shown) {
  const answer = id === null ? null : await trying(() => api.post(`/api/runs/${id}/command`, body));
  if (answer && state.runs.some((run) => run.id === id)) withRun(answer.run);
  return answer;
}

/** @type {Record<View, Look["views"]>} */
const WANTS = {
  layer: [],
  inside: ["activations"],
  weights: ["weights"],
  matrix: ["matrix"],
  runs: [],
  code: [],
  learn: [],
};

/** What the run shown should look at, by what is on the page; as a command. @param {Look} [more] */
function lookNow(more = {}) {
  const run = shown(state);
  if (!run || run.live === false) return null;
  const layer = run.document.layers.some((each) => each.id === state.selected) ? state.selected : null;
  const usual = edit.isPlane(state.signature) ? ["boundary"] : ["boundary", "activations"]; // pictures that are made come with the boundary
  const views = [...new Set([...usual, .../** @type {string[]} */ (WANTS[state.view])])];
  return command({ do: "look", sample: state.sample, layer, views, ...more });
}

/** Starts the network as it is now; as a command. @param {"batch" | "epoch"} [step] after which it pauses */
async function begin(step) {
  const before = shown(state);
  if (before && active(before)) await command({ do: "stop" }, before.id);
  update({ busy: true, epoch: null, notice: null });
  const run = await trying(() => api.post("/api/runs", { document: state.document, step }));
  update({ busy: false });
  if (!run) return;
  withRun(run);
  update({ shown: run.id });
  await lookNow();
}

/** Whether the network can only be trained by a new run: there is none of it, or one that does not go on. */
function anew() {
  const run = shown(state);
  return !run || changed(state) || run.live === false || ["stopped", "failed"].includes(run.state);
}

/** Goes on, or begins. @param {Record<string, unknown>} body @param {"batch" | "epoch"} [step] */
async function further(body, step) {
  update({ epoch: null });
  if (anew()) return begin(step);
  await tuned();
  return command(body);
}

/** What the main button does, in the turn of who calls this. */
const mains = {
  /** Trains, or goes on; a network that was changed begins anew. */
  play: () => further({ do: "play" }),
  pause: () => command({ do: "pause" }),
  /** Forgets what was learnt and trains from the beginning. */
  again: () => begin(),
};

/**
 * Which of them that is now. By what was asked of the run last, not by how far it has come with that: a step is followed by play, whether
 * it is made yet or not.
 * @param {State} state
 * @returns {keyof typeof mains}
 */
export function mainOf(state) {
  const run = shown(state);
  if (run && changed(state) && (active(run) || run.state === "done")) return "again";
  return run && active(run) && run.asked === "play" ? "pause" : "play";
}

/** Another network takes this one's place: what trained it ends, and is among the runs. @param {Net} net @param {Partial<State>} [patch] */
function exchange(net, patch = {}) {
  change(net, { selected: null, sample: 0, dialog: null, epoch: null, ...patch });
  inTurn(() => {
    const run = shown(state);
    update({ shown: itsRun() });
    return run && active(run) && !edit.alike(run.document, state.document) ? command({ do: "stop" }, run.id) : null;
  });
}

/** The learning rate of a network. @param {Net} net */
export function rateOf({ training: { optimizer } }) {
  const kind = state.start.catalog.optimizers.find((each) => each.type === optimizer.type);
  return Number(optimizer.options.learning_rate ?? kind?.fields.find((field) => field.name === "learning_rate")?.default ?? 0.001);
}

/** The learning rates that runs were given since they began. @type {Map<string, number>} */
const rates = new Map();

/** The run shown gets the learning rate of the network, if it trains by another one; as a command. */
async function tuned() {
  const run = shown(state);
  const rate = rateOf(state.document);
  if (!run || changed(state) || run.live === false || run.state === "failed") return;
  if ((rates.get(run.id) ?? rateOf(run.document)) === rate) return;
  if (await command({ do: "learning_rate", value: rate }, run.id)) rates.set(run.id, rate);
}

const PICTURE = /\.(bmp|gif|jpe?g|png|webp)$/i;

export const actions = {
  // training

  play: () => inTurn(mains.play),
  pause: () => inTurn(mains.pause),
  again: () => inTurn(mains.again),
  /** What the main button does when all that was asked before has been answered. */
  main: () => inTurn(() => mains[mainOf(state)]()),
  stop: () => inTurn(() => command({ do: "stop" })),
  /** One batch or one epoch further. @param {"batch" | "epoch"} unit */
  step: (unit) => inTurn(() => further({ do: "step", unit }, unit)),
  /** The learning rate of the network, and of its run while it trains. @param {number} value */
  learningRate(value) {
    const { training } = state.document;
    const optimizer = { ...training.optimizer, options: { ...training.optimizer.options, learning_rate: value } };
    change({ ...state.document, training: { ...training, optimizer } });
    return inTurn(tuned);
  },
  /** Other values of the training, then from the beginning. @param {{learning_rate?: number, batch_size?: number}} values */
  retry({ learning_rate: rate, batch_size: size }) {
    const { training } = state.document;
    const { options } = training.optimizer;
    const optimizer = rate === undefined ? training.optimizer : { ...training.optimizer, options: { ...options, learning_rate: rate } };
    change({ ...state.document, training: { ...training, optimizer, batch_size: size ?? training.batch_size } });
    return inTurn(() => begin());
  },
  /** @param {Look} more */
  look(more) {
    const { views: _, layer, ...patch } = { layer: undefined, ...more };
    update(/** @type {Partial<State>} */ ({ ...patch, ...(layer === undefined ? {} : { selected: layer }) }));
    return inTurn(() => lookNow(more.views ? { views: [...new Set([.../** @type {any[]} */ (WANTS[state.view]), ...more.views])] } : {}));
  },
  /** What the network was after an epoch; null: as it is now. @param {number | null} epoch */
  scrub(epoch) {
    update({ epoch });
    return inTurn(() => (epoch === null ? lookNow() : command({ do: "epoch", number: epoch })));
  },

  // runs

  /** @param {string} id */
  show: (id) =>
    inTurn(() => {
      update({ shown: id, epoch: null });
      return lookNow();
    }),
  /** @param {string} id */
  pin(id) {
    const pinned = state.pinned.includes(id) ? state.pinned.filter((each) => each !== id) : [...state.pinned, id];
    update({ pinned });
    keepView({ view: state.view, pinned });
  },
  /** @param {string} id */
  remove: (id) => inTurn(() => api.post(`/api/runs/${id}/remove`)),
  /** The same network on several engines, one after the other is started; the last is shown. @param {string[]} engines */
  compare: (engines) =>
    inTurn(async () => {
      for (const engine of engines) {
        const document = { ...state.document, training: { ...state.document.training, engine } };
        const run = await api.post("/api/runs", { document });
        withRun(run);
        update({ shown: run.id, pinned: [...new Set([...state.pinned, run.id])] });
        keepView({ view: state.view, pinned: state.pinned });
      }
      return lookNow();
    }),
  /** The network of a run becomes the one that is edited. @param {string} id */
  takeBack(id) {
    const run = state.runs.find((each) => each.id === id);
    if (!run) return;
    change(run.document, { selected: null });
    inTurn(() => update({ shown: id }));
  },

  // editing

  undo() {
    const last = state.past.at(-1);
    if (!last) return;
    typed = { what: "", at: 0 };
    update({ document: last, past: state.past.slice(0, -1), future: [state.document, ...state.future], notice: null });
    checkSoon();
    inTurn(tuned);
  },
  redo() {
    const [next, ...rest] = state.future;
    if (!next) return;
    update({ document: next, past: [...state.past, state.document], future: rest, notice: null });
    checkSoon();
    inTurn(tuned);
  },
  /** @param {string | null} id */
  select(id) {
    if (id === state.selected) return;
    update({ selected: id });
    if (state.view === "inside" || state.view === "weights") inTurn(lookNow);
  },
  /** Opens the list of layers, for one that goes to a place. @param {Place} place */
  openPalette: (place) => update({ dialog: "palette", place }),
  /** @param {string} type @param {Place} place */
  addLayer(type, place) {
    /** @type {import("./types.d.ts").Options} */
    const usual = HIDDEN.test(type) ? { activation: "relu" } : {};
    const { net, id } = edit.addLayer(state.document, type, place, { ...edit.firstOptions(kindOf(type)), ...usual });
    change(net, { selected: id, dialog: null, view: "layer" });
  },
  /** @param {string} name an input of the data */
  addInput: (name) => change(edit.addInput(state.document, name), { selected: name, dialog: null, view: "layer" }),
  /** @param {string} id @param {string} after */
  shareLayer(id, after) {
    const made = edit.shareLayer(state.document, id, after);
    change(made.net, { selected: made.id, dialog: null, view: "layer" });
  },
  /** @param {string} id @param {-1 | 1} way */
  moveLayer: (id, way) => change(edit.moveLayer(state.document, id, way)),
  /** @param {string} id @param {Place} place */
  moveTo: (id, place) => change(edit.moveTo(state.document, id, place), { selected: id }),
  /** @param {string} id */
  copyLayer(id) {
    const made = edit.copyLayer(state.document, id);
    if (made) change(made.net, { selected: made.id });
  },
  /** @param {string} id */
  removeLayer(id) {
    const layer = edit.layerOf(state.document, id);
    if (layer) change(edit.removeLayer(state.document, id), { selected: layer.inputs[0] ?? null });
  },
  /** @param {string} id @param {string} name */
  renameLayer: (id, name) => change(edit.renameLayer(state.document, id, name), { selected: name }),
  /** @param {string} id @param {string} name @param {Value | undefined} value undefined: the default */
  changeLayer(id, name, value) {
    const kind = kindOf(edit.layerOf(state.document, id)?.type ?? "");
    const wraps = name === "layer" && kind && kind.fields.some((field) => field.of);
    const net = wraps ? edit.setInner(state.document, id, kind, String(value)) : edit.setOption(state.document, id, name, value);
    change(net, {}, `${id}.${name}`);
  },
  /**
   * What a layer gives becomes an input of another; of one that takes one input and has it, by a layer that merges both.
   * @param {string} from
   * @param {string} to
   * @param {boolean} [instead] whether it takes the place of the input that is there
   */
  connect(from, to, instead = false) {
    const layer = edit.layerOf(state.document, to);
    const several = layer !== null && kindOf(edit.ownerOf(state.document, layer).type ?? "")?.inputs === "several";
    if (!several && !instead && layer?.inputs.length) {
      const joined = edit.join(state.document, from, to, state.report);
      if (joined) {
        const type = edit.layerOf(joined.net, joined.by)?.type;
        const text = `${to} takes one input, so ${joined.by} (${type}) now merges ${from} with what it took.`;
        return change(joined.net, { selected: to, notice: { kind: "info", text, fix: null } });
      }
    }
    const net = edit.connect(state.document, from, to, several);
    if (net) change(net, { selected: to });
    else
      update({
        notice: { kind: "error", text: `${from} cannot be an input of ${to}: it would go round in a circle, or is one.`, fix: null },
      });
  },
  /** @param {string} from @param {string} to */
  disconnect: (from, to) => change(edit.disconnect(state.document, from, to)),
  /** @param {string} target @param {Partial<import("./types.d.ts").Output> | null} patch null: the target is not learnt */
  setOutput(target, patch) {
    const { [target]: before, ...rest } = state.document.outputs;
    if (patch === null) return change({ ...state.document, outputs: rest });
    const said = state.signature?.targets[target];
    const output = { ...(before ?? (said ? edit.usualOutput(said) : { loss: "mean_squared_error", metrics: [] })), ...patch };
    if (output.layer === target) delete output.layer;
    change({ ...state.document, outputs: { ...state.document.outputs, [target]: output } });
  },
  /** @param {Partial<Training>} patch */
  setTraining: (patch) => change({ ...state.document, training: { ...state.document.training, ...patch } }, {}, Object.keys(patch).join()),
  /** Other data, or other options of the same. @param {DataSpec} data */
  setData(data) {
    const kind = state.start.data.find((each) => each.name === data.name);
    if (data.name === state.document.data.name || !kind) return change({ ...state.document, data }, {}, "data");
    const net = edit.fitted(state.document, kind, state.start.presets, data);
    const ours = state.start.presets.some((preset) => preset.document.name === net.name);
    exchange({ ...net, name: ours ? kind.title : net.name }, { preview: null });
  },
  /**
   * Files that were sent become the data; the network is made to fit.
   * @param {DataSpec} data
   * @param {string} [file] their name, when they are new
   */
  setUpload: (data, file) =>
    trying(async () => {
      const net = state.document;
      const { signature } = await api.post("/api/check", { document: { ...net, data } });
      const name = file?.replace(/\.\w+$/, "") || net.name;
      exchange({ ...edit.fitted(net, { ...signature, name: "upload" }, [], data), name }, { preview: null, notice: null });
    }),
  /** @param {string} name */
  setName: (name) => change({ ...state.document, name }),
  /** A whole network in place of this one. @param {Net} net */
  replace: (net) => exchange(net),
  /** @param {string} id */
  openPreset(id) {
    const preset = state.start.presets.find((each) => each.id === id);
    if (!preset) return;
    const { engine } = state.document.training;
    exchange({ ...preset.document, training: { ...preset.document.training, engine } });
  },

  // files and links

  /** Files become the data: a table, an archive of arrays, or a folder of pictures. @param {FileList | File[]} files */
  upload: (files) =>
    trying(async () => {
      const given = [...files];
      const all = given.length > 1 ? given.filter((file) => PICTURE.test(file.name)) : given;
      if (!all.length)
        throw new api.ApiError(415, {
          message: "There is no picture in these folders.",
          fix: "Choose a folder with a folder of .png or .jpg files for each class.",
        });
      const most = state.start.catalog.limits.upload;
      if (most && all.reduce((sum, file) => sum + file.size, 0) > most) {
        throw new api.ApiError(413, {
          message: `These files are larger than ${Math.round(most / 1e6)} MB.`,
          fix: "Take a part of the rows or of the pictures.",
        });
      }
      let id = "";
      /** @type {any} */
      let answer = null;
      for (const [i, file] of all.entries()) {
        const query = new URLSearchParams({ name: file.webkitRelativePath || file.name, last: i === all.length - 1 ? "1" : "0" });
        if (id) query.set("into", id);
        answer = await api.send(`/api/uploads?${query}`, file);
        id = answer.id;
      }
      return answer;
    }),
  /** What an upload holds. @param {string} id */
  described: (id) => api.get(`/api/uploads/${encodeURIComponent(id)}`).catch(() => null),
  /** A `.keras` file or a saved network. @param {File} file */
  openFile: (file) =>
    trying(async () => {
      const { document, notes } = await api.send("/api/open", file);
      exchange(document);
      const said = (notes ?? []).map((/** @type {any} */ note) =>
        [note.layer, note.message].filter(Boolean).join(": "),
      );
      update({ notice: { kind: "info", text: [`${file.name} is open.`, ...said].join(" "), fix: null } });
    }),
  /** The address that holds this network, copied. */
  async share() {
    const address = location.origin + location.pathname + (await written(state.document));
    try {
      await navigator.clipboard.writeText(address);
      update({ notice: { kind: "info", text: "The link is copied: it holds the whole network, and opens in any playground.", fix: null } });
    } catch {
      await keep(state.document);
      update({ notice: { kind: "info", text: "The link stands in the address bar: copy it from there.", fix: null } });
    }
    return address;
  },

  // the page

  /** @param {View} view */
  choose(view) {
    update({ view });
    keepView({ view, pinned: state.pinned });
    return inTurn(lookNow);
  },
  /** @param {Dialog} dialog */
  open: (dialog) => update({ dialog }),
  close: () => update({ dialog: null, place: null }),
  dismiss: () => update({ notice: null }),
  /** @param {string} text @param {string | null} [fix] */
  tell: (text, fix = null) => update({ notice: { kind: "info", text, fix } }),
  turnTheme() {
    const theme = state.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("keraunos.theme", theme);
    } catch {
      // Storage is closed: it holds for this page.
    }
    update({ theme });
  },
};

/** Asks for all that the page begins with, and listens. */
export async function begun() {
  const start = await api.get("/api/start");
  const first = start.presets[0]?.document;
  /** @type {Net | null} */
  let net = null;
  /** @type {State["notice"]} */
  let notice = null;
  if (location.hash.length > 1) {
    try {
      net = await read(location.hash);
    } catch {
      notice = {
        kind: "error",
        text: "The network in this link cannot be read: it was cut, or is of another version. The last one is shown.",
        fix: "Copy the whole link again where it came from.",
      };
    }
  }
  update({ start, document: net ?? start.opened ?? kept() ?? first, notice });
  for (const run of start.runs) withRun(run);
  const { view, pinned } = keptView();
  update({ shown: itsRun(), view: view ?? state.view, pinned: pinned.filter((id) => state.runs.some((run) => run.id === id)) });
  preview();
  keep(state.document);
  // Shapes are drawn with the first picture, if they are not long in coming.
  await Promise.race([check(), new Promise((done) => setTimeout(done, CHECK_AFTER))]);
  api.listen(
    (name, data) => heard[name](data),
    (connection) => update({ connection }),
  );
  addEventListener("pagehide", () => keepLater && keepAtOnce(state.document));
  addEventListener("hashchange", async () => {
    try {
      const next = await read(location.hash);
      if (!edit.alike(next, state.document)) exchange(next);
    } catch {
      update({ notice: { kind: "error", text: "The network in this link cannot be read; the one that was here is kept.", fix: null } });
    }
  });
}
