// The operations dashboard: draws the reading of the system that the `ops` topic pushes each second.

import { hours } from "./hours.js";
import { follow } from "./live.js";
import { IST, capacityBar, clockText, draw, element, empty, heading, number, roundRupees, sentence, table, tile } from "./parts.js";

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
const exchangeShift = () => state.reading.clock.at - state.reading.at;
// A real moment as the exchange's clock showed it: in a simulation the two differ, and only one is on this page.
const exchangeClock = (epoch) => clockText(epoch + exchangeShift());

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
  LIVE: "good", DONE: "good", ENGAGED: "bad",
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

function sparkline(values) {
  const most = Math.max(1, ...values);
  const points = values.map((value, index) => `${100 - (100 * (values.length - 1 - index)) / (HISTORY - 1)},${(28 - (26 * value) / most).toFixed(1)}`).join(" ");
  return element("svg", { class: "ops-spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, element("polyline", { points }));
}

function crowd({ web }) {
  const slow = web.reduce((sum, each) => sum + (each.slow || 0), 0);
  return `${number(slow)} slow, ${number(web.length)} web ${web.length === 1 ? "process" : "processes"}`;
}

function drawTiles(reading) {
  const { totals, browsers } = reading;
  const speaks = totals.capacity > 0;
  const share = speaks ? `${((100 * totals.used) / totals.capacity).toFixed(1)} % of ${number(totals.capacity)}` : "no feed speaks";
  draw("ops-tiles",
    tile("Subscribed", speaks ? number(totals.used) : "–", share),
    tile("Packets/s", speaks ? number(totals.packets_per_second) : "–", "all connections", sparkline(packets)),
    tile("Lag p99", milliseconds(totals.lag_ms_p99), totals.lag_ms_p50 === null ? "from the trade to here" : `p50 ${milliseconds(totals.lag_ms_p50)}, trade to here`),
    tile("Reconnects", speaks ? number(totals.reconnects) : "–", "since the feeds started"),
    tile("Browsers", number(browsers), browsers === null ? "not known" : crowd(reading)));
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

const tinted = (paise) => element("span", { class: paise > 0 ? "ops-gain" : paise < 0 ? "ops-loss" : "" }, roundRupees(paise));

function switchWord({ house_stopped: stopped, kill_switches: engaged }) {
  return engaged ? element("span", { class: "ops-loss" }, stopped ? "House" : number(engaged)) : "None";
}

function drawTrading({ trading }) {
  const { house, margin } = trading;
  const resting = trading.execution.resting;
  draw("ops-trading",
    executionTile(trading),
    linked(boot.orders_url, "Open orders", number(trading.open_orders), `${resting === undefined ? "" : `${number(resting)} at the venue, `}${number(trading.unknown_outcomes)} unknown`),
    linked(boot.positions_url, "Result of the day", tinted(house.realised + house.unrealised), `${roundRupees(house.realised)} realised, before charges`),
    linked(boot.positions_url, "Exposure", roundRupees(house.gross), house.unpriced ? `${number(house.unpriced)} without a price` : `net ${roundRupees(house.net)}`),
    linked(boot.accounts_url, "Margin used", roundRupees(margin.used), `and ${roundRupees(margin.held)} held for orders`),
    linked(boot.accounts_url, "In deficit", element("span", { class: trading.deficits ? "ops-loss" : "" }, number(trading.deficits)), "below their floor"),
    linked(boot.switches_url, "Kill switch", switchWord(trading), trading.house_stopped ? "everybody is stopped" : trading.kill_switches ? "engaged" : "trading goes on"),
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

const JOB_NAMES = { eod_release: "EOD release" };

function jobName(job) {
  const [name, group] = job.split(".");
  const words = JOB_NAMES[name] || sentence(name.toUpperCase());
  return group ? `${words}, ${group.replaceAll("_", " ").toLowerCase()}` : words;
}

function jobResult({ report, status, attempts }) {
  if (report.error) return report.error;
  if (report.released !== undefined) return `${number(report.released)} released`;
  if (report.listed !== undefined) return `${number(report.listed)} listed`;
  if (report.rows !== undefined) return `${number(report.rows)} rows`;
  return status === "DONE" ? "–" : `attempt ${attempts}`;
}

const runAgain = (job) => (job.status === "FAILED" ? actionLink("run-job", "Run again", { job: job.job, trading_date: job.trading_date }) || "" : "");

const dueText = (epoch) => (epoch === null ? "–" : epoch <= serverNow() + exchangeShift() ? "due now" : `${clockText(epoch).slice(0, 5)}, ${shortDay(dayOf(epoch))}`);
const dayOf = (epoch) => new Date(epoch + 19800000).toISOString().slice(0, 10); // 5.5 hours: IST

function jobRow(job) {
  const finished = job.finished_at ? element("span", { title: exchangeClock(job.finished_at) }, ago(job.finished_at)) : "–";
  const last = job.status ? [shortDay(job.trading_date), badge(job.status), jobResult(job), runAgain(job), finished] : ["–", "–", "never run here", "", "–"];
  return { cells: [jobName(job.job), dueText(job.due_at), ...last] };
}

function drawJobs({ jobs }) {
  const columns = [{ title: "Job" }, { title: "Next due", kind: "num" }, { title: "Last for" }, { title: "Status" }, { title: "Result", kind: "text" }, { title: "" }, { title: "Finished", kind: "num" }];
  draw("ops-jobs", heading("Jobs", element("span", { class: "ops-note" }, "the next run and the last one of each, in exchange time")), table(columns, jobs.map(jobRow)));
}

const WEB_COLUMNS = [
  { title: "Web process" }, { title: "Up for" }, { title: "Browsers", kind: "num" }, { title: "Users", kind: "num" }, { title: "Slow", kind: "num" }, { title: "Topics", kind: "num" },
  { title: "Frames/s", kind: "num" }, { title: "kB/s", kind: "num" }, { title: "Held back/s", kind: "num" }, { title: "Closed as too slow", kind: "num" }, { title: "Memory", kind: "num" },
];

function webRow(web) {
  const { rates = {}, counters = {} } = web;
  const slow = element("span", { class: web.slow ? "ops-loss" : "" }, number(web.slow));
  return {
    cells: [
      (web.key || "–").split(".").slice(1, -1).join(" "), web.started_at ? duration(web.started_at) : "–", number(web.browsers), number(web.users), slow, number(web.topics),
      number(rates.frames_per_second || 0), number((rates.bytes_per_second || 0) / 1000), number(rates.held_back_per_second || 0), number(counters.closed_4008 || 0),
      `${number((web.memory_bytes || 0) / 1e6)} MB`,
    ],
  };
}

function drawWeb({ web }) {
  draw("ops-web", heading("Browsers", element("span", { class: "ops-note" }, "by web process; slow: owes an acknowledgement for two seconds")),
    web.length ? table(WEB_COLUMNS, web.map(webRow)) : empty("No browser has connected to any web process yet."));
}

function lifeText(seconds) {
  if (!seconds) return "–";
  return seconds < 120 ? `${seconds.toFixed(1)} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function drawEndings({ endings }) {
  const columns = [{ title: "When" }, { title: "Feed" }, { title: "Connection" }, { title: "Lived", kind: "num" }, { title: "What ended it", kind: "text" }];
  const rows = endings.map((ending) => ({
    cells: [element("span", { title: exchangeClock(ending.at) }, ago(ending.at)), ending.name, ending.connection === null ? "process" : ending.connection + 1, lifeText(ending.lived_seconds), reason(ending.reason)],
  }));
  draw("ops-endings", heading("Reconnect history", element("span", { class: "ops-note" }, "newest first")), rows.length ? table(columns, rows) : empty("No connection has ended yet."));
}

function drawAudit({ audit }) {
  const columns = [{ title: "When" }, { title: "Who" }, { title: "What", kind: "text" }];
  const rows = audit.map((entry) => ({ cells: [element("span", { title: exchangeClock(entry.at) }, ago(entry.at)), entry.actor, element("span", {}, `${entry.action} ${entry.target}`, entry.reason ? element("small", {}, ` “${entry.reason}”`) : null)] }));
  draw("ops-audit", heading("Latest actions", element("span", { class: "ops-note" }, "audit trail")), audit.length ? table(columns, rows) : empty("Nobody has changed anything yet."));
}

function drawBanners({ redis, accounts, trading, analytics }) {
  const banners = [];
  if (!redis) banners.push(["bad", "Redis does not answer: feed figures are missing, chains and jobs below come from the database."]);
  for (const account of accounts.filter((each) => each.enabled && ["DOWN", "STOPPED"].includes(each.state))) {
    banners.push(["bad", account.last_data_at ? `${account.name}: no data since ${exchangeClock(account.last_data_at)} (${ago(account.last_data_at)}). Prices on screens are last values.` : `${account.name}: no data yet.`]);
  }
  for (const account of accounts.filter((each) => each.state === "STALE")) banners.push(["warn", `${account.name}: some instruments are silent while their market trades.`]);
  if (trading.execution.state !== "LIVE") banners.push(["warn", "The execution process is not running: orders are accepted and wait."]);
  if (analytics.state !== "LIVE") banners.push(["warn", "The analytics process is not running: chain figures, candles and alerts stand still."]);
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
  drawWeb(reading);
  drawEndings(reading);
  drawJobs(reading);
  drawAudit(reading);
}

// --- being told --------------------------------------------------------------------------------------

const state = follow({
  topic: "ops", reading: boot.status,
  onReading(reading) {
    packets.push(reading.totals.packets_per_second);
    if (packets.length > HISTORY) packets.shift();
    drawAll();
    chart.add(reading.minute);
  },
});
const chart = hours({ url: boot.minutes_url, shift: (epoch) => epoch + exchangeShift() });
setInterval(drawClock, 250);
drawClock();
drawAll();
