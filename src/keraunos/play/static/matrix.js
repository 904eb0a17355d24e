// Which class is taken for which, and the samples that the network gets wrong.

import { html, useEffect, useState } from "./html.js";
import { classNames, count, dark, percent } from "./pixels.js";
import { Given } from "./sample.js";
import { shown } from "./store.js";

/** @import { Actions, State } from "./types.d.ts" */

/** @param {{state: State, actions: Actions}} properties */
export function Matrix({ state, actions }) {
  const run = shown(state);
  const snapshot = run && run.snapshot;
  const matrix = snapshot && snapshot.matrix;
  const [cell, setCell] = useState(/** @type {[number, number] | null} */ (null));
  useEffect(() => setCell(null), [run && run.id]);
  if (!matrix) {
    return html`<p class="empty">
      ${
        run
          ? classNames(run.targets).length
            ? "The first look at the test data is on its way."
            : "This network does not choose between classes: there is nothing to confuse."
          : "Train a network that chooses between classes: which it takes for which is counted here, on the test data."
      }
    </p>`;
  }
  const { classes, counts, wrong } = matrix;
  const total = matrix.samples;
  const right = Math.round(matrix.accuracy * total);
  const sorted = [...wrong].sort((one, other) => other.sure - one.sure);
  const listed = cell ? sorted.filter((each) => each.true === classes[cell[0]] && each.predicted === classes[cell[1]]) : sorted;
  const dense = classes.length > 12 ? "dense" : "";
  return html`<section class="matrix" aria-label="Confusion">
    <div class="matrix-table">
      <p class="view-note">
        <strong class="digits">${percent(matrix.accuracy)}</strong> of ${count(total)} test samples are right,${" "}
        ${count(total - right)} wrong, at epoch ${snapshot.epoch}. A row is a true class, a column what the network says;${" "}
        shades are parts of the row.${matrix.of > classes.length && ` Of ${count(matrix.of)} classes, those that are confused most stand here.`}
      </p>
      <div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
        <table class="confusion ${dense}">
          <caption class="hidden">Samples of each true class by the class that is predicted</caption>
          <thead>
            <tr>
              <th scope="col" class="corner">true \\ predicted</th>
              ${classes.map((/** @type {string} */ name) => html`<th key=${name} scope="col" title=${name}><span>${name}</span></th>`)}
              <th scope="col" class="sum" title="The part of this class that is found">found</th>
            </tr>
          </thead>
          <tbody>
            ${counts.map((/** @type {number[]} */ row, /** @type {number} */ i) => {
              const sum = row.reduce((a, b) => a + b, 0);
              return html`<tr key=${i}>
                <th scope="row" title=${classes[i]}>${classes[i]}</th>
                ${row.map((value, j) => {
                  const part = sum ? value / sum : 0;
                  return html`<${Cell} key=${j} ...${{ value, part, i, j, classes, cell, setCell }} />`;
                })}
                <td class="sum digits">${sum ? percent(row[i] / sum) : "–"}</td>
              </tr>`;
            })}
          </tbody>
        </table>
      </div>
    </div>
    <div class="wrong">
      <h3>
        ${cell ? `${classes[cell[0]]} taken for ${classes[cell[1]]}` : "Wrong answers, the surest first"}
        ${cell && html` <button type="button" class="plain" title="Show all that are wrong" onClick=${() => setCell(null)}>all</button>`}
      </h3>
      ${listed.length === 0 && html`<p class="empty">${cell ? "None of these is among the samples here." : "No test sample is wrong."}</p>`}
      <ul class="samples">
        ${listed.map(
          (sample) => html`<li key=${sample.index}>
            <button
              type="button"
              class="button"
              title="Show what the network makes of sample ${sample.index}"
              onClick=${() => {
                actions.look({ sample: sample.index });
                actions.choose("inside");
              }}
            >
              <${Given} pictures=${sample.pictures} sample=${sample.index} />
              ${sample.text && html`<q>${sample.text}</q>`}
              <span>
                <b>${sample.true}</b> taken for <b>${sample.predicted}</b>${" "}
                <span class="digits muted">${percent(sample.sure)} sure</span>
              </span>
            </button>
          </li>`,
        )}
      </ul>
    </div>
  </section>`;
}

/**
 * @param {{value: number, part: number, i: number, j: number, classes: string[], cell: [number, number] | null,
 *   setCell: (cell: [number, number] | null) => void}} properties
 */
function Cell({ value, part, i, j, classes, cell, setCell }) {
  const colour = i === j ? "43, 108, 176" : "217, 130, 43";
  const shade = value ? 0.08 + 0.82 * part : 0;
  const style = { background: shade ? `rgba(${colour}, ${shade})` : "transparent", color: shade > (dark() ? 0.75 : 0.55) ? "#fff" : "" };
  const text = `${classes[i]}: ${value} taken for ${classes[j]}`;
  if (i === j || !value) return html`<td class="digits" style=${style} title=${text}>${value || html`<span class="nought">0</span>`}</td>`;
  const chosen = cell && cell[0] === i && cell[1] === j;
  return html`<td class="digits" style=${style}>
    <button
      type="button"
      class="plain"
      aria-pressed=${Boolean(chosen)}
      title="${text}: show them"
      onClick=${() => setCell(chosen ? null : [i, j])}
    >
      ${value}
    </button>
  </td>`;
}
