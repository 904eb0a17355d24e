// A field for each kind of value, with its sentence, and what is wrong said at once.

import { html, useEffect, useState } from "./html.js";

/** @import {Field, Value} from "./types.d.ts" */

let made = 0;

/** A name that ties a label to its field. */
export function useId() {
  const [id] = useState(() => `field-${++made}`);
  return id;
}

/** A sentence with its code set as such. @param {string} text */
export const said = (text) => text.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));

/** A remedy as a sentence. @param {string} text */
export const sentence = (text) => said(text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : "."));

/** A name in words. @param {string} name */
export const words = (name) => name.replace(/_/g, " ");

/** @param {Value} value */
export const shownValue = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? value.join(", ") : String(value));

/**
 * What a text means for a field: a value, or what is wrong.
 * @param {Field} field @param {string} text @returns {{value?: Value, wrong?: string}}
 */
export function meant(field, text) {
  const trimmed = text.trim().replace(/−/g, "-");
  if (!trimmed) {
    if (field.required) return { wrong: "A value is needed." };
    return { value: undefined };
  }
  if (field.kind === "text") return { value: text };
  const parts = field.kind === "integers" ? trimmed.split(/[\s,×x]+/).filter(Boolean) : [trimmed];
  const numbers = parts.map(Number);
  if (numbers.some((number) => !Number.isFinite(number))) {
    return { wrong: field.kind === "integers" ? "Whole numbers with commas between them, such as 3, 3." : "A number is needed." };
  }
  if (field.kind !== "number" && numbers.some((number) => !Number.isInteger(number))) return { wrong: "A whole number is needed." };
  const { low, high } = field;
  if (typeof low === "number" && numbers.some((number) => number < low)) return { wrong: `At least ${low}.` };
  if (typeof high === "number" && numbers.some((number) => number > high)) return { wrong: `At most ${high.toLocaleString("en-US")}.` };
  return { value: field.kind !== "integers" ? numbers[0] : numbers.length === 1 && !Array.isArray(field.start) ? numbers[0] : numbers };
}

/**
 * Text that is taken as soon as it means something; what is typed stays until the field is left.
 * @param {FieldProperties & {id: string, about: string, wrong: (text: string | null) => void}} properties
 */
function Text({ field, value, change, id, about, wrong }) {
  const usual = shownValue(field.default);
  const outer = value === undefined ? usual : shownValue(value);
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  useEffect(() => {
    setDraft(null);
    wrong(null);
  }, [outer]);
  const take = (/** @type {string} */ text) => {
    const { value: found, wrong: problem } = meant(field, text);
    setDraft(text);
    wrong(problem ?? null);
    if (!problem && shownValue(found ?? field.default) !== outer) change(shownValue(found ?? null) === usual ? undefined : found);
  };
  // What is left shows the value that holds, also where another was refused.
  const leave = () => {
    const problem = draft === null ? undefined : meant(field, draft).wrong;
    setDraft(null);
    if (problem) wrong(`${problem}${outer && ` ${outer} is kept.`}`);
  };
  const number = field.kind === "integer" || field.kind === "number";
  const step = (/** @type {KeyboardEvent} */ event) => {
    const way = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    const now = Number(draft ?? outer);
    if (!number || !way || !Number.isFinite(now)) return;
    event.preventDefault();
    const next = field.kind === "integer" ? now + way : way > 0 ? now * 2 : now / 2;
    take(String(Number(next.toPrecision(6))));
  };
  return html`<input
    id=${id}
    class="field number"
    type="text"
    inputmode=${field.kind === "integer" ? "numeric" : field.kind === "number" ? "decimal" : "text"}
    autocomplete="off"
    spellcheck="false"
    maxlength="200"
    aria-describedby=${about}
    value=${draft ?? outer}
    placeholder=${field.optional ? "none" : usual}
    onInput=${(/** @type {any} */ event) => take(event.target.value)}
    onBlur=${leave}
    onKeyDown=${step}
  />`;
}

/** @typedef {{value: string, text?: string, title?: string, disabled?: boolean}} Choice */

/**
 * One of several, chosen from a list; a value that is not in it is shown all the same.
 * @param {{value: string, choices: Choice[], change: (value: string) => void, id?: string, about?: string}} properties
 */
export function Select({ value, choices, change, id, about }) {
  const all = choices.some((choice) => choice.value === value) ? choices : [{ value }, ...choices];
  return html`<select
    id=${id}
    class="field"
    aria-describedby=${about}
    value=${value}
    onChange=${(/** @type {any} */ event) => change(event.target.value)}
  >
    ${all.map(
      (choice) =>
        html`<option
          key=${choice.value}
          value=${choice.value}
          selected=${choice.value === value}
          disabled=${choice.disabled}
          title=${choice.title?.replace(/`/g, "")}
        >
          ${choice.text ?? words(choice.value)}
        </option>`,
    )}
  </select>`;
}

/** The same with its name. @param {{label: string, title?: string, hidden?: boolean} & Parameters<typeof Select>[0]} properties */
export function SelectRow({ label, title, hidden, ...rest }) {
  const id = useId();
  return html`<div class="field-row" title=${title?.replace(/`/g, "")}>
    <label for=${id} class=${hidden ? "hidden" : ""}>${label}</label>
    <${Select} id=${id} ...${rest} />
  </div>`;
}

/** A field that is no argument of the library's. @param {Partial<Field>} field @returns {Field} */
export const plain = (field) => ({ name: "", kind: "integer", default: null, required: true, optional: false, text: "", ...field });

/**
 * @typedef {object} FieldProperties
 * @property {Field} field
 * @property {Value | undefined} value
 * @property {(value: any) => void} change
 * @property {string | null} [problem] what the library says of it
 * @property {string} [label] in place of its name
 * @property {boolean} [brief] whether its sentence is shown only by the pointer
 * @property {string} [none] what no value means
 */

/**
 * One argument: its name, its field and its sentence.
 * @param {FieldProperties} properties
 */
export function FieldRow({ field, value, change, problem, label, brief, none }) {
  const id = useId();
  const [own, wrong] = useState(/** @type {string | null} */ (null));
  const shown = own ?? problem ?? null;
  const about = `${id}-about`;
  const name = label ?? words(field.name);
  const usual = (/** @type {Value} */ next) => change(JSON.stringify(next) === JSON.stringify(field.default) ? undefined : next);
  let control;
  if (field.kind === "boolean") {
    const on = value ?? field.default ?? false;
    control = html`<input
      id=${id}
      type="checkbox"
      checked=${on}
      aria-describedby=${about}
      onChange=${(/** @type {any} */ event) => usual(event.target.checked)}
    />`;
  } else if (field.kind === "choice") {
    const chosen = shownValue(value ?? field.default);
    const choices = (field.choices ?? []).map((choice) => ({ value: String(choice) }));
    if (field.optional) choices.unshift(/** @type {Choice} */ ({ value: "", text: none ?? "none" }));
    const take = (/** @type {string} */ text) => usual(field.choices?.find((choice) => String(choice) === text) ?? null);
    control = html`<${Select} id=${id} about=${about} value=${chosen} choices=${choices} change=${take} />`;
  } else {
    control = html`<${Text} ...${{ field, value, change, id, about, wrong }} />`;
  }
  return html`<div
    class=${`field-row ${field.kind === "boolean" ? "check-row" : ""} ${shown ? "wrong" : ""}`}
    title=${brief ? field.text.replace(/`/g, "") : undefined}
  >
    <label for=${id}>${name}</label>
    ${control}
    <p id=${about} class=${shown ? "wrong-text" : brief ? "hidden" : "about"} role=${shown ? "alert" : undefined}>
      ${shown ?? said(field.text)}
    </p>
  </div>`;
}
