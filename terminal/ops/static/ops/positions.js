// The position monitor: everybody's positions at the last prices, asked for each second.

import { draw, element, empty, heading, keepAsking, number, roundRupees, rupees, table, tile } from "./parts.js";

const boot = JSON.parse(document.getElementById("ops-data").textContent);
const field = (name) => document.getElementById(`filter-${name}`);
const sorting = { key: "accountName", descending: false };

const sign = (paise) => (paise > 0 ? "ops-gain" : paise < 0 ? "ops-loss" : "");
const result = (paise) => element("span", { class: sign(paise) }, rupees(paise));
const total = (row) => (row.unrealised === null ? null : row.realised + row.unrealised);
const sum = (rows, key) => rows.reduce((all, row) => all + (row[key] || 0), 0);

function link(action, label, query) {
  if (!boot.may_square_off) return "";
  const search = new URLSearchParams(query).toString();
  return element("a", { class: "ops-link", href: `${boot.action_url}${action}?${search}`, "data-key": `${action}?${search}` }, label);
}

// --- filter and sort ---------------------------------------------------------------------------------

function choices(name, pairs) {
  const select = field(name);
  const known = new Set([...select.options].map((option) => option.value));
  for (const [value, label] of pairs) if (!known.has(String(value))) select.append(element("option", { value }, label));
}

function shown({ positions }, names) {
  const words = field("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  return positions.filter((row) =>
    (!field("open").checked || row.quantity !== 0)
    && (!field("account").value || String(row.account) === field("account").value)
    && (!field("product").value || row.product === field("product").value)
    && words.every((word) => `${row.instrument} ${row.key} ${names.get(row.account)}`.toLowerCase().includes(word)));
}

function sorted(rows) {
  const { key, descending } = sorting;
  const order = (a, b) => {
    if (a[key] === b[key]) return a.id - b.id;
    if (a[key] === null) return 1; // what is not known stands last, whichever way
    if (b[key] === null) return -1;
    const before = typeof a[key] === "string" ? a[key].localeCompare(b[key], "en", { numeric: true }) < 0 : a[key] < b[key];
    return before === descending ? 1 : -1;
  };
  return [...rows].sort(order);
}

const COLUMNS = [
  ["accountName", "Account"], ["instrument", "Instrument"], ["product", "Product"], ["quantity", "Quantity", "num"], ["average", "Average", "num"],
  ["last", "Last", "num"], ["unrealised", "Unrealised", "num"], ["realised", "Realised today", "num"], ["total", "Together", "num"],
];

function sortButton(key, title) {
  const button = element("button", { type: "button", class: "ops-sort", "data-key": `sort-${key}` }, title, sorting.key === key ? (sorting.descending ? " ↓" : " ↑") : "");
  button.addEventListener("click", () => {
    sorting.descending = sorting.key === key ? !sorting.descending : false;
    sorting.key = key;
    drawAll();
  });
  return button;
}

const columns = () => [
  ...COLUMNS.map(([key, title, kind]) => ({ title: sortButton(key, title), kind, sorted: sorting.key === key ? (sorting.descending ? "descending" : "ascending") : null })),
  { title: "" },
];

// --- the parts of the page ---------------------------------------------------------------------------

function drawTiles({ accounts }) {
  const realised = sum(accounts, "realised");
  const unrealised = sum(accounts, "unrealised");
  const unpriced = sum(accounts, "unpriced");
  draw("ops-tiles",
    tile("Open positions", number(sum(accounts, "open")), `in ${number(accounts.length)} ${accounts.length === 1 ? "account" : "accounts"}`),
    tile("Unrealised", element("span", { class: sign(unrealised) }, roundRupees(unrealised)), unpriced ? `${number(unpriced)} without a price` : "at last prices"),
    tile("Realised today", element("span", { class: sign(realised) }, roundRupees(realised)), "before charges"),
    tile("Margin used", roundRupees(sum(accounts, "used")), `and ${roundRupees(sum(accounts, "held"))} held for orders`),
    tile("In deficit", number(accounts.filter((account) => account.deficit).length), "accounts below their floor"));
}

const ACCOUNT_COLUMNS = [
  { title: "Account" }, { title: "Open", kind: "num" }, { title: "Cash", kind: "num" }, { title: "Margin used", kind: "num" }, { title: "Held for orders", kind: "num" },
  { title: "Available", kind: "num" }, { title: "Unrealised", kind: "num" }, { title: "Realised today", kind: "num" }, { title: "" },
];

function accountRow(account) {
  const name = element("span", {},
    element("a", { class: "ops-strong", href: `${boot.account_url}${account.id}/change/`, "data-key": `account${account.id}` }, account.name),
    account.deficit ? element("span", { class: "ops-badge ops-bad" }, "deficit") : null);
  return {
    cells: [name, number(account.open), rupees(account.cash), rupees(account.used), rupees(account.held), rupees(account.available),
      result(account.unrealised), result(account.realised), account.open ? link("square-off-account", "Square off", { account: account.id }) : ""],
  };
}

function drawAccounts({ accounts }) {
  const sums = ["cash", "used", "held", "available"].map((key) => rupees(sum(accounts, key)));
  const foot = ["In sum", number(sum(accounts, "open")), ...sums, result(sum(accounts, "unrealised")), result(sum(accounts, "realised")), ""];
  draw("ops-accounts-table", heading("Accounts", element("span", { class: "ops-note" }, "that hold something or bind margin")),
    accounts.length ? table(ACCOUNT_COLUMNS, accounts.map(accountRow), foot) : empty("No account holds anything."));
}

function positionRow(row) {
  return {
    tone: row.quantity ? null : "ops-faded",
    cells: [
      row.accountName, element("span", { class: "ops-name" }, element("b", {}, row.instrument), element("small", {}, row.key)), row.product,
      number(row.quantity), rupees(row.average), rupees(row.last), result(row.unrealised), result(row.realised), result(row.total),
      row.quantity ? link("square-off-position", "Square off", { position: row.id }) : "",
    ],
  };
}

function drawPositions(reading) {
  const names = new Map(reading.accounts.map((account) => [account.id, account.name]));
  const rows = sorted(shown(reading, names).map((row) => ({ ...row, accountName: names.get(row.account), total: total(row) })));
  const left = reading.left_off ? ` of them; ${number(reading.left_off)} more are left off` : "";
  const foot = ["In sum", "", "", "", "", "", result(sum(rows, "unrealised")), result(sum(rows, "realised")), result(sum(rows, "unrealised") + sum(rows, "realised")), ""];
  draw("ops-positions", heading("Positions", element("span", { class: "ops-note" }, `${number(rows.length)}${left}`)),
    rows.length ? table(columns(), rows.map(positionRow), foot) : empty(reading.positions.length ? "No position fits the filter." : "Nobody holds anything."));
}

function drawAll() {
  const { reading } = state;
  choices("account", reading.accounts.map((account) => [account.id, account.name]));
  choices("product", reading.positions.map((row) => [row.product, row.product]));
  drawTiles(reading);
  drawAccounts(reading);
  drawPositions(reading);
}

const state = keepAsking({ url: boot.url, milliseconds: boot.poll_milliseconds, reading: boot.reading, onReading: () => drawAll() });
for (const name of ["text", "account", "product", "open"]) field(name).addEventListener("input", drawAll);
drawAll();
