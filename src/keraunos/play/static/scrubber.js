// Back through the epochs of a run: what the network was like at each of its checkpoints.

import { html, useEffect, useState } from "./html.js";
import { number } from "./pixels.js";
import { shown } from "./store.js";

/** @import { Actions, State } from "./types.d.ts" */

/** @param {{state: State, actions: Actions}} properties */
export function Scrubber({ state, actions }) {
  const run = shown(state);
  const [playing, setPlaying] = useState(false);
  const marks = (run && run.checkpoints) || [];
  const live = state.epoch === null;
  const found = state.epoch === null ? marks.length - 1 : marks.indexOf(state.epoch);
  const place = found < 0 ? marks.length - 1 : found;

  useEffect(() => {
    if (!playing) return undefined;
    const timer = setTimeout(() => {
      const next = live ? 0 : place + 1;
      if (next >= marks.length) setPlaying(false);
      else actions.scrub(marks[next]);
    }, 250);
    return () => clearTimeout(timer);
  }, [playing, place, live, marks.length]);

  if (!run || run.live === false || marks.length < 2) return null;
  const seen = live ? run.epoch : marks[place];
  return html`<section class="scrubber" aria-label="Epochs">
    <button
      type="button"
      class="button"
      aria-label=${playing ? "Stop playing back" : "Play back"}
      title=${playing ? "Stop playing the epochs back" : "Play the epochs back, from the first or from here"}
      onClick=${() => {
        if (!playing && !live && place === marks.length - 1) actions.scrub(marks[0]);
        setPlaying(!playing);
      }}
    >
      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
        ${playing ? html`<path d="M2 1h3v10H2zM7 1h3v10H7z" />` : html`<path d="M2 1l9 5-9 5z" />`}
      </svg>
    </button>
    <input
      type="range"
      min="0"
      max=${marks.length - 1}
      value=${place}
      aria-label="Epoch that is looked at"
      aria-valuetext="epoch ${seen}"
      title="Look at the network as it was at an earlier epoch; training goes on unharmed"
      onInput=${(/** @type {any} */ event) => {
        setPlaying(false);
        actions.scrub(marks[Number(event.target.value)]);
      }}
    />
    <output class="digits" aria-live=${live ? "off" : "polite"}>${live ? "epoch" : "at epoch"} ${seen}${run.epochs ? ` / ${run.epochs}` : ""}</output>
    <button
      type="button"
      class="button"
      aria-pressed=${live}
      title="Show the newest state of the network again"
      onClick=${() => {
        setPlaying(false);
        actions.scrub(null);
      }}
    >
      live
    </button>
    ${!live && html`<${Then} run=${run} epoch=${marks[place]} />`}
  </section>`;
}

/**
 * The numbers of an earlier epoch beside those of now.
 * @param {{run: any, epoch: number}} properties
 */
function Then({ run, epoch }) {
  const { logs, epoch: epochs } = run.history;
  const then = epochs.lastIndexOf(epoch);
  const now = epochs.length - 1;
  if (then < 0) return null;
  const names = Object.keys(logs).filter((name) => typeof logs[name][then] === "number");
  return html`<table class="numbers then">
    <caption class="hidden">Epoch ${epoch} beside the last</caption>
    <thead>
      <tr><td></td><th scope="col">epoch ${epoch}</th><th scope="col">epoch ${epochs[now]}</th></tr>
    </thead>
    <tbody>
      ${names.map(
        (name) => html`<tr key=${name}>
          <th scope="row">${name.replace(/^val_/, "test ").replace(/_/g, " ")}</th>
          <td>${number(logs[name][then])}</td>
          <td>${number(logs[name][now])}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
