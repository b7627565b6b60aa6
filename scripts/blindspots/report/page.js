let metrics, details;
async function unpack() {
  const bytes = Uint8Array.from(atob(document.getElementById("details").textContent), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}
const make = (tag, text, attributes = {}) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const told = value => typeof value === "number" && !Number.isInteger(value) ? value.toFixed(3)
  : Object.hasOwn(metrics, value) ? metrics[value] : value ?? "";
const table = (heads, rows) => {
  const made = make("table", undefined, { class: "sortable" }), head = made.createTHead().insertRow(), body = made.createTBody();
  const numeric = heads.map((_, column) => rows.length > 0 && rows.every(row => typeof row[column] === "number"));
  heads.forEach((text, column) => head.append(make("th", text, numeric[column] ? { class: "number" } : {})));
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value, column) => line.append(make("td", told(value), numeric[column] ? { class: "number", "data-value": value } : {})));
  }
  sortable(made);
  return made;
};
function sortable(made) {
  [...made.tHead.rows[0].cells].forEach((cell, column) => {
    const button = make("button", cell.textContent, { type: "button" });
    cell.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of made.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
      const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const numeric = row => row.cells[column].dataset.value !== undefined;
      const rows = [...made.tBodies[0].rows].sort((a, b) => down * (numeric(a) ? key(a) - key(b) : key(a).localeCompare(key(b))));
      made.tBodies[0].append(...rows);
    });
  });
}
function changedRows(changed) {
  const parts = [make("h3", "Rows that changed from " + changed.start)];
  const known = Object.entries(metrics).filter(([metric]) => changed[metric]);
  parts.push(table(["test set", "rows", "lost (right to wrong)", "won (wrong to right)", "otherwise changed"],
    known.map(([metric, name]) => [name, changed[metric].rows, changed[metric].lost, changed[metric].won, changed[metric].otherwise_changed])));
  const examples = known.flatMap(([metric, name]) => changed[metric].examples.map(row =>
    [name, row.id, row.group, row.gold, row.before, row.after, ...(row.premise === undefined ? [] : [row.premise, row.hypothesis])]));
  const texts = examples.some(row => row.length > 6);
  parts.push(table(["test set", "row", "part", "gold", "before", "after", ...(texts ? ["premise", "hypothesis"] : [])], examples));
  return parts;
}
async function show() {
  if (!details) ({ metrics, models: details } = await unpack());
  const name = decodeURIComponent(location.hash.slice(1)), cell = document.getElementById("cell");
  const detail = Object.hasOwn(details, name) ? details[name] : undefined;
  for (const row of document.querySelectorAll("#models tbody tr")) row.classList.toggle("open", row.dataset.name === name);
  if (!detail) return;
  const parts = [make("h2", name)];
  if (detail.changed) parts.push(...changedRows(detail.changed));
  if (detail.scores.length) parts.push(make("h3", "AUROC of entailed against non-entailed rows"),
    table(["test set", "heuristic", "rows", "AUROC"], detail.scores));
  if (detail.slices.length) {
    const scroll = make("div", undefined, { class: "scroll" });
    scroll.append(table(detail.keys.map(key => ({ test_set: "test set", n: "rows" })[key] ?? key), detail.slices));
    parts.push(make("h3", "Slices, with 95% intervals over rows"), scroll);
  }
  for (const [head, text] of [["Recipe", detail.recipe], ["Lineage", detail.lineage]])
    if (text) parts.push(make("h3", head), make("pre", text));
  if (parts.length === 1) parts.push(make("p", "There are no predictions behind this point."));
  cell.replaceChildren(...parts);
  cell.hidden = false;
  cell.scrollIntoView();
}
document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelector("#models tbody").addEventListener("click", event => {
  const row = event.target.closest("tr");
  if (row) location.hash = row.dataset.name;
});
document.querySelectorAll(".point").forEach(point => point.addEventListener("click", () => {
  const row = document.querySelector(`#models tr[data-place="${point.dataset.place}"]`);
  if (row) location.hash = row.dataset.name;
}));
document.getElementById("filter").addEventListener("input", event => {
  const wanted = event.target.value.toLowerCase();
  for (const row of document.querySelectorAll("#models tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
addEventListener("hashchange", show);
show();
