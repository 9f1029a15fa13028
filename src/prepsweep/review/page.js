"use strict";

const ROWS_AT_ONCE = 20;
const MAX_KNOWN = 2000;
const known = new Map(); // Place in the queue → row, as the server has it.
const decided = []; // Places decided on this page, the last one last: what undo takes back.
let state;
let place = 0;
let busy = false;

const element = (id) => document.getElementById(id);

async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function rowAt(at) {
  if (!known.has(at)) {
    if (known.size > MAX_KNOWN) known.clear();
    for (const row of await ask(`rows?start=${at}&n=${ROWS_AT_ONCE}`)) known.set(row.place, row);
  }
  return known.get(at);
}

// One thing at a time: a key that comes while a decision is being written is not lost on another row.
async function alone(work, failed) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
    element("problem").hidden = true;
  } catch (error) {
    element("problem").textContent = `${failed}: ${error.message}. Is the command still running?`;
    element("problem").hidden = false;
  } finally {
    busy = false;
    document.body.setAttribute("aria-busy", "false");
  }
}

async function show(at) {
  const row = await rowAt(at);
  place = at;
  if (row && !known.has(at + 5) && at + 5 < state.n_rows) rowAt(at + 5).catch(() => {});
  drawCounts();
  drawRow(row);
  drawChoices(row);
  for (const [id, off] of [["back", at <= 0], ["forward", at >= state.n_rows], ["skip", !row], ["undo", !decided.length && !(row && row.action)]]) {
    element(id).disabled = off;
  }
}

function drawCounts() {
  const n = state.n_decided + state.n_skipped;
  const skipped = state.n_skipped ? `, ${state.n_skipped.toLocaleString("en")} skipped` : "";
  element("who").textContent = state.role === "adjudicator" ? `${state.name}, where reviewers disagree` : state.name;
  element("count").textContent = `${state.n_decided.toLocaleString("en")} of ${state.n_rows.toLocaleString("en")} decided${skipped}`;
  element("progress").max = Math.max(state.n_rows, 1);
  element("progress").value = n;
}

function drawRow(row) {
  const texts = row ? row.texts : [ending()];
  element("reason").textContent = row ? `Row ${(place + 1).toLocaleString("en")}${row.reason ? `: ${row.reason}` : ""}` : "";
  element("texts").replaceChildren(
    ...texts.map((text) => {
      const paragraph = document.createElement("p");
      paragraph.dir = "auto";
      paragraph.textContent = text.trim() ? text : "empty";
      paragraph.classList.toggle("empty", !row || !text.trim());
      return paragraph;
    }),
  );
  element("texts").scrollTop = 0;
  element("hint").replaceChildren(...(row ? hints(row) : []));
}

function ending() {
  if (!state.n_rows) return state.role === "adjudicator" ? "The reviewers agree on every row so far." : "The queue is empty.";
  const left = state.n_rows - state.n_decided - state.n_skipped;
  return left ? `The end of the queue; ${left.toLocaleString("en")} rows before it are open.` : "That was the last row. All is saved.";
}

function hints(row) {
  if (row.votes.length) return row.votes.flatMap(([label, n], i) => [i ? ", " : "The reviewers say ", bold(label), n > 1 ? ` ${n} times` : ""]);
  const parts = row.given ? ["Labelled ", bold(row.given)] : [];
  if (!row.suggested) return parts;
  if (row.suggested === row.given) return [...parts, "; a model says the same"];
  return [...parts, parts.length ? "; a model says " : "A model says ", bold(row.suggested)];
}

function bold(text) {
  const found = document.createElement("b");
  found.textContent = text;
  return found;
}

// Few classes keep their keys; of many, those that were said about the row come first.
function matching() {
  const wanted = element("filter").value.trim().toLowerCase();
  const row = known.get(place);
  const said = isLong() && row ? [row.given, row.suggested, ...row.votes.map(([label]) => label)] : [];
  const ordered = new Set([...said.filter((name) => state.classes.includes(name)), ...state.classes]);
  return [...ordered].filter((name) => name.toLowerCase().includes(wanted));
}

function isLong() {
  return state.classes.length > 9;
}

function drawChoices(row) {
  element("filter").hidden = !row || !isLong();
  element("choices").replaceChildren(
    ...(row ? matching() : []).map((name, i) => {
      const button = document.createElement("button");
      button.type = "button";
      if (i < 9) button.append(Object.assign(document.createElement("kbd"), { textContent: i + 1 }));
      button.append(name);
      button.setAttribute("aria-pressed", String(row.action === "decide" && row.label === name));
      button.addEventListener("click", () => decide("decide", name));
      return button;
    }),
  );
}

async function write(row, action, label) {
  const body = JSON.stringify({ uid: row.uid, action, label });
  state = await ask("decide", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  row.action = action === "undo" ? "" : action;
  row.label = label;
}

function decide(action, label = "") {
  return alone(async () => {
    const row = known.get(place);
    if (!row) return;
    await write(row, action, label);
    decided.push(place);
    element("filter").value = "";
    element("filter").blur();
    await show(place + 1);
  }, "Not saved");
}

function undo() {
  return alone(async () => {
    const at = decided.at(-1) ?? place;
    const row = await rowAt(at);
    if (row && row.action) await write(row, "undo", "");
    decided.pop();
    await show(at);
  }, "Not taken back");
}

function move(by) {
  return alone(() => show(Math.min(Math.max(place + by, 0), state.n_rows)), "Not loaded");
}

const keys = {
  ArrowLeft: () => move(-1),
  ArrowRight: () => move(1),
  s: () => decide("skip"),
  u: undo,
  "/": () => element("filter").focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !state) return;
  if (event.target === element("filter")) {
    if (event.key === "Escape") element("filter").blur();
    if (event.key === "Enter" && matching().length) decide("decide", matching()[0]);
    return;
  }
  const chosen = /^[1-9]$/.test(event.key) ? matching()[Number(event.key) - 1] : undefined;
  const action = chosen === undefined ? keys[event.key.length === 1 ? event.key.toLowerCase() : event.key] : () => decide("decide", chosen);
  if (action) {
    event.preventDefault();
    action();
  }
});
element("filter").addEventListener("input", () => drawChoices(known.get(place)));
element("back").addEventListener("click", () => move(-1));
element("forward").addEventListener("click", () => move(1));
element("skip").addEventListener("click", () => decide("skip"));
element("undo").addEventListener("click", undo);
alone(async () => {
  state = await ask("state");
  await show(state.next);
}, "Not loaded");
