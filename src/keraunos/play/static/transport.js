// The bar that trains: play, pause, a step further, stop; where it is, and what it trains by.

import { html } from "./html.js";
import { FieldRow, plain, SelectRow } from "./fields.js";
import { count, duration } from "./pixels.js";
import { actions, active, changed, mainOf, rateOf, shown, useStore } from "./store.js";

/** @import {State} from "./types.d.ts" */

const PATHS = {
  play: "M4 2.5v11l9.5-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  again: "M8 2.5a5.5 5.5 0 1 0 5.4 6.6h-2A3.6 3.6 0 1 1 8 4.4c1 0 1.9.4 2.5 1.1L8.6 7.4H14V2l-2 2a5.5 5.5 0 0 0-4-1.5z",
  batch: "M3 2.5v11l6.5-5.5zM11 2.5h2v11h-2z",
  epoch: "M1.5 2.5v11L7 8zM7 2.5v11L12.500 8zM13 2.5h2v11h-2z",
  stop: "M3.500 3.500h9v9h-9z",
};

/** @param {{name: keyof typeof PATHS}} properties */
export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

/** @type {Record<string, string>} */
const STATES = {
  starting: "Starting the engine",
  compiling: "Compiling",
  training: "Training",
  paused: "Paused",
  done: "Done",
  stopped: "Stopped",
  failed: "Failed",
};

/** The main button in words. @param {State} state */
function worded(state) {
  const run = shown(state);
  const name = mainOf(state);
  if (name === "again") return { name, label: "Restart", says: "The network or its training was changed: train from the beginning (space)" };
  if (name === "pause") return { name, label: "Pause", says: "Stop after this batch; what was learnt stays (space)" };
  const says =
    run && active(run)
      ? "Go on training (space)"
      : run?.state === "done" && run.live !== false
        ? "Train as many epochs again (space)"
        : "Train this network (space)";
  return { name, label: "Play", says };
}

function Buttons() {
  const { name, label, says, alive, busy, ok } = useStore((state) => ({
    ...worded(state),
    alive: active(shown(state)),
    busy: state.busy,
    ok: state.report?.ok !== false,
  }));
  const blocked = busy || (!ok && label !== "Pause");
  return html`<div class="buttons" role="group" aria-label="Training">
    <button
      type="button"
      class="button primary play"
      disabled=${blocked}
      title=${ok ? says : "Mend what is red in the network first"}
      onClick=${actions[name]}
    >
      <${Icon} name=${name} /><span>${label}</span>
    </button>
    <button
      type="button"
      class="button"
      disabled=${blocked}
      title="Train one batch, then pause (.)"
      aria-label="Step one batch"
      onClick=${() => actions.step("batch")}
    >
      <${Icon} name="batch" /><span class="word">Batch</span>
    </button>
    <button
      type="button"
      class="button"
      disabled=${blocked}
      title="Train one epoch, then pause (:)"
      aria-label="Step one epoch"
      onClick=${() => actions.step("epoch")}
    >
      <${Icon} name="epoch" /><span class="word">Epoch</span>
    </button>
    <button
      type="button"
      class="button"
      disabled=${!alive}
      title="End this run; what it showed is kept (s)"
      aria-label="Stop"
      onClick=${actions.stop}
    >
      <${Icon} name="stop" /><span class="word">Stop</span>
    </button>
  </div>`;
}

function Counters() {
  const { run, other } = useStore((state) => {
    const run = shown(state);
    return { run, other: changed(state) };
  });
  const state = run ? (STATES[run.state] ?? run.state) : "Not trained yet";
  const step = run?.steps_per_epoch
    ? `${count(run.step % run.steps_per_epoch || (run.step && run.steps_per_epoch))}/${count(run.steps_per_epoch)}`
    : "–";
  return html`<div class="counters">
    <span class=${`state ${active(run) ? "on" : ""}`} role="status">${state}${other ? " · changed since" : ""}</span>
    <span title="Epochs: how often all training samples were seen"
      ><b>Epoch</b> <span class="number">${run ? `${count(run.epoch)}/${count(run.epochs)}` : "0"}</span></span
    >
    <span title="Batches of this epoch: one step each"><b>Batch</b> <span class="number">${step}</span></span>
    <span title="Seconds of training so far"
      ><b>Time</b> <span class="number">${run ? duration(run.seconds ?? 0) : "0.0 s"}</span></span
    >
  </div>`;
}

const RATES = [0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

function Settings() {
  const { training, engines, limits, rate } = useStore((state) => ({
    training: state.document.training,
    engines: state.start.catalog.engines,
    limits: state.start.catalog.limits,
    rate: rateOf(state.document),
  }));
  const rates = [...new Set([...RATES, rate])].sort((one, other) => one - other);
  const each = engines.map(({ name, installed, text }) => ({
    value: name,
    text: installed ? name : `${name} (not installed)`,
    title: text,
    disabled: !installed,
  }));
  return html`<div class="settings">
    <${SelectRow}
      label="engine"
      title="What computes: the same network runs on each"
      value=${training.engine}
      choices=${each}
      change=${(/** @type {string} */ engine) => actions.setTraining({ engine })}
    />
    <${SelectRow}
      label="learning rate"
      title="How far each step goes; it may be changed while the network trains"
      value=${String(rate)}
      choices=${rates.map((value) => ({ value: String(value) }))}
      change=${(/** @type {string} */ value) => actions.learningRate(Number(value))}
    />
    <${FieldRow}
      brief
      label="batch size"
      field=${plain({ name: "batch_size", low: 1, high: limits.batch_size, text: "How many samples one step learns from" })}
      value=${training.batch_size}
      change=${(/** @type {number} */ value) => actions.setTraining({ batch_size: value })}
    />
    <${FieldRow}
      brief
      label="seed"
      field=${plain({ name: "seed", low: 0, high: 2147483647, text: "Where chance begins: the same seed gives the same numbers" })}
      value=${training.seed}
      change=${(/** @type {number} */ seed) => actions.setTraining({ seed })}
    />
  </div>`;
}

export function Transport() {
  return html`<section class="transport" aria-label="Transport"><${Buttons} /><${Counters} /><${Settings} /></section>`;
}
