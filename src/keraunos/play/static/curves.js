// Losses and metrics over the epochs: of the run that is shown, and of those pinned beside it.

import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { legible, number, token, useWidth } from "./pixels.js";
import uPlot from "./vendor/uplot.js";

/** @import { Actions, RunState, State } from "./types.d.ts" */

const DASHES = [[], [10, 4], [2, 4], [10, 4, 2, 4], [16, 6], [5, 3]];

/**
 * The runs that are drawn: the one shown first, then those pinned.
 * @param {State} state
 */
function drawnRuns(state) {
  const wanted = [state.shown, ...state.pinned];
  return [...new Set(wanted)].flatMap((id) => state.runs.filter((run) => run.id === id));
}

/** The colour of a run, the same wherever it is drawn. @param {RunState} run */
export const colourOf = (run) => legible(run.colour ?? "#2b6cb0");

/**
 * What a run is called among all: those of one name are counted, and their engines told.
 * @param {State} state
 * @param {RunState} run
 */
export function titleOf(state, run) {
  const alike = state.runs.filter((each) => each.name === run.name);
  if (alike.length < 2) return run.name;
  const engine = alike.some((each) => each.engine !== run.engine) ? ` on ${run.engine}` : "";
  return `${run.name} ${alike.indexOf(run) + 1}${engine}`;
}

/**
 * The names of what the runs report now, without those of the test data.
 * @param {RunState[]} runs
 */
function measured(runs) {
  const names = ["loss", ...runs.flatMap(({ history }) => Object.keys(history.logs).map((name) => name.replace(/^val_/, "")))];
  const told = (/** @type {string} */ name) => runs.some(({ history }) => typeof history.logs[name]?.at(-1) === "number");
  const found = [...new Set(names)];
  return found.some(told) ? found.filter(told) : found;
}

/**
 * The points of a run's history that are drawn, and where: its epochs, and how far it is in that under way.
 * @param {RunState} run
 */
function places(run) {
  const { epoch, step, partial } = run.history;
  const drawn = [...epoch.keys()].filter((i) => i === epoch.length - 1 || !partial?.[i]);
  return { drawn, at: drawn.map((i) => (run.steps_per_epoch ? step[i] / run.steps_per_epoch : epoch[i])) };
}

/**
 * The last value that was reported.
 * @param {(number | null)[] | undefined} values
 */
export const lastOf = (values = []) => values.findLast((value) => value !== null && value !== undefined) ?? null;

/**
 * What uPlot draws: the runs' values joined on one axis.
 * @param {RunState[]} runs
 * @param {string} metric
 * @param {boolean} log
 */
function joined(runs, metric, log) {
  const tables = runs.map((run) => {
    const { drawn, at } = places(run);
    const series = [metric, `val_${metric}`].map((name) => {
      const values = run.history.logs[name] || [];
      return drawn.map((i) => {
        const value = values[i];
        return typeof value !== "number" || !Number.isFinite(value) || (log && value <= 0) ? null : value;
      });
    });
    return /** @type {any} */ ([at, ...series]);
  });
  if (!tables.length) return [[], []];
  return tables.length === 1
    ? tables[0]
    : uPlot.join(
        tables,
        tables.map((table) => table.map(() => 1)),
      );
}

/**
 * @param {{runs: RunState[], colours: string[], metric: string, log: boolean, theme: string, epoch: number | null,
 *   width: number, height: number, pick: (epoch: number) => void, said: {current: HTMLElement | null}}} properties
 */
function Chart({ runs, colours, metric, log, theme, epoch, width, height, pick, said }) {
  const holder = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const mark = useRef(epoch);
  const picked = useRef(pick);
  picked.current = pick;
  mark.current = epoch;
  const ids = runs.map((run) => run.id).join();

  useEffect(() => {
    if (!holder.current || width < 60) return undefined;
    const axis = { stroke: token("muted"), font: "11px system-ui", grid: { stroke: token("line"), width: 1 }, ticks: { show: false } };
    const series = runs.flatMap((_run, i) =>
      [metric, `val_${metric}`].map((name, test) => ({
        label: name,
        stroke: colours[i],
        width: test ? 1.5 : 2,
        dash: test ? [4, 3] : DASHES[i % DASHES.length],
        spanGaps: true,
        points: {
          show: (/** @type {any} */ self, /** @type {number} */ index) =>
            self.data[index].filter((/** @type {any} */ v) => v !== null && v !== undefined).length < 2,
        },
      })),
    );
    const chart = new uPlot(
      /** @type {any} */ ({
        width,
        height,
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        scales: {
          x: {
            time: false,
            range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ high) => [0, Math.max(1, high || 1)],
          },
          y: { distr: log ? 3 : 1 },
        },
        axes: [
          { ...axis, size: 20, gap: 4, space: 48 },
          {
            ...axis,
            size: 44,
            space: 28,
            values: (/** @type {any} */ _, /** @type {any[]} */ at) => at.map((v) => (v === null ? "" : String(Number(v.toPrecision(4))))),
          },
        ],
        series: [{}, ...series],
        hooks: {
          draw: [
            (/** @type {any} */ self) => {
              if (mark.current === null) return;
              const x = self.valToPos(mark.current, "x", true);
              self.ctx.save();
              self.ctx.strokeStyle = token("ink");
              self.ctx.lineWidth = devicePixelRatio;
              self.ctx.setLineDash([]);
              self.ctx.beginPath();
              self.ctx.moveTo(x, self.bbox.top);
              self.ctx.lineTo(x, self.bbox.top + self.bbox.height);
              self.ctx.stroke();
              self.ctx.restore();
            },
          ],
          setCursor: [
            (/** @type {any} */ self) => {
              if (!said.current) return;
              const at = self.cursor.idx;
              if (at === null || at === undefined) {
                said.current.textContent = "";
                return;
              }
              // In the order of the legend: training, then test.
              const parts = runs.map((_run, i) => `${number(self.data[1 + 2 * i][at])} / ${number(self.data[2 + 2 * i][at])}`);
              said.current.textContent = `epoch ${Number(self.data[0][at].toFixed(2))}: ${parts.join(" · ")}`;
            },
          ],
        },
      }),
      /** @type {any} */ (joined(runs, metric, log)),
      holder.current,
    );
    chart.over.addEventListener("click", () => {
      const at = chart.cursor.idx;
      if (at !== null && at !== undefined) picked.current(chart.data[0][at]);
    });
    plot.current = chart;
    return () => {
      plot.current = null;
      chart.destroy();
    };
  }, [ids, colours.join(), metric, log, theme, width > 60]);

  useEffect(() => {
    if (plot.current && width > 60) plot.current.setSize({ width, height });
  }, [width, height]);

  useEffect(() => {
    const frame = requestAnimationFrame(() => plot.current && plot.current.setData(joined(runs, metric, log)));
    return () => cancelAnimationFrame(frame);
  }, [...runs.map((run) => run.history), epoch, ids, metric, log]);

  return html`<div class="chart" ref=${holder}></div>`;
}

/** @param {{colour: string, place: number, test?: boolean}} properties */
function Stroke({ colour, place, test }) {
  const dash = (test ? [4, 3] : DASHES[place % DASHES.length]).join(" ");
  return html`<svg class="stroke" width="22" height="8" aria-hidden="true">
    <line x1="1" y1="4" x2="21" y2="4" stroke=${colour} stroke-width=${test ? 1.5 : 2} stroke-dasharray=${dash} />
  </svg>`;
}

/** @param {{state: State, actions: Actions}} properties */
export function Curves({ state, actions }) {
  const runs = drawnRuns(state);
  const [chosen, choose] = useState("loss");
  const [log, setLog] = useState(false);
  const [holder, width] = useWidth();
  const said = useRef(/** @type {HTMLElement | null} */ (null));
  const names = measured(runs);
  const metric = names.includes(chosen) ? chosen : names[0] || "loss";
  const begun = runs.some(({ history }) => Object.values(history.logs).some((values) => lastOf(values) !== null));
  const colours = runs.map(colourOf);
  const titles = runs.map((run) => titleOf(state, run));
  const { epoch } = state;
  const pick = (/** @type {number} */ wanted) => {
    const [run] = runs;
    const near = nearest(run ? run.checkpoints : [], wanted);
    if (near !== null) actions.scrub(near);
  };
  const summary = useMemo(
    () =>
      runs
        .map(
          ({ history: { logs } }, i) =>
            `${titles[i]}: ${metric} ${number(lastOf(logs[metric]))}, test ${number(lastOf(logs[`val_${metric}`]))}`,
        )
        .join("; "),
    [...runs.map((run) => run.history), metric],
  );
  return html`<section class="curves" aria-label="Curves">
    <div class="view-head">
      <div class="segments" role="group" aria-label="What the chart shows">
        ${(names.length ? names : ["loss"]).map(
          (name) =>
            html`<button
              key=${name}
              type="button"
              aria-pressed=${name === metric}
              title="Show ${name} over the epochs"
              onClick=${() => choose(name)}
            >
              ${name.replace(/_/g, " ")}
            </button>`,
        )}
      </div>
      <label class="check" title="Equal factors are drawn as equal heights, which shows how small a small loss is">
        <input type="checkbox" checked=${log} onChange=${(/** @type {any} */ event) => setLog(event.target.checked)} /> log
      </label>
    </div>
    <div ref=${holder} class="chart-holder" role="img" aria-label=${summary ? `${metric} over the epochs. ${summary}` : "No run yet"}>
      ${
        begun
          ? html`<${Chart} ...${{ runs, colours, metric, log, theme: state.theme, epoch, width, height: 148, pick, said }} />`
          : html`<p class="empty">${waiting(runs, metric)}</p>`
      }
    </div>
    ${begun && html`<p class="axis-name"><span>epoch</span><output ref=${said} class="digits"></output></p>`}
    ${begun && html`<${Legend} ...${{ runs, titles, colours, metric, names, choose }} />`}
  </section>`;
}

/** What stands where no curve is yet. @param {RunState[]} runs @param {string} metric */
function waiting(runs, metric) {
  if (!runs.length) return `Press play: ${metric} is drawn here, epoch by epoch.`;
  return runs.every((run) => run.state === "failed") ? "It failed before there was a number to draw." : "The first epoch is on its way.";
}

/**
 * The checkpoint next to an epoch.
 * @param {number[]} checkpoints
 * @param {number} wanted
 */
function nearest(checkpoints, wanted) {
  if (!checkpoints || !checkpoints.length) return null;
  return checkpoints.reduce((best, each) => (Math.abs(each - wanted) < Math.abs(best - wanted) ? each : best));
}

/**
 * The last values as numbers: of each metric of one run, or of one metric of several runs.
 * @param {{runs: RunState[], titles: string[], colours: string[], metric: string, names: string[],
 *   choose: (name: string) => void}} properties
 */
function Legend({ runs, titles, colours, metric, names, choose }) {
  const rows =
    runs.length > 1
      ? runs.map((run, i) => ({ key: run.id, name: titles[i], run, place: i, measure: metric }))
      : names.map((name) => ({ key: name, name: name.replace(/_/g, " "), run: runs[0], place: 0, measure: name }));
  const plain = runs.length > 1 ? "currentColor" : colours[0];
  return html`<table class="numbers legend">
    <caption class="hidden">The last values</caption>
    <thead>
      <tr>
        <th scope="col">${runs.length > 1 ? metric.replace(/_/g, " ") : ""}</th>
        <th scope="col"><${Stroke} colour=${plain} place=${0} /> train</th>
        <th scope="col"><${Stroke} colour=${plain} place=${0} test /> test</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ key, name, run, place, measure }) => html`<tr key=${key} class=${measure === metric && runs.length === 1 ? "chosen" : ""}>
          <th scope="row">
            ${
              runs.length > 1
                ? html`<${Stroke} colour=${colours[place]} place=${place} /> ${name}`
                : html`<button type="button" class="plain" title="Show ${name} in the chart" onClick=${() => choose(measure)}>
                    ${name}
                  </button>`
            }
          </th>
          <td>${number(lastOf(run.history.logs[measure]))}</td>
          <td>${number(lastOf(run.history.logs[`val_${measure}`]))}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}
