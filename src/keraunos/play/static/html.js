// Preact and htm, as the page uses them: one place to import from.

import htm from "./vendor/htm.js";
import { Fragment, h, render } from "./vendor/preact.js";

/** A tree of elements from a template. */
export const html = htm.bind(h);

export { Fragment, h, render };
export { useCallback, useEffect, useErrorBoundary, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
