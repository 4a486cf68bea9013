// What the pages gain with JavaScript: sorting, filtering, choice of series, a theme button. Without it everything is still there.
"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const keep = {
    get() { try { return localStorage.getItem("scizoo-theme") || "auto"; } catch { return "auto"; } },
    set(value) { try { localStorage.setItem("scizoo-theme", value); } catch { /* private window */ } },
  };
  const wear = (theme) => { if (theme === "auto") root.removeAttribute("data-theme"); else root.dataset.theme = theme; };
  root.classList.add("js");
  wear(themes.includes(keep.get()) ? keep.get() : "auto");

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent.trim();
  };
  const isGap = (row, column) => /^(–|$)/.test(row.cells[column].textContent.trim());

  const collator = new Intl.Collator("en", { numeric: true });

  // Laying out thousands of rows takes seconds: a long table shows its first rows, in the order and with the filter of the moment.
  const LONG = 300;
  const whole = new WeakSet();  // tables that the reader wants whole
  const out = new WeakSet();  // rows that the filter leaves out

  function show(table) {
    const rows = [...table.tBodies[0].rows];
    const fitting = rows.filter((row) => !out.has(row));
    const shown = new Set(rows.length <= LONG || whole.has(table) ? fitting : fitting.slice(0, LONG));
    for (const row of rows) if (row.hidden === shown.has(row)) row.hidden = !row.hidden;
    const more = table.closest(".scroll")?.nextElementSibling;
    if (!more?.matches(".rest")) return;
    more.hidden = shown.size === fitting.length;
    more.querySelector("span").textContent = `The first ${shown.size} of ${fitting.length} rows. `;
  }

  function shorten(table) {
    if (table.tBodies[0].rows.length <= LONG) return;
    const more = document.createElement("p");
    more.className = "note rest";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Show all rows";
    button.addEventListener("click", () => { whole.add(table); show(table); });
    more.append(document.createElement("span"), button);
    table.closest(".scroll").after(more);
    show(table);
  }

  function sort(table, header, status) {
    const column = header.cellIndex;
    const numeric = header.classList.contains("num");
    const before = header.getAttribute("aria-sort");
    const order = before === "ascending" ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    for (const other of header.parentNode.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", order);
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => ({ row, gap: isGap(row, column), key: value(row, column) }));  // each cell is read once
    keyed.sort((a, b) => {
      if (a.gap !== b.gap) return a.gap - b.gap;
      return sign * (numeric ? a.key - b.key || 0 : collator.compare(String(a.key), String(b.key)));
    });
    body.replaceChildren(...keyed.map((one) => one.row));
    show(table);
    status.textContent = `Sorted by ${header.textContent.trim()}, ${order}`;
  }

  function sortable(table) {
    const status = document.createElement("div");
    status.className = "sr";
    status.setAttribute("role", "status");
    table.closest(".scroll").after(status);
    for (const header of table.tHead.rows[0].cells) {
      if (header.classList.contains("plain")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      if (!header.hasAttribute("aria-sort")) header.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, header, status));
    }
  }

  function filter(form) {
    const tables = [...document.querySelectorAll(`table[data-filter="${form.dataset.for}"]`)];
    const output = form.querySelector("output");
    const apply = () => {
      const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const kind = form.elements.kind ? form.elements.kind.value : "";
      const track = form.elements.track ? form.elements.track.value : "";
      let found = 0, all = 0;
      for (const row of tables.flatMap((table) => [...table.tBodies[0].rows])) {
        const text = row.textContent.toLowerCase();
        const fits = words.every((word) => text.includes(word)) && (!kind || row.dataset.kind === kind) && (!track || row.dataset.track === track);
        if (fits) out.delete(row); else out.add(row);
        found += fits;
        all += 1;
      }
      tables.forEach(show);
      output.textContent = found === all ? "" : `${found} of ${all} rows`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
  }

  function choose(table) {
    const figure = document.getElementById(table.dataset.figure);
    for (const header of table.querySelectorAll("th[data-series]")) {
      const series = figure.querySelectorAll(`[data-series="${header.dataset.series}"]`);
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = header.hasAttribute("data-shown");
      box.setAttribute("aria-label", `Draw ${header.textContent.trim()}`);
      const draw = () => series.forEach((one) => (box.checked ? one.removeAttribute("display") : one.setAttribute("display", "none")));
      box.addEventListener("change", draw);
      header.prepend(box);
      draw();
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => { button.textContent = `Theme: ${keep.get()}`; };
    button.hidden = false;
    say();
    let theme = keep.get();
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      keep.set(theme);
      wear(theme);
      button.textContent = `Theme: ${theme}`;
    });
    document.querySelectorAll("table.series-table").forEach(choose);
    document.querySelectorAll("table.sortable").forEach((table) => { sortable(table); shorten(table); });
    document.querySelectorAll("form.filter").forEach(filter);
  });
})();
