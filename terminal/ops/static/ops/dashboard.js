// The operations dashboard: asks for one reading of the system each second and draws it.

import { IST, clockText, draw, element, empty, heading, keepAsking, number, roundRupees, sentence, table, tile } from "./parts.js";

const boot = JSON.parse(document.getElementById("ops-data").textContent);
const HISTORY = 90; // readings in the little graph
const packets = [];
const milliseconds = (value) =>
  value === null || value === undefined ? "–" : value < 10 ? `${value.toFixed(1)} ms` : `${number(value)} ms`;
const dayText = (epoch) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: IST, weekday: "short", day: "numeric", month: "short", year: "numeric" }).format(epoch);
const shortDay = (day) => new Date(`${day}T00:00:00`).toLocaleDateString("en-GB", { day: "numeric", month: "short" });

// The server's now: a browser's own clock may be wrong by minutes.
const serverNow = () => state.reading.at + (Date.now() - state.heardAt);
// A real moment as the exchange's clock showed it: in a simulation the two differ, and only one is on this page.
const exchangeClock = (epoch) => clockText(epoch + state.reading.clock.at - state.reading.at);

function duration(epoch) {
  const seconds = Math.max(0, (serverNow() - epoch) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}
const ago = (epoch) => `${duration(epoch)} ago`;

function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 10 ? `${seconds.toFixed(1)} s` : seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

// --- elements ----------------------------------------------------------------------------------------

const STATE_TONES = {
  LIVE: "good", DONE: "good",
  STALE: "warn", DIALLING: "warn", WAITING: "warn", RUNNING: "warn",
  DOWN: "bad", BLOCKED: "bad", STOPPED: "bad", FAILED: "bad",
};
const badge = (name) => element("span", { class: `ops-badge ops-${STATE_TONES[name] || "quiet"}` }, sentence(String(name)));

function actionLink(name, label, query) {
  if (!boot.may_operate) return null;
  const search = new URLSearchParams(query).toString();
  return element("a", { class: "ops-link", href: `${boot.action_url}${name}?${search}`, "data-key": `${name}?${search}` }, label);
}

// --- the parts of the page ---------------------------------------------------------------------------

function capacityBar(figures) {
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

function sparkline(values) {
  const most = Math.max(1, ...values);
  const points = values.map((value, index) => `${100 - (100 * (values.length - 1 - index)) / (HISTORY - 1)},${(28 - (26 * value) / most).toFixed(1)}`).join(" ");
  return element("svg", { class: "ops-spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, element("polyline", { points }));
}

function drawTiles({ totals, browsers }) {
  const speaks = totals.capacity > 0;
  const share = speaks ? `${((100 * totals.used) / totals.capacity).toFixed(1)} % of ${number(totals.capacity)}` : "no feed speaks";
  draw("ops-tiles",
    tile("Subscribed", speaks ? number(totals.used) : "–", share),
    tile("Packets/s", speaks ? number(totals.packets_per_second) : "–", "all connections", sparkline(packets)),
    tile("Lag p99", milliseconds(totals.lag_ms_p99), "from the trade to here"),
    tile("Reconnects", speaks ? number(totals.reconnects) : "–", "since the feeds started"),
    tile("Browsers", number(browsers), browsers === null ? "not known" : "listening now"));
}

// A tile that leads to its page.
function linked(path, label, value, note) {
  const box = tile(label, value, note);
  if (boot.may_see_positions) box.append(element("a", { class: "ops-cover", href: path, "aria-label": label, "data-key": path }));
  return box;
}

const perSecond = (value) => (value === null || value === undefined ? "–" : value < 10 ? value.toFixed(1) : number(value));

function executionTile({ execution }) {
  const name = sentence(execution.state);
  const note = execution.epoch === undefined ? "no process speaks"
    : `${perSecond(execution.orders_per_second)} orders/s · ${perSecond(execution.fills_per_second)} fills/s · step ${milliseconds(execution.step_ms)}`;
  return tile("Execution", element("span", { class: `ops-word ops-${STATE_TONES[execution.state] || "quiet"}` }, name), note);
}

function drawTrading({ trading }) {
  const { exposure } = trading;
  const resting = trading.execution.resting;
  draw("ops-trading",
    executionTile(trading),
    linked(boot.orders_url, "Open orders", number(trading.open_orders), resting === undefined ? "in the books" : `${number(resting)} at the venue`),
    linked(boot.positions_url, "Exposure", roundRupees(exposure.gross), exposure.unpriced ? `${number(exposure.unpriced)} without a price` : `net ${roundRupees(exposure.net)}`),
    linked(boot.accounts_url, "In deficit", element("span", { class: trading.deficits ? "ops-loss" : "" }, number(trading.deficits)), "below their floor"),
    linked(boot.switches_url, "Kill switches", element("span", { class: trading.kill_switches ? "ops-loss" : "" }, number(trading.kill_switches)), trading.house_stopped ? "the house is stopped" : "engaged"),
    linked(boot.funds_url, "Funds requests", number(trading.waiting_funds), "to be approved"));
}

const CONNECTION_COLUMNS = [
  { title: "#" }, { title: "State" }, { title: "For" }, { title: "Subscribed", kind: "num" }, { title: "Packets/s", kind: "num" },
  { title: "Age", kind: "num" }, { title: "Lag p50 / p99", kind: "num" }, { title: "Reconnects", kind: "num" }, { title: "Last reason", kind: "text" }, { title: "" },
];

// "asked: asked" says it once.
function reason(text) {
  const [kind, detail] = (text || "–").split(": ");
  return kind === detail ? kind : text || "–";
}

function connectionRow(account, connection) {
  const shown = connection.index + 1; // people count from 1
  const subscribed = connection.subscribed === connection.placed ? number(connection.subscribed) : `${number(connection.subscribed)} of ${number(connection.placed)}`;
  return {
    cells: [
      shown, badge(connection.state), connection.since ? element("span", { title: `since ${exchangeClock(connection.since)}` }, duration(connection.since)) : "–",
      element("span", { title: "subscribed of 5,000" }, subscribed, element("meter", { min: 0, max: 5000, value: connection.subscribed || 0 })),
      number(connection.packets_per_second), age(connection.age_seconds),
      `${milliseconds(connection.lag_ms_p50)} / ${milliseconds(connection.lag_ms_p99)}`,
      number(connection.reconnects), reason(connection.last_reason),
      actionLink("reconnect", "Reconnect", { account: account.account, connection: shown }) || "",
    ],
  };
}

function remarks(account) {
  if (!account.capacity) return "";
  const words = [`slowest sync ${age(account.sync_seconds_max)}`];
  if (account.stale_segments?.length) words.push(`silent: ${account.stale_segments.join(", ")}`);
  if (account.audit?.stale_instruments) words.push(`${number(account.audit.stale_instruments)} instruments silent`);
  return words.join(" · ");
}

function accountCard(account) {
  const actions = account.enabled ? ["Resync", "Reseed", "Disable"] : ["Enable"];
  const links = actions.map((label) => actionLink(label.toLowerCase(), label, { account: account.account }));
  const body = account.capacity
    ? [capacityBar(account), account.connections.length ? table(CONNECTION_COLUMNS, account.connections.map((connection) => connectionRow(account, connection))) : empty("No connection has been dialled yet.")]
    : [empty(account.enabled
        ? `The feed process of ${account.name} is not running. ${account.last_data_at ? `Its last word is of ${exchangeClock(account.last_data_at)}, ${ago(account.last_data_at)}.` : "It has never published anything here."}`
        : `${account.name} is disabled: no connection is dialled.`)];
  return element("section", { class: "ops-card" },
    heading(`Feed ${account.name}`, badge(account.state), element("span", { class: "ops-note" }, remarks(account)), element("span", { class: "ops-links" }, links)), ...body);
}

const CHAIN_COLUMNS = [
  { title: "Chain" }, { title: "ATM", kind: "num" }, { title: "Reference", kind: "text" }, { title: "Nominal", kind: "num" }, { title: "Unique", kind: "num" },
  { title: "Listed", kind: "num" }, { title: "Subscribed", kind: "num" }, { title: "Why fewer", kind: "text" },
];

function whyFewer(chain) {
  if (!chain.enabled) return "disabled";
  if (!chain.resolved) return "not resolved yet";
  const reasons = new Map();
  for (const missing of chain.missing) reasons.set(missing.reason, (reasons.get(missing.reason) || 0) + missing.count);
  const shared = chain.nominal - chain.unique - (reasons.get("NOT_KNOWN") || 0);
  const words = [...reasons].map(([reason, count]) => `${number(count)} ${sentence(reason).toLowerCase()}`);
  if (shared > 0) words.unshift(`${number(shared)} on a shared date`);
  if (chain.subscribed !== null && chain.subscribed < chain.listed) words.push(`${number(chain.listed - chain.subscribed)} not subscribed`);
  return words.join(", ") || "–";
}

function chainRow(chain) {
  const name = element("span", { class: "ops-name" }, boot.may_edit_chains
    ? element("a", { class: "ops-strong", href: `${boot.chain_url}${chain.id}/change/`, "data-key": `chain${chain.id}` }, chain.underlying)
    : element("b", {}, chain.underlying), element("small", {}, sentence(chain.segment).replace("Nse fno", "NSE F&O").replace("Bse fno", "BSE F&O").replace("Mcx comm", "MCX")));
  const figures = ["nominal", "unique", "listed", "subscribed"].map((key) => number(chain[key]));
  return { tone: chain.enabled ? null : "ops-faded", cells: [name, chain.atm_strike ? number(chain.atm_strike / 100) : "–", chain.reference || "–", ...figures, whyFewer(chain)] };
}

function drawChains({ chains }) {
  const sum = (key) => (chains.every((chain) => chain[key] === null || chain[key] === undefined) ? "–" : number(chains.reduce((total, chain) => total + (chain[key] || 0), 0)));
  const note = element("span", { class: "ops-note" }, "Tier B, always on");
  draw("ops-chains", heading("Option chains", note),
    chains.length ? table(CHAIN_COLUMNS, chains.map(chainRow), ["In sum", "", "", sum("nominal"), sum("unique"), sum("listed"), sum("subscribed"), ""])
      : empty("No chain is defined yet. Add one under Chain definitions."));
}

const JOB_NAMES = { eod_release: "EOD release", pre_open_rebuild: "Pre-open rebuild", master_refresh: "Master refresh" };

function jobName(job) {
  const [name, group] = job.split(".");
  const words = JOB_NAMES[name] || sentence(name.toUpperCase());
  return group ? `${words}, ${group.replaceAll("_", " ")}` : words;
}

function jobResult({ report, status, attempts }) {
  if (report.error) return report.error;
  if (report.released !== undefined) return `${number(report.released)} released`;
  if (report.listed !== undefined) return `${number(report.listed)} listed`;
  if (report.rows !== undefined) return `${number(report.rows)} rows`;
  return status === "DONE" ? "–" : `attempt ${attempts}`;
}

const runAgain = (job) => (job.status === "FAILED" ? actionLink("run-job", "Run again", { job: job.job, trading_date: job.trading_date }) || "" : "");

function drawJobs({ jobs }) {
  const columns = [{ title: "Job" }, { title: "For" }, { title: "Status" }, { title: "Result", kind: "text" }, { title: "" }, { title: "Finished", kind: "num" }];
  const rows = jobs.map((job) => ({ cells: [jobName(job.job), shortDay(job.trading_date), badge(job.status), jobResult(job), runAgain(job), job.finished_at ? element("span", { title: exchangeClock(job.finished_at) }, ago(job.finished_at)) : "–"] }));
  draw("ops-jobs", heading("End of day and rebuild", element("span", { class: "ops-note" }, "last run of each job")), jobs.length ? table(columns, rows) : empty("No job has run in this database yet."));
}

function drawAudit({ audit }) {
  const columns = [{ title: "When" }, { title: "Who" }, { title: "What", kind: "text" }];
  const rows = audit.map((entry) => ({ cells: [element("span", { title: exchangeClock(entry.at) }, ago(entry.at)), entry.actor, element("span", {}, `${entry.action} ${entry.target}`, entry.reason ? element("small", {}, ` “${entry.reason}”`) : null)] }));
  draw("ops-audit", heading("Latest actions", element("span", { class: "ops-note" }, "audit trail")), audit.length ? table(columns, rows) : empty("Nobody has changed anything yet."));
}

function drawBanners({ redis, accounts, trading }) {
  const banners = [];
  if (!redis) banners.push(["bad", "Redis does not answer: feed figures are missing, chains and jobs below come from the database."]);
  for (const account of accounts.filter((each) => each.enabled && ["DOWN", "STOPPED"].includes(each.state))) {
    banners.push(["bad", account.last_data_at ? `${account.name}: no data since ${exchangeClock(account.last_data_at)} (${ago(account.last_data_at)}). Prices on screens are last values.` : `${account.name}: no data yet.`]);
  }
  for (const account of accounts.filter((each) => each.state === "STALE")) banners.push(["warn", `${account.name}: some instruments are silent while their market trades.`]);
  if (trading.execution.state !== "LIVE") banners.push(["warn", "The execution process is not running: orders are accepted and wait."]);
  if (!accounts.length) banners.push(["warn", "No Dhan account yet. Add one under Dhan accounts, then start its feed process."]);
  draw("ops-banners", banners.map(([tone, text]) => element("p", { class: `ops-banner ops-${tone}`, role: "alert" }, text)));
}

function drawClock() {
  const { clock } = state.reading;
  const now = clock.at + (state.failing ? 0 : Date.now() - state.heardAt);
  document.getElementById("ops-time").textContent = clockText(now);
  document.getElementById("ops-date").textContent = [dayText(now), "IST", ...clock.day_names].join(" · ");
}

function drawPhases() {
  const { clock } = state.reading;
  draw("ops-phases", clock.phases.map(({ market, phase }) => element("span", { class: "ops-phase" }, element("small", {}, market), element("b", { class: phase === "CONTINUOUS" ? "ops-open" : "" }, sentence(phase)))));
}

function drawAll() {
  const { reading } = state;
  drawPhases();
  drawBanners(reading);
  drawTiles(reading);
  drawTrading(reading);
  draw("ops-accounts", reading.accounts.map(accountCard));
  drawChains(reading);
  drawJobs(reading);
  drawAudit(reading);
}

// --- asking ------------------------------------------------------------------------------------------

const state = keepAsking({
  url: boot.status_url, milliseconds: boot.poll_milliseconds, reading: boot.status,
  onReading(reading) {
    packets.push(reading.totals.packets_per_second);
    if (packets.length > HISTORY) packets.shift();
    drawAll();
  },
});
setInterval(drawClock, 250);
drawClock();
drawAll();
