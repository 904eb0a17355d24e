// A run that failed, explained: what happened, why, and what to do.

import { words } from "./fields.js";
import { html } from "./html.js";
import { shown } from "./store.js";

/** @import { Actions, State } from "./types.d.ts" */

/** @param {{state: State, actions: Actions}} properties */
export function TroubleCard({ state, actions }) {
  const run = shown(state);
  const trouble = run && run.trouble;
  if (!trouble) return null;
  const { change } = trouble;
  const layer = trouble.layer && state.document.layers.some((each) => each.id === trouble.layer) ? trouble.layer : null;
  return html`<section class="trouble" role="alert" aria-label="What went wrong">
    <h3>${trouble.title}</h3>
    <p>${trouble.text}</p>
    ${trouble.fix && html`<p class="trouble-fix"><strong>To do:</strong> ${trouble.fix}</p>`}
    <div class="row">
      ${
        change &&
        html`<button
          type="button"
          class="button primary"
          title="Change this value, then train from the beginning; undo brings the value back"
          onClick=${() => actions.retry(change)}
        >
          Train with ${Object.entries(change).map(([name, value]) => `${words(name)} ${value}`).join(", ")}
        </button>`
      }
      ${
        layer &&
        html`<button
          type="button"
          class="button"
          title="Show the settings of ${layer}"
          onClick=${() => {
            actions.select(layer);
            actions.choose("layer");
          }}
        >
          Go to ${layer}
        </button>`
      }
    </div>
    ${
      trouble.details &&
      html`<details>
        <summary>The library's own words</summary>
        <pre tabindex="0">${trouble.details}</pre>
      </details>`
    }
  </section>`;
}
