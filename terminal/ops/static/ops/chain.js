// The chain editor's preview: what the fields as they stand come to today and take of what fits, before anything is saved.

import { capacityBar, draw, element, heading, number, sentence as words, tile } from "./parts.js";

const place = document.getElementById("chain-preview");
const form = document.querySelector("form[id$='_form']");
const WAIT = 250; // after the last key
let timer = null;
let asked = 0;

const sentence = (text) => words(text).replaceAll(" ", "-");
const dayText = (day) => new Date(`${day}T00:00:00`).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });

function slotBox(slot, window) {
  const name = `${sentence(slot.kind)} ${slot.rank}`;
  const note = slot.repeats ? "counted once" : slot.reason ? sentence(slot.reason).replaceAll("-", " ") : slot.provisional ? "provisional" : "";
  const tone = slot.repeats ? " ops-repeats" : slot.expiry ? "" : " ops-unknown";
  const strikes = window && !slot.repeats ? `${number(window.low / 100)} to ${number(window.high / 100)}` : "";
  return element("div", { class: `ops-slot${tone}` },
    element("small", {}, name), element("b", {}, slot.expiry ? dayText(slot.expiry) : "not known"),
    element("small", {}, [strikes, window && !slot.repeats ? `${window.count} strikes` : "", note].filter(Boolean).join(" · ")));
}

const REASONS = {
  NOT_KNOWN: "on dates not known yet", NOT_LISTED: "on expiries not listed", TOO_FEW_STRIKES: "beyond the listed strikes",
  SIDE_NOT_LISTED: "with one side not listed", NO_REFERENCE_PRICE: "without a price to centre on",
};

function listedNote({ missing, listed, atm_strike: atm, atm_is_guess: isGuess }) {
  const counts = {};
  for (const each of missing) if (each.reason !== "NOT_KNOWN") counts[each.reason] = (counts[each.reason] || 0) + each.count;
  const fewer = Object.entries(counts).map(([reason, count]) => `${number(count)} ${REASONS[reason] || reason}`);
  if (!listed || fewer.length) return fewer.join(", ") || "nothing is listed";
  return isGuess ? `no price yet: around the middle strike, ${number(atm / 100)}` : `around ATM ${number(atm / 100)}`;
}

function drawSlots({ day, slots, strikes }) {
  const windows = new Map(strikes.map((row) => [row.expiry, row]));
  document.getElementById("chain-day").textContent = `as of ${dayText(day)}`;
  draw("chain-slots", slots.map((slot) => slotBox(slot, windows.get(slot.expiry))));
}

function drawNumbers(preview) {
  const { slots } = preview;
  const unknown = slots.filter((slot) => !slot.expiry).length;
  const repeated = slots.filter((slot) => slot.repeats).length;
  const why = [repeated ? `${repeated} shared ${repeated > 1 ? "dates" : "date"}` : "", unknown ? `${unknown} without a date yet` : ""].filter(Boolean);
  const now = preview.subscribed === null ? "no feed speaks of it yet" : `${number(preview.subscribed)} now`;
  draw("chain-numbers",
    tile("Nominal", number(preview.nominal), "slots × strikes × sides"),
    tile("Unique", number(preview.unique), why.join(", ") || "every slot has its own date"),
    tile("Listed", number(preview.listed), listedNote(preview)),
    tile("Would be subscribed", number(preview.would_be), now));
}

const signed = (value) => (value > 0 ? `+${number(value)}` : value < 0 ? `−${number(-value)}` : "no change");

function connectionBox({ before, after }, index) {
  return element("div", { class: "ops-slot" },
    element("small", {}, `Connection ${index + 1}`), element("b", {}, `${number(before)} → ${number(after)}`), element("small", {}, signed(after - before)));
}

// Of all accounts together too, when there is more than the one that would feed the chain.
function totalNote({ account, total }) {
  const own = `${number(account.after.used)} of ${number(account.after.capacity)} wanted, ${signed(account.after.used - account.before.used)}`;
  return total.after.capacity === account.after.capacity ? own : `${own}; all accounts ${number(total.after.used)} of ${number(total.after.capacity)}`;
}

function drawEffect(preview) {
  const refusal = preview.refusal ? [element("p", { class: "ops-banner ops-bad", role: "alert" }, `${preview.refusal} It cannot be saved like this.`)] : [];
  draw("chain-refusal", refusal);
  draw("chain-effect",
    heading("Effect on its account", element("span", { class: "ops-note" }, totalNote(preview))),
    capacityBar(preview.account.after),
    element("div", { class: "ops-slots" }, preview.connections.map(connectionBox)));
}

function show(preview) {
  if (preview.error) {
    draw("chain-slots", element("p", { class: "ops-note" }, preview.error));
    for (const id of ["chain-numbers", "chain-refusal", "chain-effect"]) draw(id);
    return;
  }
  drawSlots(preview);
  drawNumbers(preview);
  drawEffect(preview);
}

async function refresh() {
  const mine = ++asked;
  const query = new URLSearchParams(new FormData(form));
  for (const secret of ["csrfmiddlewaretoken", "reason"]) query.delete(secret);
  query.set("id", place.dataset.chain);
  const response = await fetch(`${place.dataset.url}?${query}`, { headers: { Accept: "application/json" } });
  if (response.ok && mine === asked) show(await response.json()); // an older answer must not overwrite a newer one
}

for (const happening of ["input", "change"]) { // some browsers tell of a chosen option by the second alone
  form.addEventListener(happening, () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, WAIT);
  });
}
refresh();
