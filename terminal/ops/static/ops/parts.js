// What the live pages share: words, elements, tables, and the two ways to stay live: being told, and asking again.
// No figure is kept looking alive: when the answers stop, the page says since when.

const STALE_AFTER = 4000; // four missed answers
const SVG = new Set(["svg", "polyline", "path", "line", "text", "rect", "g"]);
export const IST = "Asia/Kolkata";

// --- small words -------------------------------------------------------------------------------------

const nothing = (value) => value === null || value === undefined;
export const number = (value) => (nothing(value) ? "–" : Math.round(value).toLocaleString("en-IN"));
export const clockText = (epoch, zone = IST) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(epoch);
export const sentence = (text) => text.charAt(0) + text.slice(1).toLowerCase().replaceAll("_", " ");
const PAISE = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
export const rupees = (paise) => (nothing(paise) ? "–" : (paise / 100).toLocaleString("en-IN", PAISE));

// Crores and lakhs, for tiles: 1,23,45,678.00 does not fit and is not read.
export function roundRupees(paise) {
  if (nothing(paise)) return "–";
  const size = Math.abs(paise);
  const text = size >= 1e9 ? `${(size / 1e9).toFixed(2)} cr` : size >= 1e7 ? `${(size / 1e7).toFixed(2)} lakh` : number(size / 100);
  return `${paise < 0 ? "-" : ""}₹${text}`;
}

// --- elements ----------------------------------------------------------------------------------------

export function element(tag, attributes, ...children) {
  const node = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (!nothing(value) && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => !nothing(child)).map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

// Redrawing must not take the keyboard's place away: what had the focus is found again by its data-key.
export function draw(id, ...children) {
  const place = document.getElementById(id);
  const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren(...children.flat());
  if (key) place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

export const heading = (title, ...rest) => element("header", { class: "ops-heading" }, element("h2", {}, title), ...rest);
export const empty = (text) => element("p", { class: "ops-empty" }, text);
export const tile = (label, value, note, extra) =>
  element("div", { class: "ops-tile" }, element("span", { class: "ops-label" }, label), element("strong", {}, value), element("span", { class: "ops-note" }, note || ""), extra);

// columns: {title, kind}; rows: {cells, tone}.
export function table(columns, rows, foot) {
  const cell = (tag) => (value, index) => element(tag, { class: columns[index].kind || null, scope: tag === "th" ? "col" : null, "aria-sort": tag === "th" ? columns[index].sorted : null }, value);
  return element("div", { class: "ops-scroll", tabindex: "0" },
    element("table", {},
      element("thead", {}, element("tr", {}, columns.map((column) => column.title).map(cell("th")))),
      element("tbody", {}, rows.map((row) => element("tr", { class: row.tone || null }, row.cells.map(cell("td"))))),
      foot ? element("tfoot", {}, element("tr", {}, foot.map(cell("td")))) : null));
}

// What is wanted or placed by class, of what there may be.
export function capacityBar(figures) {
  const parts = [["tier-b", "Tier B", figures.tier_b], ["reference", "References", figures.references], ["tier-a", "Tier A", figures.tier_a]];
  const free = Math.max(0, figures.capacity - parts.reduce((sum, part) => sum + (part[2] || 0), 0));
  const width = (value) => `width:${figures.capacity ? Math.max((100 * (value || 0)) / figures.capacity, value ? 0.4 : 0) : 0}%`;
  return element("div", { class: "ops-capacity" },
    element("div", { class: "ops-stack", role: "img", "aria-label": `${number(figures.capacity - free)} of ${number(figures.capacity)} instruments` },
      parts.map(([kind, , value]) => element("span", { class: `ops-part ops-${kind}`, style: width(value) }))),
    element("dl", { class: "ops-legend" },
      [...parts, ["free", "Free", free]].map(([kind, label, value]) =>
        element("div", {}, element("dt", {}, element("i", { class: `ops-swatch ops-${kind}` }), label), element("dd", {}, number(value))))));
}

// --- staying live ------------------------------------------------------------------------------------

// The pill #ops-live says how it goes, and #ops fades when the readings stop.
export function drawLive(state) {
  const place = document.getElementById("ops-live");
  const { at, clock } = state.reading;
  const since = state.heardAt + (clock ? clock.at - at : 0); // in exchange time, like every time on the page
  const silent = Date.now() - state.heardAt > STALE_AFTER;
  place.dataset.tone = silent ? "bad" : state.failing ? "warn" : "good";
  place.lastElementChild.textContent = silent ? `No answer since ${clockText(since)}` : state.failing ? "Waiting for an answer" : "Live";
  document.getElementById("ops").classList.toggle("ops-silent", silent);
}

// Asks for `url` each `milliseconds` while the page is seen; `onReading(reading)` for each answer.
export function keepAsking({ url, milliseconds, reading, onReading }) {
  const state = { reading, heardAt: Date.now(), failing: false };

  async function ask() {
    const response = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(STALE_AFTER), redirect: "manual" });
    if (response.type === "opaqueredirect") return location.reload(); // the session is over: the login page says so
    if (!response.ok) throw new Error(`status ${response.status}`);
    state.reading = await response.json();
    state.heardAt = Date.now();
    onReading(state.reading);
  }

  async function tick() {
    if (document.hidden) {
      state.heardAt = Date.now(); // nobody looks and nobody asks: that is no silence
    } else {
      await ask().then(() => (state.failing = false), () => (state.failing = true));
    }
    drawLive(state);
    setTimeout(tick, milliseconds);
  }

  tick();
  return state;
}
