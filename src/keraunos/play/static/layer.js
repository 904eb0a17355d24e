// The layer that is chosen: its name, where it takes from, its arguments, and what it ends in.

import { copyLayer, fieldsOf, layerOf, moveLayer, ownerOf, reaches, shapeText, takers, targetsOf, wrongName } from "./document.js";
import { FieldRow, said, sentence, useId } from "./fields.js";
import { html, useEffect, useState } from "./html.js";
import { count } from "./pixels.js";
import { actions, useStore } from "./store.js";

/** @import {Layer, Net, Problem} from "./types.d.ts" */

/** What is wrong, in the library's words. @param {{problem: Problem}} properties */
export const ProblemText = ({ problem }) =>
  html`<div class="problem" role="alert">
    <p>${said(problem.message)}</p>
    ${problem.fix && html`<p class="fix">${sentence(problem.fix)}</p>`}
    ${problem.code && html`<span class="code" title="The number of this mistake: keraunos explain ${problem.code}">${problem.code}</span>`}
  </div>`;

/** @param {{net: Net, layer: Layer}} properties */
function Name({ net, layer }) {
  const id = useId();
  const [draft, setDraft] = useState(layer.id);
  useEffect(() => setDraft(layer.id), [layer.id]);
  const input = layer.type === "Input";
  const wrong = draft === layer.id ? null : wrongName(net, layer.id, draft);
  const take = () => {
    if (draft === layer.id) return;
    if (wrong) setDraft(layer.id);
    else actions.renameLayer(layer.id, draft);
  };
  return html`<div class=${`field-row ${wrong ? "wrong" : ""}`}>
    <label for=${id}>name</label>
    <input
      id=${id}
      class="field"
      value=${draft}
      disabled=${input}
      maxlength="40"
      spellcheck="false"
      autocomplete="off"
      aria-describedby=${`${id}-about`}
      onInput=${(/** @type {any} */ event) => setDraft(event.target.value)}
      onChange=${take}
    />
    <p id=${`${id}-about`} class=${wrong ? "wrong-text" : "about"}>
      ${wrong ?? (input ? "The name of an input of the data." : "What the layer is called here, in the code and in errors.")}
    </p>
  </div>`;
}

/** @param {{net: Net, layer: Layer, several: boolean}} properties */
function Inputs({ net, layer, several }) {
  const id = useId();
  const free = net.layers.filter((each) => !layer.inputs.includes(each.id) && !reaches(net, layer.id, each.id));
  const full = !several && layer.inputs.length > 0;
  const option = (/** @type {Layer} */ { id }, /** @type {string} */ sign) =>
    html`<option key=${sign + id} value=${sign + id}>${sign}${id}</option>`;
  const take = (/** @type {any} */ event) => {
    const [, sign, from] = /^(\+ )?(.*)$/.exec(event.target.value) ?? [];
    if (from) actions.connect(from, layer.id, !sign);
    event.target.value = "";
  };
  return html`<div class="field-row">
    <label for=${id}>takes from</label>
    <div class="chips">
      ${layer.inputs.map(
        (from) =>
          html`<span key=${from} class="chip">
            <button type="button" class="plain" title=${`Go to ${from}`} onClick=${() => actions.select(from)}>${from}</button>
            <button
              type="button"
              class="plain"
              aria-label=${`Disconnect ${from}`}
              title=${`Disconnect ${from}`}
              onClick=${() => actions.disconnect(from, layer.id)}
            >
              ×
            </button>
          </span>`,
      )}
      <select
        id=${id}
        class="field"
        aria-describedby=${`${id}-about`}
        value=""
        onChange=${take}
      >
        <option value="" selected>${full ? "another…" : "connect…"}</option>
        ${
          full
            ? html`<optgroup label=${`instead of ${layer.inputs[0]}`}>${free.map((each) => option(each, ""))}</optgroup>
                <optgroup label=${`merged with ${layer.inputs[0]}`}>${free.map((each) => option(each, "+ "))}</optgroup>`
            : free.map((each) => option(each, ""))
        }
      </select>
    </div>
    <p id=${`${id}-about`} class="about">
      ${several ? "It takes several inputs, in this order." : "It takes one input: another one takes its place, or is merged with it."}
    </p>
  </div>`;
}

/** @param {{net: Net, layer: Layer}} properties */
function Tools({ net, layer }) {
  const input = layer.type === "Input";
  return html`<div class="buttons tools" role="group" aria-label=${`What to do with ${layer.id}`}>
    <button
      type="button"
      class="button"
      title="Add a layer before this one (A)"
      onClick=${() => actions.openPalette({ before: layer.id })}
      disabled=${input}
    >
      Add before
    </button>
    <button type="button" class="button" title="Add a layer after this one (a)" onClick=${() => actions.openPalette({ after: layer.id })}>
      Add after
    </button>
    <button
      type="button"
      class="button"
      title="Move it one up (Alt+↑)"
      disabled=${!moveLayer(net, layer.id, -1)}
      onClick=${() => actions.moveLayer(layer.id, -1)}
    >
      Move up
    </button>
    <button
      type="button"
      class="button"
      title="Move it one down (Alt+↓)"
      disabled=${!moveLayer(net, layer.id, 1)}
      onClick=${() => actions.moveLayer(layer.id, 1)}
    >
      Move down
    </button>
    <button
      type="button"
      class="button"
      title="The same again, after it (d)"
      disabled=${!copyLayer(net, layer.id)}
      onClick=${() => actions.copyLayer(layer.id)}
    >
      Copy
    </button>
    <button
      type="button"
      class="button danger"
      title="Take it out; what it took goes to those after it (Delete)"
      onClick=${() => actions.removeLayer(layer.id)}
    >
      Remove
    </button>
  </div>`;
}

/** @param {{name: string, value: any}} properties */
const Fact = ({ name, value }) =>
  html`<div>
    <dt>${name}</dt>
    <dd class="number">${value}</dd>
  </div>`;

export function LayerPanel() {
  const { net, selected, report, catalog, signature } = useStore((state) => ({
    net: state.document,
    selected: state.selected,
    report: state.report,
    catalog: state.start.catalog,
    signature: state.signature,
  }));
  const [more, setMore] = useState(false);
  const layer = layerOf(net, selected);
  if (!layer) {
    return html`<p class="empty">
      Choose a layer of the network: its arguments stand here, each with what it does. Or press <kbd>A</kbd> to add one.
    </p>`;
  }
  const owner = ownerOf(net, layer);
  const kind = catalog.layers.find((each) => each.type === owner.type);
  const known = report?.layers[layer.id];
  const problems = (report?.problems ?? []).filter((problem) => problem.layer === layer.id);
  const options = owner.options ?? {};
  const fields = fieldsOf(kind, options);
  const first = fields.filter((field) => !field.more);
  const rest = fields.filter((field) => field.more);
  const open = problems.filter((problem) => !problem.field || !fields.some((field) => field.name === problem.field));
  const changed = rest.filter((field) => field.name in options).length;
  const learnt = targetsOf(net, layer.id);
  const row = (/** @type {import("./types.d.ts").Field} */ field) =>
    html`<${FieldRow}
      key=${`${owner.id}.${field.name}`}
      field=${field}
      value=${options[field.name]}
      problem=${problems.find((problem) => problem.field === field.name)?.message ?? null}
      change=${(/** @type {any} */ value) => actions.changeLayer(owner.id, field.name, value)}
    />`;
  return html`<div class="layer-panel">
    <div class="layer-head">
      <div>
        <h2>${owner.type === "Input" ? "Input" : owner.type} <span class="muted mono">${layer.id}</span></h2>
        <p class="muted">
          ${owner.type === "Input" ? (signature?.inputs[layer.id]?.text ?? "An input of the data.") : said(kind?.text ?? "")}
        </p>
      </div>
      <${Tools} net=${net} layer=${layer} />
    </div>
    ${open.map((problem, i) => html`<${ProblemText} key=${i} problem=${problem} />`)}
    <dl class="facts">
      <${Fact} name="shape" value=${known?.shape ? shapeText(known.shape) : "unknown"} />
      <${Fact} name="parameters" value=${known?.shape ? count(known.parameters ?? 0) : "unknown"} />
      <${Fact}
        name="gives to"
        value=${
          takers(net, layer.id)
            .map((each) => each.id)
            .join(", ") || (learnt.length ? `target ${learnt.join(", ")}` : "nothing")
        }
      />
    </dl>
    ${
      owner !== layer &&
      html`<p class="muted">
        It is <button type="button" class="plain link" onClick=${() => actions.select(owner.id)}>${owner.id}</button> called again: the same
        weights and arguments, which are those here.
      </p>`
    }
    <div class="fields">
      <${Name} net=${net} layer=${layer} />
      ${layer.type !== "Input" && html`<${Inputs} net=${net} layer=${layer} several=${kind?.inputs === "several"} />`} ${first.map(row)}
    </div>
    ${
      rest.length > 0 &&
      html`<details class="more" open=${more} onToggle=${(/** @type {any} */ event) => setMore(event.target.open)}>
        <summary>More arguments <span class="muted">${rest.length}${changed ? `, ${changed} set` : ""}</span></summary>
        <div class="fields">${more && rest.map(row)}</div>
      </details>`
    }
  </div>`;
}
