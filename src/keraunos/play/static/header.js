// The line on top: the network's name, examples, undo, files, the link, light and dark; and what the page has to say.

import { sentence } from "./fields.js";
import { html, useRef, useState } from "./html.js";
import { actions, useStore } from "./store.js";

const SUN = "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1";
const MOON = "M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z";

/** @param {{d: string}} properties */
const Line = ({ d }) => html`<svg class="icon line" viewBox="0 0 16 16" aria-hidden="true"><path d=${d} /></svg>`;

function Name() {
  const name = useStore((state) => state.document.name);
  return html`<input
    class="name"
    aria-label="The network's name"
    title="The network's name: files that you take home are called so"
    value=${name}
    maxlength="60"
    size=${Math.max(8, name.length)}
    spellcheck="false"
    onChange=${(/** @type {any} */ event) => actions.setName(event.target.value.trim() || "network")}
  />`;
}

function Open() {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const take = async (/** @type {any} */ event) => {
    const [file] = event.target.files;
    if (file) await actions.openFile(file);
    event.target.value = "";
  };
  return html`<button
      type="button"
      class="button quiet"
      title="Open a .keras file, or a network saved as .json"
      onClick=${() => input.current?.click()}
    >
      <${Line} d="M1.500 12.500v-9h4.500l1.500 1.500h7v7.500z" /><span>Open</span>
    </button>
    <input
      ref=${input}
      type="file"
      class="hidden"
      tabindex="-1"
      accept=".keras,.json"
      aria-label="A .keras or .json file"
      onChange=${take}
    />`;
}

export function Header() {
  const { past, future, theme } = useStore((state) => ({ past: state.past.length, future: state.future.length, theme: state.theme }));
  return html`<header class="head">
      <h1>
        <svg class="mark" viewBox="0 0 16 16" aria-hidden="true"><path d="M9.500 1 3 9.500h4.500L6 15l7-8.500H8.500z" /></svg
        ><span>Keraunos</span> <span class="muted">Playground</span>
      </h1>
      <${Name} />
      <button
        type="button"
        class="button quiet"
        title="Networks to begin with, and experiments (e)"
        onClick=${() => actions.open("examples")}
      >
        <${Line} d="M2 3.500h12M2 8h12M2 12.500h8" /><span>Examples</span>
      </button>
      <span class="gap"></span>
      <button type="button" class="button quiet" aria-disabled=${!past} title="Undo (Ctrl+Z)" aria-label="Undo" onClick=${actions.undo}>
        <${Line} d="M5.500 3 2.500 6l3 3M2.500 6H9a4 4 0 0 1 0 8H6" />
      </button>
      <button type="button" class="button quiet" aria-disabled=${!future} title="Redo (Ctrl+Shift+Z)" aria-label="Redo" onClick=${actions.redo}>
        <${Line} d="m10.500 3 3 3-3 3M13.500 6H7a4 4 0 0 0 0 8h3" />
      </button>
      <${Open} />
      <button type="button" class="button quiet" title="Copy a link that holds the whole network" onClick=${actions.share}>
        <${Line} d="M6.500 9.500l3-3M7 4.500l1.500-1.500a3 3 0 0 1 4.500 4.500L11.500 9M9 11.500 7.500 13A3 3 0 0 1 3 8.500L4.500 7" /><span
          >Share</span
        >
      </button>
      <button type="button" class="button quiet" title="The program, the notebook, the trained model" onClick=${() => actions.open("home")}>
        <${Line} d="M8 2v8M4.500 6.500 8 10l3.500-3.500M2.500 13.500h11" /><span>Take home</span>
      </button>
      <button
        type="button"
        class="button quiet"
        title="Light or dark (t)"
        aria-label=${theme === "dark" ? "Light colours" : "Dark colours"}
        onClick=${actions.turnTheme}
      >
        <${Line} d=${theme === "dark" ? SUN : MOON} />
      </button>
      <button type="button" class="button quiet" title="The keys (?)" aria-label="Keys" onClick=${() => actions.open("keys")}>?</button>
    </header>
    <${Connection} />
    <${Told} />`;
}

/** The server was started again, or does not answer: how to go on. */
function Connection() {
  const connection = useStore((state) => state.connection);
  const [address, setAddress] = useState("");
  const local = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+\//.test(address);
  if (connection === "lost") {
    return html`<div class="banner" role="alert">
      <p>The server does not answer; the page tries again every few seconds. Your network is kept.</p>
    </div>`;
  }
  if (connection !== "restarted") return null;
  return html`<div class="banner" role="alert">
    <p>The server was started again, so this page may not talk to it yet. Nothing is lost: paste the address that the terminal shows.</p>
    <input
      class="field"
      aria-label="The new address"
      placeholder="http://127.0.0.1:…"
      value=${address}
      onInput=${(/** @type {any} */ event) => setAddress(event.target.value.trim())}
    />
    <button type="button" class="button primary" disabled=${!local} onClick=${() => location.assign(address.split("#")[0] + location.hash)}>
      Go on there
    </button>
  </div>`;
}

function Told() {
  const notice = useStore((state) => state.notice);
  if (!notice) return html`<div class="told" role="status"></div>`;
  return html`<div class=${`told ${notice.kind}`} role=${notice.kind === "error" ? "alert" : "status"}>
    <p>${notice.text}${notice.fix && html` <span class="muted">${sentence(notice.fix)}</span>`}</p>
    <button type="button" class="button quiet" aria-label="Close this message" title="Close this message" onClick=${actions.dismiss}>
      ×
    </button>
  </div>`;
}
