// The chart of the last hours: one small graph for each figure, a point a minute, drawn as SVG.

import { IST, draw, element, empty, heading, number, roundRupees } from "./parts.js";

const WIDTH = 300;
const HEIGHT = 84;
const MINUTE = 60000;
const LEAST_SPAN = 15; // minutes
const RANGES = [[60, "1 h"], [180, "3 h"], [720, "12 h"]];
const milliseconds = (value) => `${number(value)} ms`;
const rate = (value) => `${value < 10 ? value.toFixed(1) : number(value)}/s`;

const GRAPHS = [
  { title: "Packets", of: ["packets_per_second"], text: rate },
  { title: "Lag p99, p50", of: ["lag_ms_p99", "lag_ms_p50"], text: milliseconds },
  { title: "Orders", of: ["orders_per_second"], text: rate },
  { title: "Browsers", of: ["browsers"], text: number },
  { title: "House result of the day", of: ["result"], text: roundRupees, signed: true },
  { title: "Margin used", of: ["margin"], text: roundRupees },
];

const hourText = (epoch) => new Intl.DateTimeFormat("en-GB", { timeZone: IST, hour: "2-digit", minute: "2-digit" }).format(epoch);

// `minutes` is what the server keeps: {columns, rows}. `shift` turns real time into the exchange's.
export function hours({ url, shift }) {
  let columns = [];
  let rows = [];
  let range = RANGES[1][0];
  let pointed = null; // a row, while the mouse is on a graph

  async function load() {
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    ({ columns, rows } = await response.json());
    drawAll();
  }

  // A whole minute, pushed with the reading. One that is missing between brings all of them again.
  function add(minute) {
    const last = rows.at(-1)?.[0];
    if (!minute || !columns.length || minute.at < last) return;
    if (last !== undefined && minute.at - last > MINUTE) return load();
    if (minute.at === last) rows.pop();
    rows.push(columns.map((name) => minute[name]));
    drawAll();
  }

  const column = (name) => columns.indexOf(name);
  const end = () => rows.at(-1)[0];
  const shown = () => rows.filter(([at]) => at > end() - range * MINUTE);
  // As wide as what there is, up to the range: a young server shows its minutes and not an empty day.
  const span = () => Math.min(range, Math.max(LEAST_SPAN, (end() - rows[0][0]) / MINUTE + 1));
  const x = (at) => WIDTH - (WIDTH * (end() - at)) / ((span() - 1) * MINUTE);

  function bounds(graph, seen) {
    const values = seen.flatMap((row) => graph.of.map((name) => row[column(name)])).filter((value) => value !== null);
    const most = Math.max(...values, graph.signed ? 0 : Number.MIN_VALUE);
    const least = Math.min(0, ...values);
    return { least, most: most > least ? most : least + 1 };
  }

  // A line breaks where minutes are missing: what was not measured is not drawn.
  function path(seen, name, y) {
    let before = null;
    return seen.map((row) => {
      const value = row[column(name)];
      if (value === null) return (before = null), "";
      const joins = before !== null && row[0] - before <= MINUTE;
      before = row[0];
      return `${joins ? "L" : "M"}${x(row[0]).toFixed(1)} ${y(value).toFixed(1)}${joins ? "" : "h.1"}`;
    }).join("");
  }

  function graphBox(graph, seen) {
    const { least, most } = bounds(graph, seen);
    const y = (value) => HEIGHT - 3 - ((HEIGHT - 6) * (value - least)) / (most - least);
    const row = pointed ?? seen.at(-1);
    const values = graph.of.map((name) => row[column(name)]).map((value) => (value === null ? "–" : graph.text(value)));
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${graph.title}: ${values.join(", ")}, at most ${graph.text(most)}` },
      element("line", { class: "ops-axis", x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }),
      graph.of.map((name, index) => element("path", { class: `ops-line ops-line-${index}`, d: path(seen, name, y) })),
      pointed ? element("line", { class: "ops-cursor", x1: x(pointed[0]), x2: x(pointed[0]), y1: 0, y2: HEIGHT }) : null);
    return element("figure", { class: "ops-graph" },
      element("figcaption", {}, element("span", {}, graph.title), element("b", {}, values.join(" · ")), element("small", {}, `most ${graph.text(most)}`)),
      svg);
  }

  // All graphs show the minute under the mouse. Listened for around them: each drawing replaces the graphs themselves.
  function point({ type, target, clientX }) {
    const svg = type === "pointerleave" ? null : target.closest("svg");
    const box = svg?.getBoundingClientRect();
    const at = box && end() - (1 - (clientX - box.left) / box.width) * (span() - 1) * MINUTE;
    const nearest = box ? shown().reduce((best, row) => (Math.abs(row[0] - at) < Math.abs(best[0] - at) ? row : best)) : null;
    if (nearest?.[0] === pointed?.[0]) return;
    pointed = nearest;
    drawAll();
  }

  function rangeButton([minutes, label]) {
    const button = element("button", { type: "button", class: "ops-range", "aria-pressed": String(minutes === range), "data-key": `range-${minutes}` }, label);
    button.addEventListener("click", () => { range = minutes; pointed = null; drawAll(); });
    return button;
  }

  function drawAll() {
    const title = (note) => heading("Last hours", element("span", { class: "ops-note" }, note), element("span", { class: "ops-links" }, RANGES.map(rangeButton)));
    if (!rows.length) return draw("ops-hours", title("a point a minute"), empty("The first minute is being measured."));
    const seen = shown();
    const period = `${hourText(shift(seen[0][0]))} to ${hourText(shift(seen.at(-1)[0]))} IST`;
    const note = pointed ? `at ${hourText(shift(pointed[0]))} IST` : `${period}, a point a minute`;
    draw("ops-hours", title(note), element("div", { class: "ops-graphs" }, GRAPHS.map((graph) => graphBox(graph, seen))));
  }

  const place = document.getElementById("ops-hours");
  place.addEventListener("pointermove", point);
  place.addEventListener("pointerleave", point);
  drawAll();
  load();
  return { add };
}
