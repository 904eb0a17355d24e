// The left column: the data and what it looks like, what is learnt, how it is trained.

import { Preview } from "./preview.js";
import { outputLayer, shapeText, withOption } from "./document.js";
import { FieldRow, plain, said, SelectRow, sentence, words } from "./fields.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { count } from "./pixels.js";
import { actions, useStore } from "./store.js";

/** @import {Column, DataKind, Described, Named, Target} from "./types.d.ts" */

/** Kinds by group, in their order. @param {DataKind[]} kinds */
function grouped(kinds) {
  /** @type {Map<string, DataKind[]>} */
  const groups = new Map();
  for (const kind of kinds) groups.set(kind.group, [...(groups.get(kind.group) ?? []), kind]);
  return [...groups];
}

/** The columns of a table: which one is to be told, and from which. @param {{columns: Column[]}} properties */
function Columns({ columns }) {
  const data = useStore((state) => state.document.data);
  const target = /** @type {string} */ (data.options.target ?? columns[columns.length - 1].name);
  const chosen = /** @type {string[]} */ (/** @type {unknown} */ (data.options.columns)) ?? [];
  const set = (/** @type {any} */ options) => actions.setUpload({ ...data, options: { ...data.options, ...options } });
  const turn = (/** @type {string} */ name, /** @type {boolean} */ on) =>
    set({ columns: columns.map((column) => column.name).filter((each) => (each === name ? on : chosen.includes(each))) });
  const retarget = (/** @type {string} */ name) => {
    const next = columns.filter((column) => !column.problem).map((column) => column.name);
    set({ target: name, columns: next.filter((each) => each !== name && (chosen.includes(each) || each === target)), task: undefined });
  };
  return html`<${SelectRow}
      label="to be told"
      value=${target}
      choices=${columns.map(({ name }) => ({ value: name, text: name }))}
      change=${retarget}
    />
    <fieldset class="columns">
      <legend>from the columns</legend>
      ${columns
        .filter((column) => column.name !== target)
        .map(
          (column) =>
            html`<div key=${column.name}>
              <label class="check" title=${`${column.different} different values, such as ${column.values.slice(0, 3).join(", ")}`}>
                <input
                  type="checkbox"
                  checked=${chosen.includes(column.name)}
                  disabled=${Boolean(column.problem)}
                  onChange=${(/** @type {any} */ event) => turn(column.name, event.target.checked)}
                />
                <span class="cut">${column.name}</span>
                <span class="muted">${column.kind}${column.missing && !column.problem ? `, ${count(column.missing)} missing` : ""}</span>
              </label>
              ${column.problem && html`<p class="wrong-text">${said(column.problem)} ${column.fix && sentence(column.fix)}</p>`}
            </div>`,
        )}
    </fieldset>`;
}

/** What was found in the files. @param {{described: Described}} properties */
function Found({ described: { name, rows, notes, columns, classes, arrays } }) {
  const told = notes.filter((note) => !columns?.some(({ problem }) => problem && note.startsWith(problem)));
  return html`<p><b>${name}</b>${rows ? `, ${count(rows)} rows` : ""}</p>
    ${classes && html`<p>${classes.map((each) => `${each.name} ${count(each.count)}`).join(", ")}</p>`}
    ${arrays && html`<p class="mono">${arrays.map((each) => `${each.name} ${each.shape.join("×")}`).join(", ")}</p>`}
    ${told.map((note) => html`<p key=${note} class="muted">${said(note)}</p>`)}`;
}

/** What is known of the files that are the data; null while it is not. @param {string | undefined} id @returns {Described | null} */
function useDescribed(id) {
  const [described, setDescribed] = useState(/** @type {{id: string, found: Described} | null} */ (null));
  useEffect(() => {
    if (id) actions.described(id).then((found) => setDescribed(found && { id, found }));
  }, [id]);
  return described && described.id === id ? described.found : null;
}

/** Files of one's own as data. @param {{described: Described | null}} properties */
function Upload({ described }) {
  const limit = useStore((state) => state.start.catalog.limits.upload);
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const files = useRef(/** @type {HTMLInputElement | null} */ (null));
  const folder = useRef(/** @type {HTMLInputElement | null} */ (null));
  const take = async (/** @type {any} */ holder) => {
    if (!holder?.files.length) return;
    setBusy(true);
    const answer = await actions.upload(holder.files);
    if (answer)
      await actions.setUpload({ name: "upload", upload: answer.id, options: answer.description.options }, answer.description.name);
    setBusy(false);
    if (holder instanceof HTMLInputElement) holder.value = "";
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer);
  };
  return html`<div class=${`drop ${over ? "over" : ""}`} onDragOver=${drop} onDrop=${drop} onDragLeave=${drop}>
    ${described && html`<${Found} described=${described} />`}
    <p class="muted">
      A table (.csv), arrays (.npz), or a folder of pictures with one folder for each class; up to ${Math.round(limit / 1e6)} MB. It stays
      on this machine.
    </p>
    <div class="buttons">
      <button type="button" class="button" disabled=${busy} title="Choose a .csv or .npz file" onClick=${() => files.current?.click()}>
        ${busy ? "Reading…" : "File"}
      </button>
      <button type="button" class="button" disabled=${busy} title="Choose a folder of pictures" onClick=${() => folder.current?.click()}>
        Folder
      </button>
    </div>
    <input
      ref=${files}
      type="file"
      class="hidden"
      tabindex="-1"
      accept=".csv,.tsv,.txt,.npz"
      aria-label="A file of data"
      onChange=${(/** @type {any} */ event) => take(event.target)}
    />
    <input
      ref=${folder}
      type="file"
      class="hidden"
      tabindex="-1"
      webkitdirectory
      multiple
      aria-label="A folder of pictures"
      onChange=${(/** @type {any} */ event) => take(event.target)}
    />
    ${described?.columns && html`<${Columns} columns=${described.columns} />`}
  </div>`;
}

function Source() {
  const { data, kinds, signature } = useStore((state) => ({
    data: state.document.data,
    kinds: state.start.data,
    signature: state.signature,
  }));
  const [own, setOwn] = useState(false);
  const name = own ? "upload" : data.name;
  const kind = kinds.find((each) => each.name === name);
  const uploading = name === "upload";
  const described = useDescribed(data.name === "upload" ? data.upload : undefined);
  const fields = (uploading ? described?.fields : kind?.fields) ?? [];
  const classes = Object.values(signature?.targets ?? {}).find((target) => target.classes)?.classes;
  useEffect(() => setOwn(false), [data]);
  const choose = (/** @type {string} */ chosen) => {
    setOwn(chosen === "upload");
    if (chosen !== "upload") actions.setData({ name: chosen, options: {} });
  };
  const set = (/** @type {string} */ option, /** @type {any} */ value) => {
    const changed = { ...data, options: withOption(data.options, option, value) };
    if (uploading) actions.setUpload(changed);
    else actions.setData(changed);
  };
  return html`<section class="panel data" aria-label="Data">
    <h2>Data</h2>
    <div class="field-row">
      <label for="data" class="hidden">Data set</label>
      <select
        id="data"
        class="field"
        title="What the network learns from"
        value=${name}
        onChange=${(/** @type {any} */ event) => choose(event.target.value)}
      >
        ${!kind && html`<option value=${name} selected>${name}</option>`}
        ${grouped(kinds).map(
          ([group, all]) =>
            html`<optgroup key=${group} label=${group}>
              ${all.map((each) => html`<option key=${each.name} value=${each.name} selected=${each.name === name}>${each.title}</option>`)}
            </optgroup>`,
        )}
      </select>
      ${!uploading && html`<p class="about">${said(kind?.text ?? "")}</p>`}
    </div>
    ${uploading && html`<${Upload} described=${described} />`} ${!own && html`<${Preview} />`}
    ${
      signature &&
      !own &&
      html`<dl class="facts">
        <div>
          <dt>to learn from</dt>
          <dd class="number">${count(signature.train)}</dd>
        </div>
        <div>
          <dt>to test on</dt>
          <dd class="number">${count(signature.test)}</dd>
        </div>
        ${Object.entries(signature.inputs).map(
          ([input, { dtype, shape }]) =>
            html`<div key=${input}>
              <dt>${input}</dt>
              <dd class="number">${dtype === "string" ? "text" : shapeText(shape)}</dd>
            </div>`,
        )}
        ${
          classes &&
          html`<div>
            <dt>classes</dt>
            <dd class="number" title=${classes.join(", ")}>${classes.length}</dd>
          </div>`
        }
      </dl>`
    }
    ${
      !own &&
      fields.length > 0 &&
      html`<div class="fields two">
        ${fields.map(
          (field) =>
            html`<${FieldRow}
              key=${`${name}.${field.name}`}
              brief
              field=${field}
              none="automatic"
              value=${data.options[field.name]}
              change=${(/** @type {any} */ value) => set(field.name, value)}
            />`,
        )}
      </div>`
    }
  </section>`;
}

/** What fits a target of this kind. @param {Named[]} all @param {Target | undefined} target */
const fitting = (all, target) => {
  const binary = target?.kind === "classes" && target.classes?.length === 2;
  return all.filter((each) => !target || !each.for || each.for.includes(target.kind) || (binary && each.for.includes("binary")));
};

const WEIGHT = plain({
  name: "weight",
  kind: "number",
  default: 1,
  required: false,
  low: 0,
  high: 1e6,
  text: "How much it counts in the sum of the losses",
});

/** What is learnt of a target: from which layer, by which loss. @param {{name: string}} properties */
function Learnt({ name }) {
  const { net, target, catalog } = useStore((state) => ({
    net: state.document,
    target: state.signature?.targets[name],
    catalog: state.start.catalog,
  }));
  const output = net.outputs[name];
  const from = [{ value: "", text: "not learnt" }, ...net.layers.map(({ id }) => ({ value: id, text: id }))];
  const losses = fitting(catalog.losses, target).map((loss) => ({ value: loss.name, title: loss.text }));
  const turn = (/** @type {string} */ metric, /** @type {boolean} */ on) =>
    actions.setOutput(name, { metrics: on ? [...output.metrics, metric] : output.metrics.filter((each) => each !== metric) });
  return html`<div class="learnt">
    <${SelectRow}
      label=${`${name} from`}
      title="The layer whose output is compared with the target"
      value=${output ? outputLayer(net, name) : ""}
      choices=${from}
      change=${(/** @type {string} */ layer) => actions.setOutput(name, layer ? { layer } : null)}
    />
    ${
      output &&
      html`<${SelectRow}
          label="loss"
          title=${catalog.losses.find((each) => each.name === output.loss)?.text}
          value=${output.loss}
          choices=${losses}
          change=${(/** @type {string} */ loss) => actions.setOutput(name, { loss })}
        />
        ${
          Object.keys(net.outputs).length > 1 &&
          html`<${FieldRow}
            brief
            label="weight of this loss"
            field=${WEIGHT}
            value=${output.weight}
            change=${(/** @type {number | undefined} */ weight) => actions.setOutput(name, { weight })}
          />`
        }
        <details class="more">
          <summary>Metrics <span class="muted">${output.metrics.map(words).join(", ") || "none"}</span></summary>
          ${fitting(catalog.metrics, target).map(
            (metric) =>
              html`<label key=${metric.name} class="check" title=${metric.text.replace(/`/g, "")}>
                <input
                  type="checkbox"
                  checked=${output.metrics.includes(metric.name)}
                  onChange=${(/** @type {any} */ event) => turn(metric.name, event.target.checked)}
                />
                ${words(metric.name)}
              </label>`,
          )}
        </details>`
    }
  </div>`;
}

const RIVALS = "Two networks play against each other: the discriminator tells real from made, the generator learns to deceive it.";
const STOP = { monitor: "val_loss", patience: 10 };

function Training() {
  const { net, targets, catalog } = useStore((state) => ({
    net: state.document,
    targets: state.signature?.targets ?? {},
    catalog: state.start.catalog,
  }));
  const { training } = net;
  const { optimizer, stop } = training;
  const [more, setMore] = useState(false);
  const kind = catalog.optimizers.find((each) => each.type === optimizer.type);
  const fields = more && kind ? kind.fields : [];
  const option = (/** @type {import("./types.d.ts").Field} */ field, /** @type {any} */ value) => {
    if (field.name === "learning_rate") actions.learningRate(value ?? field.default);
    else actions.setTraining({ optimizer: { ...optimizer, options: withOption(optimizer.options, field.name, value) } });
  };
  const choose = (/** @type {string} */ type) => {
    const rate = optimizer.options.learning_rate;
    actions.setTraining({ optimizer: { type, options: rate === undefined ? {} : { learning_rate: rate } } });
  };
  const names = net.kind === "adversarial" ? [] : [...new Set([...Object.keys(net.outputs), ...Object.keys(targets)])];
  return html`<section class="panel training" aria-label="Training">
    <h2>Training</h2>
    ${net.kind === "adversarial" && html`<p class="muted">${RIVALS}</p>`}
    ${names.map((name) => html`<${Learnt} key=${name} name=${name} />`)}
    <${SelectRow}
      label="optimizer"
      title=${kind?.text}
      value=${optimizer.type}
      choices=${catalog.optimizers.map(({ type, text }) => ({ value: type, text: type, title: text }))}
      change=${choose}
    />
    <details class="more" open=${more} onToggle=${(/** @type {any} */ event) => setMore(event.target.open)}>
      <summary>Its arguments <span class="muted">${Object.keys(optimizer.options).map(words).join(", ")}</span></summary>
      <div class="fields two">
        ${fields.map(
          (field) =>
            html`<${FieldRow}
              key=${`${optimizer.type}.${field.name}`}
              brief
              field=${field}
              value=${optimizer.options[field.name]}
              change=${(/** @type {any} */ value) => option(field, value)}
            />`,
        )}
      </div>
    </details>
    <${FieldRow}
      brief
      label="epochs"
      field=${plain({ name: "epochs", low: 1, high: catalog.limits.epochs, text: "How often all samples are seen" })}
      value=${training.epochs}
      change=${(/** @type {number} */ epochs) => actions.setTraining({ epochs })}
    />
    <label class="check" title="Ends the training when the loss on the test data has not become better for so many epochs">
      <input
        type="checkbox"
        checked=${stop !== null}
        onChange=${(/** @type {any} */ event) => actions.setTraining({ stop: event.target.checked ? STOP : null })}
      />
      stop when it gets no better
    </label>
    ${
      stop &&
      html`<${FieldRow}
        brief
        label="patience"
        field=${plain({ name: "patience", low: 0, high: 1000, text: "How many epochs without a better loss are waited for" })}
        value=${stop.patience}
        change=${(/** @type {number} */ patience) => actions.setTraining({ stop: { ...stop, patience } })}
      />`
    }
  </section>`;
}

export const Data = () => html`<div class="side"><${Source} /><${Training} /></div>`;
