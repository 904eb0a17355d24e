// Lessons and experiments: a short text, a network that shows it, and what to try.

import { html, useState } from "./html.js";

/** @import { Actions, State } from "./types.d.ts" */

const GROUPS = /** @type {[string, string][]} */ ([
  ["lesson", "What is it?"],
  ["experiment", "Experiments"],
]);

/** @param {{state: State, actions: Actions}} properties */
export function Learn({ state, actions }) {
  const presets = (state.start && state.start.presets) || [];
  const lessons = GROUPS.flatMap(([group]) => presets.filter((each) => each.group === group));
  const { name } = state.document;
  const [chosen, choose] = useState({ id: "", name });
  const opened = lessons.find((each) => each.document.name === name); // what is read is of the network that is open, until another is chosen
  const lesson = (chosen.name === name && lessons.find((each) => each.id === chosen.id)) || opened || lessons[0];
  if (!lesson) return html`<p class="empty">There are no lessons here.</p>`;
  return html`<section class="learn" aria-label="Learn">
    <nav aria-label="Lessons">
      ${GROUPS.map(([group, title]) => {
        const own = lessons.filter((each) => each.group === group);
        return (
          own.length > 0 &&
          html`<div key=${group}>
            <h3>${title}</h3>
            <ul>
              ${own.map(
                (each) => html`<li key=${each.id}>
                  <button
                    type="button"
                    class="entry"
                    title="Read this; a button below opens its network"
                    aria-current=${each.id === lesson.id ? "true" : undefined}
                    onClick=${() => choose({ id: each.id, name })}
                  >
                    ${each.title}
                  </button>
                </li>`,
              )}
            </ul>
          </div>`
        );
      })}
    </nav>
    <article>
      <h2>${lesson.title}</h2>
      <p>${lesson.text}</p>
      ${
        lesson.steps &&
        lesson.steps.length > 0 &&
        html`<ol>
          ${lesson.steps.map((/** @type {string} */ step, /** @type {number} */ i) => html`<li key=${i}>${step}</li>`)}
        </ol>`
      }
      <p>
        <button
          type="button"
          class="button primary"
          title="Put this lesson's network and data in place of yours; undo brings yours back"
          onClick=${() => actions.openPreset(lesson.id)}
        >
          Open this example
        </button>
      </p>
    </article>
  </section>`;
}
