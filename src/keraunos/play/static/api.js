// What the page asks of the server, and the events that it sends.

/** An answer that is no success, in the server's words. */
export class ApiError extends Error {
  /** @param {number} status @param {any} said */
  constructor(status, said) {
    super(said?.message ?? "The server did not answer.");
    this.status = status;
    /** @type {string | null} */
    this.fix = said?.fix ?? null;
    /** @type {string | null} */
    this.code = said?.code ?? null;
    /** @type {string | null} */
    this.layer = said?.layer ?? null;
    /** @type {string | null} */
    this.field = said?.field ?? null;
  }
}

/** @param {string} path @param {RequestInit} request */
async function asked(path, request) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...request });
  } catch {
    throw new ApiError(0, { message: "The server does not answer.", fix: "Is it still running? Look at the terminal it was started in." });
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => null);
    throw new ApiError(answer.status, body?.error ?? { message: `The server answered ${answer.status}.` });
  }
  return answer;
}

/** @param {string} path */
export const get = async (path) => (await asked(path, {})).json();

/** @param {string} path @param {unknown} [body] */
export const post = async (path, body = {}) => (await posted(path, body)).json();

/** @param {string} path @param {unknown} body */
const posted = (path, body) => asked(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** A program as a file. @param {unknown} body */
export const program = async (body) => (await posted("/api/program", body)).blob();

/** @param {string} path @param {Blob} bytes */
export const send = async (path, bytes) =>
  (await asked(path, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: bytes })).json();

/** A file of the server's. @param {string} path @returns {Promise<Blob>} */
export const file = async (path) => (await asked(path, {})).blob();

/** Saves text or bytes as a file of the user's. @param {string} name @param {BlobPart} text @param {string} [type] */
export function download(name, text, type = "text/plain") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

const EVENTS = ["hello", "run", "progress", "snapshot", "removed"];

/**
 * Listens to the server's events; connects again when it was cut off.
 * @param {(name: string, data: any) => void} heard
 * @param {(connection: "connecting" | "open" | "lost" | "restarted") => void} changed
 */
export function listen(heard, changed) {
  /** @type {EventSource | null} */
  let source = null;
  let waiting = 0;
  const close = () => {
    clearTimeout(waiting);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = new EventSource("/api/events");
    source.onopen = () => changed("open");
    source.onerror = () => {
      if (source && source.readyState !== EventSource.CLOSED) return changed("lost");
      // Refused: either the server is another one now, or it is gone.
      fetch("/api/start", { credentials: "same-origin" })
        .then((answer) => changed(answer.status === 401 || answer.status === 403 ? "restarted" : "lost"))
        .catch(() => changed("lost"))
        .finally(() => document.hidden || (waiting = window.setTimeout(open, 3000)));
    };
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => heard(name, JSON.parse(/** @type {MessageEvent} */ (event).data)));
    }
  };
  open();
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  // A browser has six connections to a server: a tab that nobody sees leaves its own to the others, and hears all when it is seen again.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
}
