// The steps of a run over time. Rows are drawn only where they can be seen, so that a thousand steps cost what thirty do.
"use strict";
(() => {
  const root = document.getElementById("gantt");
  if (!root) return;
  const [scroller, lane, axis, counts, order, search] = ["rows", "lane", "axis", "counts", "order", "search"].map((name) => root.querySelector(`[data-part=${name}]`));
  const HEIGHT = matchMedia("(pointer: coarse)").matches ? 30 : 22;
  const PACES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 604800];
  // status: sign, word, rank in the counts
  const STATES = {
    failure: ["✕", "failed", 0], retrying: ["↻", "to be retried", 1], running: ["▶", "running", 2], stopped: ["⊘", "stopped", 3],
    success: ["✓", "succeeded", 4], fresh: ["✓", "fresh", 5], skipped: ["–", "skipped", 6], waiting: ["…", "waiting", 7],
  };
  const steps = new Map();
  const pool = [];
  let run = { over: false, began: null, ended: null };
  let last = 0;
  let behind = 0; // seconds that this clock is behind the server's
  let shown = [];
  let only = null;
  let follows = true;
  let asking = false;
  let again = false;

  const known = (name) => {
    if (!steps.has(name)) steps.set(name, { name, status: "waiting", first: null, last: null, tries: 0, bars: [], message: "" });
    return steps.get(name);
  };
  function take({ step: name, status, at, message }) {
    const step = known(name);
    const open = step.bars.at(-1);
    if (status === "running") {
      step.tries += 1;
      step.bars.push({ from: at, to: null, status });
    } else if (open && open.to === null) {
      Object.assign(open, { to: at, status });
    } else if (!step.bars.length) {
      step.bars.push({ from: at, to: at, status });
    }
    Object.assign(step, { status, first: step.first ?? at, last: at, message });
  }
  async function ask() {
    if (asking) { again = true; return; }
    asking = true;
    do {
      again = false;
      const answer = await fetch(`/api/runs/${root.dataset.run}/timeline?after=${last}`).catch(() => null);
      if (!answer?.ok) break;
      const told = await answer.json();
      behind = told.now - Date.now() / 1000;
      last = told.last;
      told.planned.forEach(known);
      told.changes.forEach(take);
      run = told;
      again ||= told.more;
    } while (again);
    asking = false;
    if (run.over) steps.forEach((step) => {
      if (step.status === "waiting") steps.delete(step.name);
      else if (step.status === "running" || step.status === "retrying") close(step);
    });
    choose();
  }
  function close(step) {
    const open = step.bars.at(-1);
    if (open?.to === null) Object.assign(open, { to: run.ended ?? open.from, status: "stopped" });
    step.status = "stopped";
  }

  // -- which rows, and in what order --------------------------------------------------------------------------------------
  const natural = new Intl.Collator(undefined, { numeric: true }).compare;
  const took = (step, now) => step.bars.reduce((sum, bar) => sum + (bar.to ?? now) - bar.from, 0);
  function choose() {
    const now = Date.now() / 1000 + behind;
    const text = search.value.trim().toLowerCase();
    shown = [...steps.values()].filter((step) => (!only || step.status === only) && (!text || step.name.toLowerCase().includes(text)));
    if (order.value === "took") shown.sort((a, b) => took(b, now) - took(a, now));
    else if (order.value === "name") shown.sort((a, b) => natural(a.name, b.name));
    else shown.sort((a, b) => (a.first ?? Infinity) - (b.first ?? Infinity));
    count();
    root.hidden = !steps.size;
    root.classList.toggle("many", steps.size > 12);
    lane.style.height = `${Math.max(shown.length, 1) * HEIGHT}px`;
    if (follows && !run.over && order.value === "began" && shown.length * HEIGHT > scroller.clientHeight) {
      const begun = shown.findLastIndex((step) => step.first !== null);
      scroller.scrollTop = (begun + 3) * HEIGHT - scroller.clientHeight;
    }
    draw();
  }
  function count() {
    const found = new Map();
    steps.forEach((step) => found.set(step.status, (found.get(step.status) || 0) + 1));
    const states = Object.keys(STATES).filter((state) => found.has(state) || state === only);
    while (counts.childElementCount > states.length) counts.lastElementChild.remove();
    states.forEach((state, at) => {
      const button = counts.children[at] ?? counts.appendChild(Object.assign(document.createElement("button"), { type: "button", className: "plain" }));
      const text = `${STATES[state][0]} ${(found.get(state) || 0).toLocaleString("en")} ${STATES[state][1]}`;
      if (button.textContent !== text) button.textContent = text;
      button.dataset.state = state;
      button.setAttribute("aria-pressed", state === only);
    });
  }

  // -- drawing ------------------------------------------------------------------------------------------------------------
  function seconds(value) {
    if (value < 1) return `${Math.round(value * 1000)} ms`;
    return value < 60 ? `${value.toFixed(value < 10 ? 1 : 0)} s` : wa.span(value);
  }
  function row(at) {
    if (pool[at]) return pool[at];
    const made = document.createElement("div");
    made.className = "gantt-row";
    made.setAttribute("role", "listitem");
    made.innerHTML = '<a class="mono"></a><span class="track"></span><span class="sign"><span></span> <span class="word"></span></span><span class="took number"></span>';
    lane.append(made);
    const [name, track, sign, length] = made.children;
    return (pool[at] = { made, name, track, sign, length });
  }
  const set = (element, name, value) => { if (element[name] !== value) element[name] = value; };
  function draw() {
    const now = Date.now() / 1000 + behind;
    const firsts = [...steps.values()].map((step) => step.first).filter((first) => first !== null);
    const begin = Math.min(...firsts, run.began ?? now);
    const end = run.over ? Math.max(...[...steps.values()].map((step) => step.last ?? begin), begin + 0.001) : Math.max(now, begin + 0.001);
    const whole = end - begin;
    const top = Math.floor(scroller.scrollTop / HEIGHT);
    const seen = Math.min(shown.length - top, Math.ceil(scroller.clientHeight / HEIGHT) + 2);
    for (let at = 0; at < Math.max(seen, pool.length); at += 1) {
      const { made, name, track, sign, length } = row(at);
      const step = at < seen ? shown[top + at] : undefined;
      set(made, "hidden", !step);
      if (!step) continue;
      made.style.transform = `translateY(${(top + at) * HEIGHT}px)`;
      set(made, "className", `gantt-row step-${step.status}`);
      if (name.textContent !== step.name) {
        name.textContent = name.title = step.name;
        name.href = `/runs/${root.dataset.run}?${new URLSearchParams({ step: step.name, level: "DEBUG" })}#log`;
      }
      while (track.childElementCount > step.bars.length) track.lastElementChild.remove();
      step.bars.forEach((bar, number) => {
        const drawn = track.children[number] ?? track.appendChild(document.createElement("i"));
        set(drawn, "className", `bar-${bar.status}`);
        drawn.style.left = `${((bar.from - begin) / whole) * 100}%`;
        drawn.style.width = `${(((bar.to ?? end) - bar.from) / whole) * 100}%`;
      });
      set(sign.firstElementChild, "textContent", STATES[step.status][0]);
      set(sign.lastElementChild, "textContent", `${STATES[step.status][1]}${step.tries > 1 ? ` (${step.tries}×)` : ""}`);
      set(sign, "title", step.message || STATES[step.status][1]);
      set(length, "textContent", step.status === "waiting" || !step.tries ? "" : seconds(took(step, now)));
    }
    ticks(whole);
  }
  function ticks(whole) {
    const pace = PACES.find((each) => whole / each <= (axis.clientWidth < 300 ? 3 : 6)) ?? PACES.at(-1);
    const wanted = Math.floor(whole / pace) + 1;
    while (axis.childElementCount > wanted) axis.lastElementChild.remove();
    for (let at = 0; at < wanted; at += 1) {
      const mark = axis.children[at] ?? axis.appendChild(document.createElement("span"));
      mark.style.left = `${((at * pace) / whole) * 100}%`;
      set(mark, "textContent", at ? seconds(at * pace) : "0");
      set(mark, "hidden", at > 0 && (at * pace) / whole > 0.95);
    }
  }

  // -- what people do -----------------------------------------------------------------------------------------------------
  scroller.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  ["wheel", "touchmove", "keydown", "pointerdown"].forEach((event) => scroller.addEventListener(event, () => { follows = false; }, { passive: true }));
  counts.addEventListener("click", (event) => {
    const state = event.target.closest("button")?.dataset.state;
    if (!state) return;
    only = only === state ? null : state;
    choose();
  });
  lane.addEventListener("click", (event) => {
    if (event.target.localName !== "a" || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    document.body.dispatchEvent(new CustomEvent("wa:step", { detail: event.target.textContent }));
  });
  order.addEventListener("change", choose);
  search.addEventListener("input", choose);
  new ResizeObserver(draw).observe(scroller);
  let due = null;
  document.body.addEventListener("wa:run", (event) => {
    if (root.dataset.run in event.detail.runs) due ??= setTimeout(() => { due = null; ask(); }, 100);
  });
  setInterval(() => { if (!run.over && !document.hidden && steps.size) draw(); }, 250);
  ask();
})();
