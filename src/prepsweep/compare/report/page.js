// Tables that can be sorted and filtered; without this script they are plain tables that hold the same.
"use strict";

function valueOf(row, place) {
  const cell = row.cells[place];
  return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v || NaN);
}

function compare(one, other, sign) {
  if (typeof one === "string") return sign * one.localeCompare(other, undefined, { numeric: true });
  // What is not known comes last, whichever way the rest is sorted.
  if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
  return sign * (one - other);
}

function sort(table, head) {
  const body = table.tBodies[0];
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...body.rows].map((row) => [valueOf(row, head.cellIndex), row]);
  rows.sort((one, other) => compare(one[0], other[0], descending ? -1 : 1));
  body.append(...rows.map(([, row]) => row));
}

function makeSortable(table) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head));
    head.append(button);
  }
}

function makeFilterable(table) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("span");
  input.type = "search";
  count.setAttribute("role", "status");
  label.className = "filter";
  label.append("Filter rows ", input, count);
  table.closest(".scroll").before(label);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = input.value ? `${shown} of ${table.tBodies[0].rows.length}` : "";
  });
}

for (const table of document.querySelectorAll("table.data")) {
  if (table.tBodies[0].rows.length > 1) makeSortable(table);
  if (table.tBodies[0].rows.length > 8) makeFilterable(table);
}
