// Editing a network: pure functions from a document to a document.

/** @import {Field, Layer, LayerKind, Net, Options, Output, Place, Preset, Report, Signature, Target, Value} from "./types.d.ts" */

/** @param {Net} net @param {string | null} id */
export const layerOf = (net, id) => net.layers.find((layer) => layer.id === id) ?? null;

/** The layer that holds type and options: a shared call's first. @param {Net} net @param {Layer} layer @returns {Layer} */
export const ownerOf = (net, layer) => (layer.shares && layerOf(net, layer.shares)) || layer;

/** The layers that take what a layer gives. @param {Net} net @param {string} id */
export const takers = (net, id) => net.layers.filter((layer) => layer.inputs.includes(id));

/** The layer that a target is learnt from. @param {Net} net @param {string} target */
export const outputLayer = (net, target) => net.outputs[target]?.layer ?? target;

/** The targets that are learnt from a layer. @param {Net} net @param {string} id */
export const targetsOf = (net, id) => Object.keys(net.outputs).filter((target) => outputLayer(net, target) === id);

/** A name for a new layer. @param {Net} net @param {string} type */
export function freshId(net, type) {
  const apart = type.replace(/([A-Z])([A-Z][a-z])/g, "$1_$2").replace(/([a-z])([A-Z])/g, "$1_$2");
  const base = apart.replace(/[^A-Za-z0-9]+/g, "_").toLowerCase();
  for (let i = 1; ; i++) if (!layerOf(net, `${base}_${i}`)) return `${base}_${i}`;
}

/** The layers with each one's inputs before it, otherwise in their order. @param {Layer[]} layers */
export function sorted(layers) {
  /** @type {Layer[]} */
  const result = [];
  const known = new Map(layers.map((layer) => [layer.id, layer]));
  const seen = new Set();
  const visit = (/** @type {Layer} */ layer) => {
    if (seen.has(layer.id)) return;
    seen.add(layer.id);
    for (const id of [...layer.inputs, ...(layer.shares ? [layer.shares] : [])]) {
      const before = known.get(id);
      if (before) visit(before);
    }
    result.push(layer);
  };
  layers.forEach(visit);
  return result;
}

/** Whether what a layer gives reaches another one. @param {Net} net @param {string} from @param {string} to @returns {boolean} */
export function reaches(net, from, to) {
  return from === to || takers(net, from).some((layer) => reaches(net, layer.id, to));
}

/** @param {Net} net @param {string} id @param {Partial<Layer>} patch @returns {Net} */
function patched(net, id, patch) {
  return { ...net, layers: net.layers.map((layer) => (layer.id === id ? { ...layer, ...patch } : layer)) };
}

/** Each input that is `from` becomes `to`. @param {Layer} layer @param {string} from @param {string[]} to */
function rewired(layer, from, to) {
  if (!layer.inputs.includes(from)) return layer;
  const inputs = layer.inputs.flatMap((id) => (id === from ? to : [id]));
  return { ...layer, inputs: [...new Set(inputs)] };
}

/** Targets that were learnt from a layer are learnt from another. @param {Net} net @param {string} from @param {string} to */
function retargeted(net, from, to) {
  /** @type {Record<string, Output>} */
  const outputs = {};
  for (const [target, output] of Object.entries(net.outputs)) {
    outputs[target] = outputLayer(net, target) === from ? { ...output, layer: to } : output;
    if (outputs[target].layer === target) delete (outputs[target] = { ...outputs[target] }).layer;
  }
  return outputs;
}

/** Puts a layer that is connected to nothing at a place. @param {Net} net @param {Layer} layer @param {Place} place @returns {Net} */
function placed(net, layer, place) {
  let at = place;
  if ("before" in at) {
    const next = layerOf(net, at.before);
    at = next && next.inputs.length ? { edge: [next.inputs[0], next.id] } : { after: at.before };
  }
  const from = "edge" in at ? at.edge[0] : at.after;
  const to = "edge" in at ? at.edge[1] : null;
  const part = layerOf(net, from)?.part;
  const own = { ...layer, inputs: [from], ...(part ? { part } : {}) };
  const layers = net.layers.flatMap((each) => {
    const next = to === null || each.id === to ? rewired(each, from, [layer.id]) : each;
    return each.id === from ? [next, own] : [next];
  });
  const outputs = to === null ? retargeted(net, from, layer.id) : net.outputs;
  return { ...net, layers: sorted(layers), outputs };
}

/** @param {Net} net @param {string} type @param {Place} place @param {Options} [options] @returns {{net: Net, id: string}} */
export function addLayer(net, type, place, options = {}) {
  const id = freshId(net, type);
  return { net: placed(net, { id, type, options, inputs: [] }, place), id };
}

/** The same layer, called again after another. @param {Net} net @param {string} id @param {string} after */
export function shareLayer(net, id, after) {
  const owner = ownerOf(net, /** @type {Layer} */ (layerOf(net, id)));
  const name = freshId(net, `${owner.id.replace(/_\d+$/, "")}_again`);
  const at = net.layers.findIndex((layer) => layer.id === after);
  const layers = [...net.layers];
  layers.splice(at + 1, 0, { id: name, shares: owner.id, inputs: [after] });
  return { net: { ...net, layers: sorted(layers) }, id: name };
}

/** An input of the data as a layer. @param {Net} net @param {string} name @returns {Net} */
export function addInput(net, name) {
  if (layerOf(net, name)) return net;
  return { ...net, layers: [{ id: name, type: "Input", options: {}, inputs: [] }, ...net.layers] };
}

/** A copy of a layer, after it. @param {Net} net @param {string} id @returns {{net: Net, id: string} | null} */
export function copyLayer(net, id) {
  const layer = layerOf(net, id);
  const owner = layer && ownerOf(net, layer);
  if (!owner || !owner.type || owner.type === "Input") return null;
  return addLayer(net, owner.type, { after: id }, { ...owner.options });
}

/** Takes a layer out; what it took goes to those that it gave to. @param {Net} net @param {string} id @returns {Net} */
export function removeLayer(net, id) {
  const layer = layerOf(net, id);
  if (!layer) return net;
  const heir = net.layers.find((each) => each.shares === id);
  const layers = net.layers
    .filter((each) => each.id !== id)
    .map((each) => rewired(each, id, layer.inputs))
    .map((each) => {
      if (each.shares !== id || !heir) return each;
      if (each.id !== heir.id) return { ...each, shares: heir.id };
      const { shares: _, ...rest } = each;
      return { ...rest, type: layer.type, options: layer.options };
    });
  const outputs = layer.inputs.length ? retargeted(net, id, layer.inputs[0]) : net.outputs;
  return { ...net, layers: sorted(layers), outputs };
}

/** Takes a layer from where it is to another place. @param {Net} net @param {string} id @param {Place} place @returns {Net} */
export function moveTo(net, id, place) {
  const layer = layerOf(net, id);
  const near = "edge" in place ? place.edge : ["after" in place ? place.after : place.before];
  if (!layer || !layer.inputs.length || near.includes(id)) return net;
  const kept = net.layers.filter((each) => each.shares === id);
  const out = kept.length ? lifted(net, id) : removeLayer(net, id);
  return placed(out, layer, place);
}

/** As `removeLayer`, but those that share the layer go on sharing it. @param {Net} net @param {string} id @returns {Net} */
function lifted(net, id) {
  const layer = /** @type {Layer} */ (layerOf(net, id));
  const layers = net.layers.filter((each) => each.id !== id).map((each) => rewired(each, id, layer.inputs));
  return { ...net, layers, outputs: retargeted(net, id, layer.inputs[0]) };
}

/**
 * One place up (-1) or down (1) along its chain; null where it cannot.
 * @param {Net} net
 * @param {string} id
 * @param {-1 | 1} way
 * @returns {Net | null}
 */
export function moveLayer(net, id, way) {
  const layer = layerOf(net, id);
  if (!layer || layer.inputs.length !== 1 || targetsOf(net, id).length) return null;
  if (way < 0) {
    const before = /** @type {Layer} */ (layerOf(net, layer.inputs[0]));
    if (!before || before.inputs.length !== 1) return null;
    return moveTo(net, id, { edge: [before.inputs[0], before.id] });
  }
  const next = takers(net, id);
  if (next.length !== 1 || next[0].inputs.length !== 1 || targetsOf(net, next[0].id).length) return null;
  return moveTo(net, id, { after: next[0].id });
}

/**
 * @param {Net} net
 * @param {string} from
 * @param {string} to
 * @param {boolean} several whether `to` takes several inputs
 * @returns {Net | null}
 */
export function connect(net, from, to, several) {
  const layer = layerOf(net, to);
  if (!layer || layer.type === "Input" || layer.inputs.includes(from) || reaches(net, to, from)) return null;
  const inputs = several ? [...layer.inputs, from] : [from];
  const changed = patched(net, to, { inputs });
  return { ...changed, layers: sorted(changed.layers) };
}

/** The merging layer that a layer alone takes from; null if there is none. @param {Net} net @param {string} id */
function mergeBefore(net, id) {
  const before = layerOf(net, layerOf(net, id)?.inputs[0] ?? null);
  const alone = before && takers(net, before.id).length === 1 && !targetsOf(net, before.id).length;
  return alone && (before.type === "Add" || before.type === "Concatenate") ? before : null;
}

/**
 * A layer that takes one input gets a further one, by a layer before it that merges both: an Add where their shapes are the same, else a
 * Concatenate; where such a layer is there, it takes the further one too. Null where that would go round in a circle.
 * @param {Net} net
 * @param {string} from
 * @param {string} to
 * @param {Report | null} report the shapes
 * @returns {{net: Net, by: string} | null}
 */
export function join(net, from, to, report) {
  const layer = layerOf(net, to);
  if (!layer || layer.inputs.length !== 1 || layer.inputs[0] === from || reaches(net, to, from)) return null;
  const shape = (/** @type {string} */ id) => JSON.stringify(report?.layers[id]?.shape ?? id);
  const type = shape(from) === shape(layer.inputs[0]) ? "Add" : "Concatenate";
  const there = mergeBefore(net, to);
  if (there?.type === type) {
    const more = connect(net, from, there.id, true);
    return more && { net: more, by: there.id };
  }
  const id = freshId(net, type);
  const merging = { id, type, options: {}, inputs: [layer.inputs[0], from], ...(layer.part ? { part: layer.part } : {}) };
  const layers = net.layers.flatMap((each) => (each.id === to ? [merging, { ...each, inputs: [id] }] : [each]));
  return { net: { ...net, layers: sorted(layers) }, by: id };
}

/** @param {Net} net @param {string} from @param {string} to @returns {Net} */
export function disconnect(net, from, to) {
  const layer = layerOf(net, to);
  return layer ? patched(net, to, { inputs: layer.inputs.filter((id) => id !== from) }) : net;
}

/** @param {Net} net @param {string} id @param {string} name @returns {Net} */
export function renameLayer(net, id, name) {
  const layers = net.layers.map((layer) => ({
    ...layer,
    id: layer.id === id ? name : layer.id,
    inputs: layer.inputs.map((each) => (each === id ? name : each)),
    ...(layer.shares ? { shares: layer.shares === id ? name : layer.shares } : {}),
  }));
  return { ...net, layers, outputs: retargeted(net, id, name) };
}

/** What is wrong with a layer's name; null if nothing is. @param {Net} net @param {string} id @param {string} name */
export function wrongName(net, id, name) {
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name)) return "A name has up to 40 small letters, digits and underscores, and begins with a letter.";
  return name !== id && layerOf(net, name) ? `Another layer is named ${name}.` : null;
}

/**
 * Sets an argument of a layer; undefined: its default.
 * @param {Net} net
 * @param {string} id
 * @param {string} name
 * @param {Value | undefined} value
 * @returns {Net}
 */
export function setOption(net, id, name, value) {
  const layer = layerOf(net, id);
  if (!layer) return net;
  const owner = ownerOf(net, layer);
  return patched(net, owner.id, { options: withOption(owner.options ?? {}, name, value) });
}

/** The arguments of a kind of layer; of one that wraps another, those that the one inside has. @param {LayerKind | undefined} kind @param {Options} options */
export const fieldsOf = (kind, options) => (kind?.fields ?? []).filter((field) => !field.of || field.of.includes(String(options.layer)));

/** What arguments that have no default begin with. @param {Field[]} fields @returns {Options} */
export const begun = (fields) =>
  Object.fromEntries(fields.flatMap((field) => (field.start === null || field.start === undefined ? [] : [[field.name, field.start]])));

/** The options that a layer begins with. @param {LayerKind | undefined} kind @returns {Options} */
export const firstOptions = (kind) => {
  const all = begun(kind?.fields ?? []);
  return begun(fieldsOf(kind, all));
};

/**
 * Another layer inside one that wraps it: what it has, too, stays; what it does not have goes; what it needs begins.
 * @param {Net} net
 * @param {string} id
 * @param {LayerKind} kind
 * @param {string} inner
 * @returns {Net}
 */
export function setInner(net, id, kind, inner) {
  const layer = layerOf(net, id);
  if (!layer) return net;
  const given = { ...layer.options, layer: inner };
  const fields = fieldsOf(kind, given);
  const own = Object.fromEntries(Object.entries(given).filter(([name]) => fields.some((field) => field.name === name)));
  return patched(net, id, { options: { ...begun(fields), ...own } });
}

/** @param {Options} options @param {string} name @param {Value | undefined} value @returns {Options} */
export function withOption(options, name, value) {
  const { [name]: _, ...rest } = options;
  return value === undefined ? rest : { ...rest, [name]: value };
}

const LOSS = { classes: "sparse_categorical_crossentropy", number: "mean_squared_error", input: "mean_squared_error" };
const METRICS = { classes: ["accuracy"], number: ["mean_absolute_error"], input: [] };

/** What a target is learnt by, when nothing else was said. @param {Target} target @returns {Output} */
export const usualOutput = (target) => ({ loss: LOSS[target.kind], metrics: [...METRICS[target.kind]] });

/**
 * The end of a network that fits a target: as many units as it has classes.
 * @param {Layer} layer
 * @param {Target} target
 * @returns {Layer}
 */
function ending(layer, target) {
  if (layer.type !== "Dense" || target.kind === "input") return layer;
  const classes = target.kind === "classes";
  const units = classes ? (target.classes?.length ?? 2) : target.shape.reduce((/** @type {number} */ all, size) => all * (size ?? 1), 1);
  const { activation: _, ...options } = layer.options ?? {};
  return { ...layer, options: { ...options, units, ...(classes ? { activation: "softmax" } : {}) } };
}

/**
 * A first network for any data: each input made flat, a hidden layer, one end for each target.
 * @param {Net} net
 * @param {Fits} data
 * @returns {Net}
 */
function fresh(net, { inputs, targets }) {
  /** @type {Layer[]} */
  const layers = [];
  const add = (/** @type {string} */ type, /** @type {string[]} */ from, /** @type {Options} */ options = {}, id = "") => {
    const layer = { id: id || freshId({ ...net, layers }, type), type, options, inputs: from };
    layers.push(layer);
    return layer.id;
  };
  const begins = Object.entries(inputs).map(([name, { shape, dtype }]) => {
    let last = add("Input", [], {}, name);
    if (dtype === "string") {
      last = add("TextVectorization", [last], { max_tokens: 1000, output_sequence_length: 32 });
      last = add("Embedding", [last], { input_dim: 1000, output_dim: 16 });
      return add("GlobalAveragePooling1D", [last]);
    }
    return shape.length > 1 ? add("Flatten", [last]) : last;
  });
  const whole = begins.length > 1 ? add("Concatenate", begins) : begins[0];
  const hidden = add("Dense", [whole], { units: 16, activation: "relu" });
  const outputs = Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, usualOutput(target)]));
  for (const [name, target] of Object.entries(targets))
    layers.push(ending({ id: name, type: "Dense", options: {}, inputs: [hidden] }, target));
  return { ...net, kind: "supervised", layers, outputs };
}

/** @typedef {{name: string, kind: string, inputs: Signature["inputs"], targets: Signature["targets"]}} Fits */

/**
 * The network for other data: this one with the inputs, the targets and the last layer of the new data; where it cannot be,
 * the network that the data has among the examples, or a first one.
 * @param {Net} net @param {Fits} kind @param {Preset[]} presets @param {Net["data"]} data @returns {Net}
 */
export function fitted(net, kind, presets, data) {
  const inputs = Object.keys(kind.inputs);
  const targets = Object.entries(kind.targets);
  const had = net.layers.filter((layer) => layer.type === "Input");
  const learnt = Object.keys(net.outputs);
  const rank = (/** @type {string} */ name) => kind.inputs[name].shape.length;
  const one = inputs.length === 1 && had.length === 1 && targets.length === 1 && learnt.length === 1;
  const flat = had.length > 0 && takers(net, had[0].id).every((layer) => layer.type === "Dense" || layer.type === "Flatten");
  const other = net.data.name !== kind.name && (kind.kind === "text" || !flat);
  if (net.kind !== "supervised" || !one || targets[0][1].kind === "input" || other) {
    const own = presets.find((preset) => preset.document.data.name === kind.name);
    if (own) return { ...own.document, data, training: { ...own.document.training, engine: net.training.engine } };
    return fresh({ ...net, data }, kind);
  }
  const [target, said] = targets[0];
  const last = outputLayer(net, learnt[0]);
  /** @type {Net} */
  let next = { ...net, data, outputs: { [learnt[0]]: { ...net.outputs[learnt[0]], ...usualOutput(said), layer: last } } };
  next = { ...next, layers: next.layers.map((layer) => (layer.id === last ? ending(layer, said) : layer)) };
  if (had[0].id !== inputs[0]) next = renameLayer(next, had[0].id, inputs[0]);
  /** @type {Output} */
  const output = { ...next.outputs[learnt[0]] };
  next = { ...next, outputs: { [target]: output } };
  if (last === learnt[0] && last !== target && !layerOf(next, target)) next = renameLayer(next, last, target);
  if (output.layer === target) delete output.layer;
  const first = takers(next, inputs[0]);
  if (rank(inputs[0]) > 1 && first.every((layer) => layer.type === "Dense")) next = addLayer(next, "Flatten", { after: inputs[0] }).net;
  if (rank(inputs[0]) === 1) for (const layer of first) if (layer.type === "Flatten") next = removeLayer(next, layer.id);
  return next;
}

/** A value as text, whatever the order of its names. @param {any} value @returns {any} */
const canonical = (value) =>
  JSON.stringify(value, (_, part) =>
    part && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );

/** What of two networks makes them train differently, apart from the learning rate. @param {Net} net */
const essence = (net) => {
  const { learning_rate: _, ...options } = net.training.optimizer.options;
  const training = { ...net.training, optimizer: { ...net.training.optimizer, options } };
  return canonical([net.data, net.layers, net.outputs, training, net.kind, net.weights ?? null]);
};

/** Whether two documents train alike, but for their names and learning rates. @param {Net} one @param {Net} other */
export const alike = (one, other) => one === other || essence(one) === essence(other);

/** Whether the data are points of a plane. @param {Signature | null} signature */
export const isPlane = (signature) => {
  const inputs = Object.values(signature?.inputs ?? {});
  return inputs.length === 1 && inputs[0].shape.length === 1 && inputs[0].shape[0] === 2;
};

/** A shape as it is written. @param {(number | null)[] | null | undefined} shape */
export const shapeText = (shape) => {
  if (!shape) return "";
  const own = shape[0] === null ? shape.slice(1) : shape;
  return own.length ? own.map((size) => size ?? "?").join("×") : "one number";
};

/** What a layer is, in a few words: its type and what was chosen. @param {Net} net @param {Layer} layer */
export function summary(net, layer) {
  const owner = ownerOf(net, layer);
  const { units, filters, kernel_size: kernel, pool_size: pool, rate, activation } = owner.options ?? {};
  const size = (/** @type {Value | undefined} */ value) => (Array.isArray(value) ? value.join("×") : value);
  const said = [units ?? filters, size(kernel ?? pool), rate, activation].filter((value) => value !== undefined && value !== null);
  return [owner.type, ...said].join(" · ");
}

/** Whether something is a document as far as the page needs it. @param {any} value @returns {value is Net} */
export function isNet(value) {
  const known = value && value.version === 1 && value.data && typeof value.data.name === "string" && Array.isArray(value.layers);
  if (!known || !value.outputs || !value.training?.optimizer) return false;
  return value.layers.every((/** @type {any} */ layer) => layer && typeof layer.id === "string" && Array.isArray(layer.inputs));
}
