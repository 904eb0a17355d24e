// What lies over the page: a box, the list of layers to add, the list of networks to begin with.

import { layerOf } from "./document.js";
import { said } from "./fields.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { actions, getState, useStore } from "./store.js";

/** @import {LayerKind, Place, Preset} from "./types.d.ts" */

/**
 * A dialog over the page, closed by Escape, by its button, or beside it.
 * @param {{title: string, children?: any, wide?: boolean}} properties
 */
export function DialogBox({ title, children, wide }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => {
      // A layer had the focus: the one that is chosen by now has it next, as the former one would be chosen again by it.
      const chosen = before?.closest("[role=listbox]") ? getState().selected : null;
      const next = chosen ? document.getElementById(`node-${chosen}`) : before;
      if (next instanceof HTMLElement) next.focus();
    };
  }, []);
  return html`<dialog
    ref=${box}
    class=${wide ? "wide" : ""}
    aria-label=${title}
    onClose=${actions.close}
    onClick=${(/** @type {MouseEvent} */ event) => event.target === box.current && actions.close()}
  >
    <div class="dialog-head">
      <h2>${title}</h2>
      <button type="button" class="button quiet" aria-label="Close" title="Close (Escape)" onClick=${actions.close}>×</button>
    </div>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}

/** @param {Place} place */
const placeText = (place) =>
  "edge" in place ? `between ${place.edge[0]} and ${place.edge[1]}` : "after" in place ? `after ${place.after}` : `before ${place.before}`;

/**
 * A list that is searched by typing, and walked by the arrows.
 * @param {{label: string, hint: string, query: string, search: (text: string) => void, children?: any}} properties
 */
function Searched({ label, hint, query, search, children }) {
  const holder = useRef(/** @type {HTMLElement | null} */ (null));
  const walk = (/** @type {KeyboardEvent} */ event) => {
    const way = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const all = [.../** @type {HTMLElement} */ (holder.current).querySelectorAll("button.choice")];
    if (event.key === "Enter" && event.target instanceof HTMLInputElement) /** @type {HTMLElement | undefined} */ (all[0])?.click();
    if (!way || !all.length) return;
    event.preventDefault();
    const at = all.indexOf(/** @type {Element} */ (document.activeElement));
    const next = at < 0 ? (way > 0 ? 0 : all.length - 1) : at + way;
    /** @type {HTMLElement} */ (all[next] ?? holder.current?.querySelector("input")).focus();
  };
  return html`<div ref=${holder} class="searched" onKeyDown=${walk}>
    <input
      class="field search"
      type="search"
      aria-label=${label}
      placeholder=${hint}
      value=${query}
      autofocus
      onInput=${(/** @type {any} */ event) => search(event.target.value)}
    />
    ${children}
  </div>`;
}

/** How well a layer fits what is searched: 0 is not at all. @param {LayerKind} kind @param {string} query */
function fits(kind, query) {
  const name = kind.type.toLowerCase();
  if (!query) return 1;
  if (name.startsWith(query)) return 3;
  if (name.includes(query)) return 2;
  return query.length > 2 && `${kind.group} ${kind.text}`.toLowerCase().includes(query) ? 1 : 0;
}

export function Palette() {
  const { catalog, net, place, signature } = useStore((state) => ({
    catalog: state.start.catalog,
    net: state.document,
    place: state.place,
    signature: state.signature,
  }));
  const [query, search] = useState("");
  const found = useMemo(() => {
    const wanted = query.trim().toLowerCase();
    const ranked = catalog.layers.map((kind) => ({ kind, rank: fits(kind, wanted) })).filter(({ rank }) => rank);
    const ordered = wanted ? [...ranked].sort((one, other) => other.rank - one.rank) : ranked;
    /** @type {Map<string, LayerKind[]>} */
    const groups = new Map();
    for (const { kind } of ordered) groups.set(kind.group, [...(groups.get(kind.group) ?? []), kind]);
    return [...groups];
  }, [query, catalog]);
  if (!place) return null;
  const missing = Object.keys(signature?.inputs ?? {}).filter((name) => !layerOf(net, name));
  const after = "edge" in place ? place.edge[0] : "after" in place ? place.after : place.before;
  const shareable = net.layers.filter((layer) => layer.type && catalog.layers.find((kind) => kind.type === layer.type)?.shareable);
  return html`<${DialogBox} title=${`Add a layer ${placeText(place)}`} wide>
    <${Searched} label="Search the layers" hint="Search, such as conv or drop" ...${{ query, search }}>
      ${
        !query &&
        missing.length > 0 &&
        html`<section class="choices">
          <h3>inputs of the data</h3>
          ${missing.map(
            (name) =>
              html`<button key=${name} type="button" class="choice" onClick=${() => actions.addInput(name)}>
                <b>${name}</b><span>${signature?.inputs[name].text}</span>
              </button>`,
          )}
        </section>`
      }
      ${found.map(
        ([group, kinds]) =>
          html`<section key=${group} class="choices">
            <h3>${group}</h3>
            ${kinds.map(
              (kind) =>
                html`<button key=${kind.type} type="button" class="choice" onClick=${() => actions.addLayer(kind.type, place)}>
                  <b>${kind.type}</b><span>${said(kind.text)}</span>
                </button>`,
            )}
          </section>`,
      )}
      ${!found.length && html`<p class="empty">No layer is called so. Try a part of its name.</p>`}
      ${
        !query &&
        shareable.length > 0 &&
        html`<section class="choices">
          <h3>the same layer again, with the same weights</h3>
          ${shareable.map(
            (layer) =>
              html`<button key=${layer.id} type="button" class="choice" onClick=${() => actions.shareLayer(layer.id, after)}>
                <b>${layer.id}</b><span>${layer.type}, called again on ${after}</span>
              </button>`,
          )}
        </section>`
      }
    <//>
  <//>`;
}

/** @type {Record<string, string>} */
const GROUPS = { start: "Begin here", template: "Networks to build on", experiment: "Experiments", lesson: "Lessons" };

export function Examples() {
  const presets = useStore((state) => state.start.presets);
  const [query, search] = useState("");
  const wanted = query.trim().toLowerCase();
  const found = presets.filter((preset) => `${preset.title} ${preset.text}`.toLowerCase().includes(wanted));
  /** @type {Map<string, Preset[]>} */
  const groups = new Map();
  for (const preset of found) groups.set(preset.group, [...(groups.get(preset.group) ?? []), preset]);
  return html`<${DialogBox} title="Examples" wide>
    <${Searched} label="Search the examples" hint="Search" ...${{ query, search }}>
      ${[...groups].map(
        ([group, all]) =>
          html`<section key=${group} class="choices">
            <h3>${GROUPS[group] ?? group}</h3>
            ${all.map(
              (preset) =>
                html`<button key=${preset.id} type="button" class="choice" onClick=${() => actions.openPreset(preset.id)}>
                  <b>${preset.title}</b><span>${said(preset.text)}</span>
                </button>`,
            )}
          </section>`,
      )}
      ${!found.length && html`<p class="empty">No example says that.</p>`}
    <//>
  <//>`;
}
