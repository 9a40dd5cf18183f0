// The chain editor's preview: what the fields as they stand come to today, before anything is saved.
"use strict";

const place = document.getElementById("chain-preview");
const form = document.querySelector("form[id$='_form']");
const WAIT = 250; // after the last key
let timer = null;
let asked = 0;

const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en-IN"));
const sentence = (text) => text.charAt(0) + text.slice(1).toLowerCase().replaceAll("_", "-");
const dayText = (day) => new Date(`${day}T00:00:00`).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });

function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const tile = (label, value, note) =>
  element("div", { class: "ops-tile" }, element("span", { class: "ops-label" }, label), element("strong", {}, value), element("span", { class: "ops-note" }, note));

function slotBox(slot) {
  const name = `${sentence(slot.kind)} ${slot.rank}`;
  const note = slot.repeats ? "counted once" : slot.reason ? sentence(slot.reason).replaceAll("-", " ") : slot.provisional ? "provisional" : "";
  const tone = slot.repeats ? " ops-repeats" : slot.expiry ? "" : " ops-unknown";
  return element("div", { class: `ops-slot${tone}` }, element("small", {}, name), element("b", {}, slot.expiry ? dayText(slot.expiry) : "not known"), element("small", {}, note));
}

const REASONS = {
  NOT_KNOWN: "on dates not known yet", NOT_LISTED: "on expiries not listed", TOO_FEW_STRIKES: "beyond the listed strikes",
  SIDE_NOT_LISTED: "with one side not listed", NO_REFERENCE_PRICE: "without a price to centre on",
};

function listedNote({ missing, atm_strike: atm }) {
  const counts = {};
  for (const each of missing) if (each.reason !== "NOT_KNOWN") counts[each.reason] = (counts[each.reason] || 0) + each.count;
  const words = Object.entries(counts).map(([reason, count]) => `${number(count)} ${REASONS[reason] || reason}`);
  return words.join(", ") || (atm ? `all, around ATM ${number(atm / 100)}` : "all");
}

function show(preview) {
  const slots = document.getElementById("chain-slots");
  const numbers = document.getElementById("chain-numbers");
  if (preview.error) {
    slots.replaceChildren(element("p", { class: "ops-note" }, preview.error));
    numbers.replaceChildren();
    return;
  }
  document.getElementById("chain-day").textContent = `as of ${dayText(preview.day)}`;
  slots.replaceChildren(...preview.slots.map(slotBox));
  const unknown = preview.slots.filter((slot) => !slot.expiry).length;
  const repeated = preview.slots.filter((slot) => slot.repeats).length;
  const why = [repeated ? `${repeated} shared ${repeated > 1 ? "dates" : "date"}` : "", unknown ? `${unknown} without a date yet` : ""].filter(Boolean);
  numbers.replaceChildren(
    tile("Nominal", number(preview.nominal), "slots × strikes × sides"),
    tile("Unique", number(preview.unique), why.join(", ") || "every slot has its own date"),
    tile("Listed", number(preview.listed), listedNote(preview)),
    tile("Subscribed", number(preview.subscribed), preview.subscribed === null ? "no feed speaks of it" : "of the chain as saved"),
  );
}

async function refresh() {
  const mine = ++asked;
  const query = new URLSearchParams(new FormData(form));
  for (const secret of ["csrfmiddlewaretoken", "reason"]) query.delete(secret);
  query.set("id", place.dataset.chain);
  const response = await fetch(`${place.dataset.url}?${query}`, { headers: { Accept: "application/json" } });
  if (response.ok && mine === asked) show(await response.json()); // an older answer must not overwrite a newer one
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(refresh, WAIT);
});
refresh();
