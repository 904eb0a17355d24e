// All runs: their last numbers, what differs between them, and the same network on several engines.

import { colourOf, lastOf, titleOf } from "./curves.js";
import { html, useState } from "./html.js";
import { brief, duration, number } from "./pixels.js";
import { shown } from "./store.js";

/** @import { Actions, Net, RunState, State } from "./types.d.ts" */

/** @param {unknown} value */
function inWords(value) {
  return value === null || value === undefined
    ? "default"
    : Array.isArray(value)
      ? value.join(" × ")
      : typeof value === "number"
        ? brief(value)
        : String(value);
}

/**
 * What differs between two sets of options, in words.
 * @param {Record<string, any>} before
 * @param {Record<string, any>} after
 */
function changes(before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => `${name.replace(/_/g, " ")} ${inWords(before[name])} → ${inWords(after[name])}`);
}

/**
 * What differs between two networks, in words.
 * @param {Net} before
 * @param {Net} after
 * @returns {string[]}
 */
export function differences(before, after) {
  const said = /** @type {string[]} */ ([]);
  if (before.data.name !== after.data.name || before.data.upload !== after.data.upload)
    said.push(`data ${before.data.name} → ${after.data.name}`);
  else said.push(...changes(before.data.options, after.data.options).map((each) => `data: ${each}`));
  const old = new Map(before.layers.map((layer) => [layer.id, layer]));
  const now = new Map(after.layers.map((layer) => [layer.id, layer]));
  for (const layer of before.layers) if (!now.has(layer.id)) said.push(`without ${layer.id}`);
  for (const layer of after.layers) {
    const was = old.get(layer.id);
    if (!was) said.push(`with ${layer.id} (${layer.type ?? `shares ${layer.shares}`})`);
    else if (was.type !== layer.type) said.push(`${layer.id}: ${was.type} → ${layer.type}`);
    else {
      said.push(...changes(was.options ?? {}, layer.options ?? {}).map((each) => `${layer.id}: ${each}`));
      if (was.inputs.join() !== layer.inputs.join())
        said.push(`${layer.id}: from ${layer.inputs.join(", ")} instead of ${was.inputs.join(", ")}`);
    }
  }
  for (const name of Object.keys(after.outputs)) {
    const [was, is] = [before.outputs[name], after.outputs[name]];
    if (was && was.loss !== is.loss) said.push(`loss ${was.loss} → ${is.loss}`);
  }
  const { optimizer: was, ...trainedBefore } = before.training;
  const { optimizer: is, ...trainedAfter } = after.training;
  if (was.type !== is.type) said.push(`${was.type} → ${is.type}`);
  said.push(...changes(was.options, is.options), ...changes(trainedBefore, trainedAfter));
  return said;
}

/** The first few differences; of other data, that alone. @param {Net} before @param {Net} after */
function briefly(before, after) {
  const all = differences(before, after);
  if (before.data.name !== after.data.name) return [all[0], ...(all.length > 1 ? ["another network"] : [])];
  return all.length > 4 ? [...all.slice(0, 4), `${all.length - 4} more`] : all;
}

/** @param {{state: State, actions: Actions}} properties */
export function Runs({ state, actions }) {
  const current = shown(state);
  const { runs } = state;
  return html`<section class="runs" aria-label="Runs">
    <${Engines} state=${state} actions=${actions} />
    ${
      runs.length === 0
        ? html`<p class="empty">Press play: each run is kept here, to compare it with the next.</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="List of runs">
            <table class="numbers run-list">
              <caption class="hidden">Runs, the newest first</caption>
              <thead>
                <tr>
                  <th scope="col" title="Pinned runs are drawn in the curves beside the one that is shown">pin</th>
                  <th scope="col">run</th>
                  <th scope="col">engine</th>
                  <th scope="col">state</th>
                  <th scope="col">epoch</th>
                  <th scope="col">loss</th>
                  <th scope="col">test loss</th>
                  <th scope="col">test accuracy</th>
                  <th scope="col" title="Time spent training, without compiling">time</th>
                  <th scope="col" class="wide">differs from the shown one by</th>
                  <th scope="col"><span class="hidden">remove</span></th>
                </tr>
              </thead>
              <tbody>
                ${runs.toReversed().map((run) => html`<${Row} key=${run.id} ...${{ run, current, state, actions }} />`)}
              </tbody>
            </table>
          </div>`
    }
  </section>`;
}

/** @param {{run: RunState, current: RunState | null, state: State, actions: Actions}} properties */
function Row({ run, current, state, actions }) {
  const { logs } = run.history;
  const title = titleOf(state, run);
  const isShown = Boolean(current && current.id === run.id);
  const accuracy = Object.keys(logs).find((name) => name.startsWith("val_") && name.includes("accuracy"));
  const different = current && !isShown ? briefly(current.document, run.document) : [];
  return html`<tr class=${isShown ? "chosen" : ""} aria-current=${isShown ? "true" : undefined}>
    <td>
      <input
        type="checkbox"
        aria-label="Pin ${title}"
        title="Draw this run in the curves beside the one that is shown"
        checked=${state.pinned.includes(run.id)}
        onChange=${() => actions.pin(run.id)}
      />
    </td>
    <th scope="row">
      <span class="dot" style=${{ background: colourOf(run) }} aria-hidden="true"></span>
      <button type="button" class="plain" title="Show this run" onClick=${() => actions.show(run.id)}>${title}</button>
    </th>
    <td>${run.engine}</td>
    <td class="state-${run.state}" title=${run.message ?? run.trouble?.title ?? ""}>${run.state}</td>
    <td class="digits">${run.epoch}<span class="muted"> / ${run.epochs}</span></td>
    <td class="digits">${number(logs.loss?.at(-1))}</td>
    <td class="digits">${number(lastOf(logs.val_loss))}</td>
    <td class="digits">${accuracy ? number(lastOf(logs[accuracy])) : "–"}</td>
    <td class="digits">${duration(run.seconds)}</td>
    <td class="wide">
      ${different.join("; ")}
      ${!different.length && html`<span class="muted">${isShown ? "shown" : "nothing"}</span>`}
    </td>
    <td class="run-acts">
      <button
        type="button"
        class="button quiet"
        title="Put this run's network onto the canvas; undo brings yours back"
        onClick=${() => actions.takeBack(run.id)}
      >
        use
      </button>
      <button
        type="button"
        class="button quiet"
        aria-label="Remove ${title}"
        title="End this run and forget it"
        onClick=${() => actions.remove(run.id)}
      >
        ×
      </button>
    </td>
  </tr>`;
}

/**
 * Starts the network as it stands on several engines, with all else alike.
 * @param {{state: State, actions: Actions}} properties
 */
function Engines({ state, actions }) {
  const engines = state.start.catalog.engines.filter((engine) => engine.name !== "numpy");
  const installed = engines.filter((engine) => engine.installed);
  const [chosen, choose] = useState(installed.slice(0, 2).map((engine) => engine.name));
  const turn = (/** @type {string} */ engine) =>
    choose(chosen.includes(engine) ? chosen.filter((/** @type {string} */ name) => name !== engine) : [...chosen, engine]);
  const ok = !state.report || state.report.ok;
  return html`<fieldset class="engines">
    <legend>The same network on several engines</legend>
    ${engines.map(
      (
        engine,
      ) => html`<label key=${engine.name} class="check" title=${engine.installed ? engine.text : `${engine.name} is not installed here`}>
        <input
          type="checkbox"
          disabled=${!engine.installed}
          checked=${chosen.includes(engine.name)}
          onChange=${() => turn(engine.name)}
        />
        ${engine.name} ${engine.version && html`<span class="muted digits">${engine.version}</span>`}
      </label>`,
    )}
    <button
      type="button"
      class="button"
      disabled=${!ok || chosen.length === 0}
      title="Train the network as it stands on each of these engines, from the same seed, and pin the runs"
      onClick=${() => actions.compare(chosen)}
    >
      Run on ${chosen.join(" and ") || "…"}
    </button>
  </fieldset>`;
}
