// The page of an asset: it refreshes itself when something happens to it, plots its numbers, and lets its partitions be chosen.
"use strict";
(() => {
  const page = document.querySelector("[data-asset]");
  if (!page) return;

  // -- what happens to it ---------------------------------------------------------------------------------------------------
  // `wa:mine` is for what follows runs too, `wa:made` for what only the asset itself changes. While somebody types or marks text in the
  // tab only the head is fetched, and the tab as soon as they are through.
  let waiting = null, isMade = false, isBehind = false;
  function refresh(made) {
    isMade ||= made;
    waiting ??= setTimeout(() => {
      waiting = null;
      isBehind ||= isBusy();
      if (isBehind) { tell(); return; }
      series.clear();
      fire("wa:mine");
      if (isMade) fire("wa:made");
      isMade = false;
    }, 150);
  }
  const fire = (name) => document.body.dispatchEvent(new CustomEvent(name));
  function isBusy() {
    const marked = getSelection();
    return Boolean(document.activeElement?.closest("#tab :is(input, select, [data-bar], pre)"))
      || (!marked.isCollapsed && page.querySelector("#tab")?.contains(marked.anchorNode));
  }
  function tell() {
    const head = page.querySelector("#asset-head");
    if (head && window.htmx) window.htmx.ajax("GET", head.getAttribute("hx-get"), { target: "#asset-head", swap: "outerHTML" });
  }
  function catchUp() { setTimeout(() => { if (isBehind && !isBusy()) { isBehind = false; refresh(false); } }, 300); }
  page.addEventListener("focusout", catchUp);
  document.addEventListener("selectionchange", catchUp);
  document.body.addEventListener("wa:asset", (event) => { if (Object.hasOwn(event.detail.assets, page.dataset.asset)) refresh(true); });
  document.body.addEventListener("wa:run", (event) => { if (Object.values(event.detail.runs).some(Boolean)) refresh(false); });
  document.body.addEventListener("wa:facts", () => refresh(true));

  // What the reader has opened, typed, chosen and scrolled to in the tab, taken from the old one and given to the new.
  let held = null;
  const named = (one) => `${one.closest("[id]")?.id} ${one.querySelector("summary")?.textContent}`;
  const places = (tab) => [...tab.querySelectorAll(".scroll, .code, .sample, .mini")];
  function hold(tab) {
    return {
      folds: new Map([...tab.querySelectorAll("details")].map((one) => [named(one), one.open])),
      rows: new Map([...tab.querySelectorAll("tr.details:not([hidden]) > td")].map((cell) => [cell.id, [...cell.childNodes]])),
      fields: [...tab.querySelectorAll("input[id], select[id]")].filter((one) => one.value !== standard(one)).map((one) => [one.id, one.value]),
      compared: [...tab.querySelectorAll("input[name=compare]:checked")].map((one) => one.value),
      focus: tab.contains(document.activeElement) ? [document.activeElement.id, document.activeElement.getAttribute("aria-controls")] : null,
      scrolls: places(tab).map((one) => [one.scrollLeft, one.scrollTop]),
    };
  }
  const standard = (one) => (one.matches("select") ? [...one.options].find((option) => option.defaultSelected)?.value ?? one.options[0]?.value : one.defaultValue);
  function give(tab, { folds, rows, fields, compared, focus, scrolls }) {
    tab.querySelectorAll("details").forEach((one) => { if (folds.has(named(one))) one.open = folds.get(named(one)); });
    rows.forEach((nodes, id) => {
      const cell = document.getElementById(id);
      if (!cell) return;
      cell.replaceChildren(...nodes);
      cell.parentElement.hidden = false;
      tab.querySelector(`[aria-controls="${id}"]`)?.setAttribute("aria-expanded", "true");
    });
    fields.forEach(([id, value]) => { const field = document.getElementById(id); if (field) field.value = value; });
    tab.querySelectorAll("input[name=compare]").forEach((box) => { box.checked = compared.includes(box.value); });
    if (compared.length) chosen();
    places(tab).forEach((one, at) => { if (scrolls[at]) [one.scrollLeft, one.scrollTop] = scrolls[at]; });
    if (focus) (document.getElementById(focus[0]) ?? (focus[1] && tab.querySelector(`[aria-controls="${focus[1]}"]`)))?.focus({ preventScroll: true });
  }
  document.addEventListener("htmx:before:swap", (event) => {
    const tab = page.querySelector("#tab");
    if (tab && event.detail.ctx?.target === tab) held = [tab, hold(tab)];
  });
  function restore() {
    const tab = page.querySelector("#tab");
    if (!held || !tab || held[0] === tab) return;
    give(tab, held[1]);
    held = null;
  }

  // -- plots ------------------------------------------------------------------------------------------------------------------
  const series = new Map();
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const grouped = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
  function short(value, unit) {
    if (value == null) return "";
    if (unit === "share") return `${+(value * 100).toPrecision(4)} %`;
    if (unit === "seconds") return value < 1 ? `${+(value * 1000).toPrecision(3)} ms` : value < 120 ? `${+value.toPrecision(3)} s` : `${+(value / 60).toPrecision(3)} min`;
    const limits = unit === "bytes" ? [[1e12, " TB"], [1e9, " GB"], [1e6, " MB"], [1e3, " kB"]] : [[1e12, " T"], [1e9, " G"], [1e6, " M"]];
    for (const [limit, name] of limits) if (Math.abs(value) >= limit) return `${+(value / limit).toFixed(1)}${name}`;
    return `${grouped.format(value)}${unit === "bytes" ? " B" : ""}`;
  }
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const steps = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 15552000, 31536000, 63072000, 157680000];
  const pad = (value) => String(value).padStart(2, "0");
  function clock(seconds, step) {
    const moment = new Date(seconds * 1000);
    const time = `${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
    if (step < 60) return `${time}:${pad(moment.getSeconds())}`;
    if (step < 86400 && (moment.getHours() || moment.getMinutes())) return time;
    return step < 25e6 ? `${moment.getDate()} ${months[moment.getMonth()]}` : String(moment.getFullYear());
  }
  function stamp(seconds) {
    const moment = new Date(seconds * 1000);
    return `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())} ${clock(seconds, 1)}`;
  }
  function load(address) {
    if (!series.has(address)) series.set(address, fetch(address, { headers: { Accept: "application/json" } }).then((answer) => (answer.ok ? answer.json() : [])));
    return series.get(address);
  }
  async function draw(figure) {
    figure.dataset.drawn = "1";
    const found = (await load(figure.dataset.src)).find((one) => one.name === figure.dataset.plot);
    const box = figure.querySelector(".canvas");
    if (!found || !window.uPlot || !box.isConnected) return;
    const last = found.values.at(-1);
    const caption = figure.querySelector("figcaption");
    caption.innerHTML = "";
    caption.append(found.label, Object.assign(document.createElement("b"), { textContent: short(last, found.unit), title: String(last) }));
    const told = document.createElement("span");
    caption.append(told);
    box.setAttribute("aria-label", `${found.label} over time: ${found.values.length} values, the last ${last}, from ${Math.min(...found.values)} to ${Math.max(...found.values)}`);
    const line = colour("--line"), muted = colour("--muted"), accent = colour("--accent");
    const font = "11px system-ui, sans-serif";
    const plot = new window.uPlot({
      width: box.clientWidth, height: 110, legend: { show: false }, cursor: { y: false, drag: { x: true, y: false } },
      scales: { y: { range: (_, low, high) => (low === high ? [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1] : window.uPlot.rangeNum(low, high, 0.1, true)) } },
      axes: [
        { stroke: muted, font, grid: { show: false }, ticks: { stroke: line, size: 4 }, size: 26, space: 70, incrs: steps, values: (_, ticks, __, ___, step) => ticks.map((tick) => clock(tick, step)) },
        { stroke: muted, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 56, space: 22, values: (_, ticks) => ticks.map((tick) => short(tick, found.unit)) },
      ],
      series: [{}, { stroke: accent, width: 1.5, points: { show: found.values.length < 80, size: 4, fill: accent } }],
      hooks: { setCursor: [(self) => {
        const at = self.cursor.idx;
        told.textContent = at == null ? "" : `${stamp(found.times[at])} · ${short(found.values[at], found.unit)}`;
      }] },
    }, [found.times, found.values], box);
    box.addEventListener("click", () => {
      const at = plot.cursor.idx;
      if (at == null || plot.select.width > 0) return;
      const row = document.getElementById(`event-${found.ids[at]}`);
      if (row) { row.scrollIntoView({ block: "center" }); row.querySelector("[data-details][aria-expanded=false]")?.click(); }
      else if (!figure.dataset.src.includes("check=")) location.href = `${location.pathname}?tab=activity&before=${found.ids[at] + 1}#event-${found.ids[at]}`;
    });
    new ResizeObserver(() => { if (box.clientWidth) plot.setSize({ width: box.clientWidth, height: 110 }); }).observe(box);
  }
  function plots(root) { root.querySelectorAll(".plot[data-plot]:not([data-drawn])").forEach(draw); }

  // -- the menu ---------------------------------------------------------------------------------------------------------------
  const menus = (but) => page.querySelectorAll(".menu[open]").forEach((menu) => { if (menu !== but) menu.open = false; });
  document.addEventListener("click", (event) => menus(event.target.closest(".menu > summary")?.parentElement));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && page.querySelector(".menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  // -- events -----------------------------------------------------------------------------------------------------------------
  page.addEventListener("click", (event) => {
    const button = event.target.closest("[data-details]");
    if (!button) return;
    const row = document.getElementById(button.getAttribute("aria-controls")).parentElement;
    row.hidden = !row.hidden;
    button.setAttribute("aria-expanded", String(!row.hidden));
  });
  function chosen() {
    const boxes = [...page.querySelectorAll("input[name=compare]")];
    const count = boxes.filter((box) => box.checked).length;
    boxes.forEach((box) => { box.disabled = count >= 2 && !box.checked; });
    page.querySelector("[data-compare]").disabled = count !== 2;
  }
  page.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
    if (event.target.name === "compare") chosen();
    if (event.target.matches("[data-range-end]")) ranged();
  });

  // -- partitions ---------------------------------------------------------------------------------------------------------------
  function ranged() {
    const form = page.querySelector("#range");
    if (form) form.elements.range.value = `${form.elements.from.value}...${form.elements.to.value}`;
  }
  function partitions(bar) {
    bar.dataset.ready = "1";
    const total = Number(bar.dataset.bar);
    const [range, cursor] = [bar.querySelector(".range"), bar.querySelector(".cursor")];
    const keys = new Map();
    let at = 0, anchor = 0, asked = 0;
    async function keyOf(index) {
      if (!keys.has(index)) {
        const answer = await fetch(`${bar.dataset.src}&offset=${index}`);
        if (answer.ok) { const told = await answer.json(); if (told.listed[0]) keys.set(index, [told.listed[0].key, told.listed[0].state]); }
      }
      return keys.get(index);
    }
    function paint() {
      const scale = 1000 / total, [low, high] = [Math.min(at, anchor), Math.max(at, anchor)];
      cursor.setAttribute("x", at * scale);
      cursor.setAttribute("width", Math.max(scale, 2));
      range.setAttribute("x", low * scale);
      range.setAttribute("width", low === high ? 0 : (high - low + 1) * scale);
      bar.setAttribute("aria-valuenow", at + 1);
    }
    async function settle() {
      const turn = ++asked;
      await new Promise((done) => setTimeout(done, 60));
      if (turn !== asked) return;
      const [low, high] = [Math.min(at, anchor), Math.max(at, anchor)];
      const [first, last] = [await keyOf(low), await keyOf(high)];
      if (turn !== asked || !first || !last) return;
      const text = low === high ? `${first[0]}: ${first[1]}` : `${first[0]} … ${last[0]} (${(high - low + 1).toLocaleString()})`;
      bar.setAttribute("aria-valuetext", text);
      const shown = document.getElementById("at");
      if (shown) shown.textContent = text;
      const form = page.querySelector("#range");
      if (form) { form.elements.from.value = first[0]; form.elements.to.value = last[0]; ranged(); }
    }
    async function open() {
      const found = await keyOf(at);
      if (found) location.href = `${bar.dataset.href}&partition=${encodeURIComponent(found[0])}`;
    }
    const place = (event) => { const box = bar.getBoundingClientRect(); return Math.max(0, Math.min(total - 1, Math.floor(((event.clientX - box.left) / box.width) * total))); };
    let pressed = false, moved = false;
    bar.addEventListener("pointerdown", (event) => { bar.setPointerCapture(event.pointerId); pressed = true; moved = false; at = place(event); if (!event.shiftKey) anchor = at; paint(); });
    bar.addEventListener("pointermove", (event) => { if (!pressed) return; const here = place(event); if (here !== at) { moved = true; at = here; paint(); } });
    bar.addEventListener("pointerup", (event) => { if (!pressed) return; pressed = false; if (!moved && !event.shiftKey) open(); else settle(); });
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -Math.ceil(total / 20), PageUp: Math.ceil(total / 20), Home: -total, End: total }[event.key];
      if (event.key === "Enter") { open(); return; }
      if (step === undefined) return;
      event.preventDefault();
      at = Math.max(0, Math.min(total - 1, at + step));
      if (!event.shiftKey) anchor = at;
      paint();
      settle();
    });
  }

  function ready() {
    plots(page);
    page.querySelectorAll("[data-bar]:not([data-ready])").forEach(partitions);
    ranged();
  }
  page.querySelector(".tabs [aria-current]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  document.addEventListener("htmx:after:swap", () => { restore(); ready(); });
  ready();
})();
