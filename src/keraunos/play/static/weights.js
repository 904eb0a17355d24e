// How the weights and their gradients are spread, and how far a step moves them.

import { html } from "./html.js";
import { brief, count, percent } from "./pixels.js";
import { shown } from "./store.js";

/** @import { Actions, State, WeightView } from "./types.d.ts" */

const WIDTH = 240;
const HEIGHT = 56;

/**
 * What can be said of a weight by its numbers, and whether it should worry.
 * @param {WeightView} weight
 * @returns {{text: string, bad: boolean}}
 */
export function judged(weight) {
  const { gradient, ratio, std, zero, shape } = weight;
  const size = shape.reduce((a, b) => a * b, 1);
  if (![weight.low, weight.high, weight.mean, std].every(Number.isFinite))
    return { text: "Not finite any more: the run cannot recover.", bad: true };
  if (gradient && gradient.norm === 0) return { text: "No gradient reaches it: it does not learn.", bad: true };
  if (ratio !== null && ratio > 0.1)
    return { text: `A step moves it by ${percent(ratio)} of its size: the learning rate is high for it.`, bad: true };
  if (ratio !== null && ratio < 1e-6 && ratio > 0)
    return { text: "A step hardly moves it: the learning rate is low for it, or its gradient vanishes.", bad: true };
  if (zero > 0.9 && size > 8 && weight.name.includes("kernel"))
    return { text: `${percent(zero)} are zero: most of it says nothing.`, bad: true };
  if (std > 10) return { text: "Widely spread: large weights make for hard decisions and hard training.", bad: true };
  return { text: ratio === null ? "" : "Nothing unusual.", bad: false };
}

/** @param {{state: State, actions: Actions}} properties */
export function Weights({ state, actions }) {
  const run = shown(state);
  const snapshot = run && run.snapshot;
  const weights = snapshot && snapshot.weights;
  if (!weights || !weights.length) {
    return html`<p class="empty">
      ${run ? "The first look at the weights is on its way." : "Train the network: the spread of its weights and gradients is drawn here."}
    </p>`;
  }
  return html`<section class="weights" aria-label="Weights">
    <p class="view-note">
      Healthy weights look like a bell around zero that slowly widens, gradients like a narrower one, and a step moves a weight by${" "}
      about a thousandth of its size. A spike at zero, a wall at an edge, or a step of more than a tenth is trouble.${" "}
      At epoch ${snapshot.epoch}.
    </p>
    <ul class="weight-list">
      ${weights.map((weight) => html`<li key=${`${weight.layer}/${weight.name}`}><${Weight} weight=${weight} actions=${actions} /></li>`)}
    </ul>
  </section>`;
}

/** @param {{weight: WeightView, actions: Actions}} properties */
function Weight({ weight, actions }) {
  const verdict = judged(weight);
  const { gradient } = weight;
  return html`<article class="weight" aria-label="${weight.layer} ${weight.name}">
    <h3>
      <button type="button" class="plain mono" title="Select ${weight.layer} in the network" onClick=${() => actions.select(weight.layer)}>
        ${weight.layer}
      </button>
      <span>${weight.name}</span>
      <span class="muted digits">${weight.shape.join(" × ") || "1"}</span>
    </h3>
    <${Histogram} label="Values" low=${weight.low} high=${weight.high} counts=${weight.counts} />
    ${
      gradient
        ? html`<${Histogram} label="Gradients" low=${gradient.low} high=${gradient.high} counts=${gradient.counts} />`
        : html`<p class="empty">No gradient: it is not trained by one.</p>`
    }
    <dl class="digits">
      <${Fact} name="mean" title="The mean of its values" value=${brief(weight.mean)} />
      <${Fact} name="spread" title="The standard deviation of its values" value=${brief(weight.std)} />
      <${Fact} name="zero" title="How many of its values are exactly zero" value=${percent(weight.zero)} />
      ${gradient && html`<${Fact} name="gradient" title="The length of its gradient" value=${brief(gradient.norm)} />`}
      ${weight.ratio !== null && html`<${Fact} name="step / size" title="The length of a step by its own" value=${brief(weight.ratio)} />`}
    </dl>
    ${verdict.text && html`<p class=${verdict.bad ? "verdict bad" : "verdict"}>${verdict.text}</p>`}
  </article>`;
}

/** @param {{name: string, title: string, value: string}} properties */
function Fact({ name, title, value }) {
  return html`<div title=${title}><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** @param {{label: string, low: number, high: number, counts: number[]}} properties */
function Histogram({ label, low, high, counts }) {
  const most = Math.max(1, ...counts);
  const bin = (high - low) / counts.length;
  const wide = WIDTH / counts.length;
  const zero = low < 0 && high > 0 ? (-low / (high - low)) * WIDTH : null;
  const fullest = counts.indexOf(most);
  const total = counts.reduce((a, b) => a + b, 0);
  const middle = low + (fullest + 0.5) * bin;
  const words = `${label}: ${count(total)} between ${brief(low)} and ${brief(high)}, most of them near ${brief(middle)}`;
  return html`<figure class="histogram">
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${words}>
      ${counts.map((value, i) => {
        const height = value ? Math.max(1, (value / most) * (HEIGHT - 2)) : 0;
        const side = low + (i + 0.5) * bin < 0 ? "below" : "above";
        return html`<rect key=${i} class=${side} x=${i * wide + 0.5} y=${HEIGHT - height} width=${wide - 1} height=${height} />`;
      })}
      ${zero !== null && html`<line class="zero" x1=${zero} x2=${zero} y1="0" y2=${HEIGHT} />`}
    </svg>
    <figcaption><span class="digits">${brief(low)}</span><span>${label}</span><span class="digits">${brief(high)}</span></figcaption>
  </figure>`;
}
