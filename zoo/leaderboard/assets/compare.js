// The compare page: paired differences of any rows, from resampled scores that a script of the task's own has left in `scizooCompare`.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const data = window.scizooCompare;
  const form = document.getElementById("compare");
  if (!data || !form) return;
  const byName = new Map(data.rows.map((row) => [row.name, row]));
  const kept = new Map();
  const LAST = 65535;

  function samples(row, metric) {
    const key = `${row.name} ${metric}`;
    if (!kept.has(key)) {
      const score = row.scores[metric];
      const bytes = Uint8Array.from(atob(score.q), (character) => character.charCodeAt(0));
      const view = new DataView(bytes.buffer);
      const values = new Float64Array(bytes.length / 2);
      for (let i = 0; i < values.length; i += 1) {
        const code = view.getUint16(2 * i, true);
        values[i] = code === LAST ? NaN : score.lo + (code / (LAST - 1)) * (score.hi - score.lo);
      }
      kept.set(key, values);
    }
    return kept.get(key);
  }

  const badness = { higher: (v) => -v, lower: (v) => v, nearer_one: (v) => Math.abs(v - 1), nearer_zero: (v) => Math.abs(v) };

  // As numpy.quantile: linear between the two nearest.
  function quantile(sorted, share) {
    const at = (sorted.length - 1) * share, low = Math.floor(at);
    return low + 1 < sorted.length ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
  }

  function interval(values) {
    const finite = values.filter((value) => Number.isFinite(value)).sort();
    return finite.length < 0.9 * values.length ? null : [quantile(finite, 0.025), quantile(finite, 0.975)];
  }

  function difference(row, other, metric) {
    if (!row.scores[metric.name] || !other.scores[metric.name]) return null;
    const mine = samples(row, metric.name), theirs = samples(other, metric.name), bad = badness[metric.direction];
    const value = row.scores[metric.name].v - other.scores[metric.name].v;
    const bounds = interval(mine.map((v, i) => v - theirs[i]));
    const judged = interval(mine.map((v, i) => bad(v) - bad(theirs[i])));
    let verdict = "tied";
    if (judged && (judged[0] > 0 || judged[1] < 0)) verdict = judged[0] > 0 ? "worse" : "better";
    return { value, bounds: bounds && [Math.min(bounds[0], value), Math.max(bounds[1], value)], verdict };
  }

  const minus = (text) => text.replace("-", "−");
  const zero = (text) => Number(text) === 0;  // printed without a sign
  const number = (value, decimals) => { const text = value.toFixed(decimals); return zero(text) ? text.replace("-", "") : minus(text); };
  const signed = (value, decimals) => (value < 0 || zero(value.toFixed(decimals)) ? number(value, decimals) : `+${number(value, decimals)}`);
  const arrows = { higher: "↑", lower: "↓", nearer_one: "→1", nearer_zero: "→0" };

  function cell(kind, text, className) {
    const made = document.createElement(kind);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function aside(text) {
    return cell("span", ` ${text}`, "ci");
  }

  const choices = form.querySelector(".choices");
  const reference = form.elements.reference;
  for (const row of data.rows) {
    reference.append(new Option(`${row.title} (${row.groups})`, row.name));
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.name = "row";
    box.value = row.name;
    label.append(box, ` ${row.title} `, aside(row.groups));
    choices.append(label);
  }

  function chosen() {
    return [...choices.querySelectorAll("input:checked")].map((box) => box.value).filter((name) => name !== reference.value);
  }

  function show() {
    const base = byName.get(reference.value);
    const names = chosen();
    const out = document.getElementById("compared");
    const table = out.querySelector("table");
    const head = document.createElement("tr");
    head.append(cell("th", "Row"));
    head.firstChild.scope = "col";
    for (const metric of data.metrics) {
      const th = cell("th", `${metric.label} ${metric.unit} ${arrows[metric.direction]}`, "num");
      th.scope = "col";
      head.append(th);
    }
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren(...[base, ...names.map((name) => byName.get(name))].map((row) => {
      const line = document.createElement("tr");
      const th = cell("th", row.title + (row === base ? " (reference)" : ""));
      th.scope = "row";
      line.append(th);
      for (const metric of data.metrics) {
        const score = row.scores[metric.name];
        const td = cell("td", score ? number(score.v, metric.decimals) : "–", "num");
        if (score && score.ci && row === base) td.append(aside(`[${number(score.ci[0], metric.decimals)}, ${number(score.ci[1], metric.decimals)}]`));
        const apart = row === base ? null : difference(row, base, metric);
        if (apart) {
          const bounds = apart.bounds ? ` [${number(apart.bounds[0], metric.decimals)}, ${number(apart.bounds[1], metric.decimals)}]` : "";
          td.classList.add(`v-${apart.verdict}`);
          td.append(document.createElement("br"), cell("b", signed(apart.value, metric.decimals)), aside(bounds), aside(apart.verdict));
        }
        line.append(td);
      }
      return line;
    }));
    out.hidden = false;
    const left = data.left ? ` The best ${data.rows.length} rows can be chosen; ${data.left} more are in the table of scores.` : "";
    document.getElementById("compared-status").textContent = `${names.length} row${names.length === 1 ? "" : "s"} compared with ${base.title}.${left}`;
    const state = `#reference=${encodeURIComponent(base.name)}&rows=${names.map(encodeURIComponent).join(",")}`;
    if (location.hash !== state) history.replaceState(null, "", state);
  }

  function read() {
    const state = new URLSearchParams(location.hash.slice(1));
    const wanted = (state.get("rows") || "").split(",").filter((name) => byName.has(name));
    reference.value = byName.has(state.get("reference")) ? state.get("reference") : data.rows[0].name;
    const names = wanted.length ? wanted : data.rows.filter((row) => row.name !== reference.value).slice(0, 3).map((row) => row.name);
    for (const box of choices.querySelectorAll("input")) box.checked = names.includes(box.value);
    show();
  }

  form.addEventListener("input", (event) => {
    if (event.target.name === "text") {
      const word = event.target.value.toLowerCase();
      for (const label of choices.children) label.hidden = !label.textContent.toLowerCase().includes(word);
    } else {
      show();
    }
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", read);
  form.hidden = false;
  read();
});
