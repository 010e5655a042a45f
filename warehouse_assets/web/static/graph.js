// The lineage graph: one pan and zoom for the SVG of some and the canvas of thousands, keys, choosing, and states as they change.
"use strict";
(() => {
  const box = document.getElementById("graph");
  if (!box) return;
  const svg = box.querySelector("svg.lineage");
  const canvas = document.getElementById("whole");
  const [WIDTH, HEIGHT, MARGIN] = [190, 36, 30];
  const view = { x: 0, y: 0, scale: 1 }; // the point of the graph in the upper left corner, and pixels for each of its units
  const SIGNS = { fresh: "✓", stale: "◐", missing: "○", failed: "✕", materializing: "▶", source: "◇", unknown: "?" };
  const size = { width: Number(svg?.dataset.width || 1), height: Number(svg?.dataset.height || 1) };
  let draw = () => {};
  let hover = () => -1;
  let pending = false;
  let inside = () => []; // the keys of what a rectangle of the graph touches
  let count = () => {}; // says in the legend how many nodes stand in each state
  const segments = (key) => key.match(/(?:\\[^]|[^/\\])+/g).map((part) => part.replace(/\\([^])/g, "$1"));
  const redraw = () => { if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; draw(); }); } };

  // -- moving ---------------------------------------------------------------------------------------------------------------
  function fit(least = 0.004) {
    const area = { x: 0, y: 0, width: size.width, height: size.height };
    const [wide, high] = [box.clientWidth, box.clientHeight];
    view.scale = Math.min((wide - 2 * MARGIN) / area.width, (high - 2 * MARGIN) / area.height, 1.25);
    view.scale = Math.max(view.scale, least);
    view.x = area.width * view.scale < wide ? area.x + area.width / 2 - wide / 2 / view.scale : area.x - MARGIN / view.scale;
    view.y = area.height * view.scale < high ? area.y + area.height / 2 - high / 2 / view.scale : area.y - MARGIN / view.scale;
    redraw();
  }
  function zoom(factor, x = box.clientWidth / 2, y = box.clientHeight / 2) {
    const scale = Math.min(Math.max(view.scale * factor, 0.004), 3);
    view.x += x / view.scale - x / scale;
    view.y += y / view.scale - y / scale;
    view.scale = scale;
    redraw();
  }
  function move(x, y) { view.x -= x / view.scale; view.y -= y / view.scale; redraw(); }

  const pointers = new Map();
  let moved = 0;
  let band = null; // the rectangle that chooses what it touches, from where it began
  const surface = svg || canvas;
  if (surface) {
    surface.addEventListener("wheel", (event) => {
      event.preventDefault();
      const at = box.getBoundingClientRect();
      if (event.ctrlKey || !event.shiftKey) zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - at.left, event.clientY - at.top);
      else move(-event.deltaY, 0);
    }, { passive: false });
    surface.addEventListener("pointerdown", (event) => {
      if (event.shiftKey && !event.target.closest(".node")) { band = new Band(event); return; }
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (pointers.size === 1) moved = 0;
    });
    addEventListener("pointermove", (event) => {
      band?.to(event);
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      if (pointers.size === 1) { if (moved > 4) move(dx, dy); } else {
        const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
        const [was, is] = [Math.hypot(before[0] - other[0], before[1] - other[1]), Math.hypot(event.clientX - other[0], event.clientY - other[1])];
        const at = box.getBoundingClientRect();
        if (was > 0) zoom(is / was, (event.clientX + other[0]) / 2 - at.left, (event.clientY + other[1]) / 2 - at.top);
      }
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, (event) => { pointers.delete(event.pointerId); band?.end(); band = null; });
    surface.addEventListener("dragstart", (event) => event.preventDefault());
    surface.addEventListener("click", (event) => { if (moved > 4) { event.preventDefault(); event.stopPropagation(); } }, true);
  }
  document.addEventListener("click", (event) => {
    const what = event.target.closest("[data-graph]")?.dataset.graph;
    if (what === "in") zoom(1.3);
    if (what === "out") zoom(1 / 1.3);
    if (what === "fit") fit();
    if (what === "clear") { picked.clear(); told(); }
  });
  addEventListener("resize", redraw);
  class Band {
    constructor(event) {
      const at = box.getBoundingClientRect();
      this.from = [event.clientX - at.left, event.clientY - at.top];
      this.shown = document.createElement("div");
      this.shown.className = "band";
      box.append(this.shown);
      this.to(event);
    }
    to(event) {
      const at = box.getBoundingClientRect();
      const to = [event.clientX - at.left, event.clientY - at.top];
      [this.left, this.right] = [this.from[0], to[0]].sort((a, b) => a - b);
      [this.top, this.bottom] = [this.from[1], to[1]].sort((a, b) => a - b);
      Object.assign(this.shown.style, { left: `${this.left}px`, top: `${this.top}px`, width: `${this.right - this.left}px`, height: `${this.bottom - this.top}px` });
      moved = this.right - this.left + this.bottom - this.top;
    }
    end() {
      this.shown.remove();
      if (moved <= 4) return;
      const [x, y] = [(pixel) => pixel / view.scale + view.x, (pixel) => pixel / view.scale + view.y];
      inside(x(this.left), y(this.top), x(this.right), y(this.bottom)).forEach((key) => picked.add(key));
      told();
    }
  }

  // -- one state alone ------------------------------------------------------------------------------------------------------------
  const legend = [...box.querySelectorAll(".legend button")];
  const lone = () => box.dataset.only ?? null;
  legend.forEach((button) => button.addEventListener("click", () => {
    if (lone() === button.dataset.state) delete box.dataset.only; else box.dataset.only = button.dataset.state;
    legend.forEach((one) => one.setAttribute("aria-pressed", one.dataset.state === lone()));
    redraw();
  }));
  const counted = (states) => legend.forEach((button) => {
    const found = states.get(button.dataset.state) || 0;
    button.querySelector("b").textContent = found.toLocaleString("en-US");
    button.hidden = !found && lone() !== button.dataset.state;
  });

  // -- choosing several -------------------------------------------------------------------------------------------------------
  const picked = new Set();
  const chosen = document.getElementById("graph-chosen");
  function told() {
    chosen.hidden = picked.size === 0;
    chosen.querySelector("span").textContent = `${picked.size} chosen`;
    document.getElementById("graph-launch").value = [...picked].map((key) => key.replaceAll(",", "\\,")).join(",");
    svg?.querySelectorAll(".node[data-key]").forEach((node) => node.classList.toggle("picked", picked.has(node.dataset.key)));
    redraw();
  }
  const pick = (key) => { if (picked.has(key)) picked.delete(key); else picked.add(key); told(); };

  // -- some nodes: SVG ----------------------------------------------------------------------------------------------------------
  function drawn() {
    draw = () => {
      const [wide, high] = [box.clientWidth / view.scale, box.clientHeight / view.scale];
      svg.setAttribute("viewBox", `${view.x} ${view.y} ${wide} ${high}`);
      svg.classList.toggle("far", view.scale < 0.62);
      svg.classList.toggle("farther", view.scale < 0.35);
    };
    const nodes = [...svg.querySelectorAll(".node")];
    const edges = [...svg.querySelectorAll(".edges path")];
    const light = (number) => edges.forEach((edge) => edge.classList.toggle("near", number !== null && (edge.dataset.start === number || edge.dataset.end === number)));
    nodes.forEach((node) => {
      node.addEventListener("pointerenter", () => light(node.dataset.number));
      node.addEventListener("pointerleave", () => light(null));
      node.addEventListener("focus", () => light(node.dataset.number));
      node.addEventListener("click", (event) => { if ((event.shiftKey || event.ctrlKey || event.metaKey) && node.dataset.key) { event.preventDefault(); pick(node.dataset.key); } });
    });
    inside = (left, top, right, bottom) => nodes.filter((node) => {
      const { x, y } = node.querySelector("rect");
      return node.dataset.key && x.baseVal.value < right && x.baseVal.value + WIDTH > left && y.baseVal.value < bottom && y.baseVal.value + HEIGHT > top;
    }).map((node) => node.dataset.key);
    count = () => {
      const states = new Map();
      nodes.forEach((node) => { const state = /is-(\w+)/.exec(node.getAttribute("class"))[1]; states.set(state, (states.get(state) || 0) + 1); });
      counted(states);
    };
    count();
    const middle = (node) => { const rect = node.querySelector("rect"); return [rect.x.baseVal.value + WIDTH / 2, rect.y.baseVal.value + HEIGHT / 2]; };
    box.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!steps) return;
      const from = document.activeElement.closest?.(".node") || nodes[0];
      const [x, y] = middle(from);
      let best = null;
      let least = Infinity;
      for (const node of nodes) {
        const [to, down] = middle(node);
        const ahead = (to - x) * steps[0] + (down - y) * steps[1];
        const aside = Math.abs((to - x) * steps[1]) + Math.abs((down - y) * steps[0]);
        if (ahead > 1 && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = node; }
      }
      if (!best) return;
      event.preventDefault();
      best.focus();
      const [to, down] = middle(best);
      const [right, low] = [(to - view.x) * view.scale, (down - view.y) * view.scale];
      if (right < 100 || right > box.clientWidth - 100) view.x = to - box.clientWidth / 2 / view.scale;
      if (low < 40 || low > box.clientHeight - 40) view.y = down - box.clientHeight / 2 / view.scale;
      redraw();
    });
    const focus = svg.querySelector(".node.chosen");
    fit(0.65); // at first so that all names can be read
    if (focus && view.scale < 0.5) { const [x, y] = middle(focus); view.scale = 0.8; view.x = x - box.clientWidth / 1.6; view.y = y - box.clientHeight / 1.6; redraw(); }
  }

  // -- thousands: canvas ----------------------------------------------------------------------------------------------------------
  let graph = null;
  let at = -1;
  async function whole() {
    const hint = document.getElementById("whole-hint");
    hint.textContent = "Loading the graph…";
    const answer = await fetch(`/api/graph${canvas.dataset.query}`);
    if (!answer.ok) { hint.textContent = "The graph could not be loaded."; return; }
    const told_ = await answer.json();
    hint.textContent = "";
    graph = { ...told_, x: Int32Array.from(told_.x), y: Int32Array.from(told_.y), states: Uint8Array.from(told_.states), edges: Int32Array.from(told_.edges) };
    [size.width, size.height] = [graph.width, graph.height];
    const names = graph.keys.map((key) => segments(key).slice(-2).join("/"));
    const numbers = new Map(graph.keys.map((key, number) => [key, number]));
    const context = canvas.getContext("2d", { alpha: false });
    const CELL = 2000; // the nodes of each part of the plane, so that only those in sight are looked at
    const cells = new Map();
    for (let i = 0; i < graph.x.length; i++) {
      const cell = `${Math.floor(graph.x[i] / CELL)},${Math.floor(graph.y[i] / CELL)}`;
      if (!cells.has(cell)) cells.set(cell, []);
      cells.get(cell).push(i);
    }
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    let colours;
    const read = () => {
      colours = { back: colour("--surface"), line: colour("--strong"), text: colour("--text"), accent: colour("--accent"), raised: colour("--raised"),
        states: graph.words.map((word) => colour({ fresh: "--ok", stale: "--warn", failed: "--bad", materializing: "--run" }[word] || "--none")) };
    };
    read();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { read(); redraw(); });
    const inSight = function* (left, top, right, bottom) {
      for (let column = Math.floor((left - WIDTH) / CELL); column <= Math.floor(right / CELL); column++)
        for (let row = Math.floor((top - HEIGHT) / CELL); row <= Math.floor(bottom / CELL); row++) yield* cells.get(`${column},${row}`) || [];
    };
    inside = (left, top, right, bottom) => [...inSight(left, top, right, bottom)].filter((i) =>
      graph.x[i] < right && graph.x[i] + WIDTH > left && graph.y[i] < bottom && graph.y[i] + HEIGHT > top).map((i) => graph.keys[i]);
    count = () => {
      const states = new Map();
      for (const state of graph.states) states.set(graph.words[state], (states.get(graph.words[state]) || 0) + 1);
      counted(states);
    };
    draw = () => {
      const ratio = devicePixelRatio || 1;
      const [wide, high] = [box.clientWidth, box.clientHeight];
      if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) { canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio); }
      const scale = view.scale;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.fillStyle = colours.back;
      context.fillRect(0, 0, wide, high);
      const [left, top, right, bottom] = [view.x, view.y, view.x + wide / scale, view.y + high / scale];
      context.strokeStyle = colours.line;
      context.lineWidth = scale > 0.5 ? 1 : 0.5;
      context.globalAlpha = scale > 0.3 ? 0.9 : 0.35;
      context.beginPath();
      for (let i = 0; i < graph.edges.length; i += 2) {
        const [a, b] = [graph.edges[i], graph.edges[i + 1]];
        const [x1, y1, x2, y2] = [graph.x[a] + WIDTH, graph.y[a] + HEIGHT / 2, graph.x[b], graph.y[b] + HEIGHT / 2];
        if (x2 < left || x1 > right || (y1 < top && y2 < top) || (y1 > bottom && y2 > bottom)) continue;
        const [px, py, qx, qy] = [(x1 - view.x) * scale, (y1 - view.y) * scale, (x2 - view.x) * scale, (y2 - view.y) * scale];
        context.moveTo(px, py);
        if (scale > 0.3) { const middle = (px + qx) / 2; context.bezierCurveTo(middle, py, middle, qy, qx, qy); } else context.lineTo(qx, qy);
      }
      context.stroke();
      context.globalAlpha = 1;
      const near = scale > 0.62;
      const [nodeWide, nodeHigh] = [Math.max(WIDTH * scale, 2), Math.max(HEIGHT * scale, 2)];
      const byState = graph.words.map(() => []);
      for (const i of inSight(left, top, right, bottom)) byState[graph.states[i]].push(i);
      byState.forEach((nodes, state) => {
        context.globalAlpha = lone() === null || lone() === graph.words[state] ? 1 : 0.15;
        context.fillStyle = near ? colours.raised : colours.states[state];
        context.strokeStyle = colours.states[state];
        context.beginPath();
        for (const i of nodes) context.rect((graph.x[i] - view.x) * scale, (graph.y[i] - view.y) * scale, nodeWide, nodeHigh);
        context.fill();
        if (scale > 0.12) context.stroke();
        if (!near) return;
        context.font = `${Math.max(12 * scale, 9)}px ui-monospace, monospace`;
        context.textBaseline = "middle";
        context.fillStyle = colours.states[state];
        for (const i of nodes) context.fillText(SIGNS[graph.words[state]], (graph.x[i] + 9 - view.x) * scale, (graph.y[i] + HEIGHT / 2 - view.y) * scale);
        context.fillStyle = colours.text;
        const room = Math.floor((WIDTH - 34) / 7.3);
        for (const i of nodes) {
          const name = names[i].length > room ? `…${names[i].slice(1 - room)}` : names[i];
          context.fillText(name, (graph.x[i] + 26 - view.x) * scale, (graph.y[i] + HEIGHT / 2 - view.y) * scale);
        }
      });
      context.globalAlpha = 1;
      context.lineWidth = 2;
      context.strokeStyle = colours.accent;
      const marked = [...[...picked].map((key) => numbers.get(key)), at].filter((i) => i >= 0);
      for (const i of marked) context.strokeRect((graph.x[i] - view.x) * scale - 1, (graph.y[i] - view.y) * scale - 1, nodeWide + 2, nodeHigh + 2);
    };
    hover = (event) => {
      const area = canvas.getBoundingClientRect();
      const [x, y] = [(event.clientX - area.left) / view.scale + view.x, (event.clientY - area.top) / view.scale + view.y];
      const slack = view.scale < 0.1 ? 3 / view.scale : 0;
      for (const i of inSight(x - slack, y - slack, x + slack, y + slack))
        if (x >= graph.x[i] - slack && x <= graph.x[i] + WIDTH + slack && y >= graph.y[i] - slack && y <= graph.y[i] + HEIGHT + slack) return i;
      return -1;
    };
    const tell = (i) => { at = i; hint.textContent = i >= 0 ? `${graph.keys[i]}: ${graph.words[graph.states[i]]}` : ""; canvas.style.cursor = ""; redraw(); };
    const open = (i) => { location.href = `/assets/${segments(graph.keys[i]).map((part) => encodeURIComponent(/^\\*(\.|\.\.|-)$/.test(part) ? `\\${part}` : part)).join("/")}`; };
    canvas.addEventListener("pointermove", (event) => { if (!pointers.size) { const i = hover(event); if (i !== at) tell(i); } });
    canvas.addEventListener("click", (event) => { const i = hover(event); if (i < 0) return; if (event.shiftKey || event.ctrlKey || event.metaKey) pick(graph.keys[i]); else open(i); });
    const centre = (i) => { tell(i); if (view.scale < 0.62) view.scale = 0.8; view.x = graph.x[i] + WIDTH / 2 - box.clientWidth / 2 / view.scale; view.y = graph.y[i] + HEIGHT / 2 - box.clientHeight / 2 / view.scale; redraw(); };
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && at >= 0) { open(at); return; }
      if (event.key === " " && at >= 0) { event.preventDefault(); pick(graph.keys[at]); return; }
      const pixels = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] }[event.key];
      if (!pixels) return;
      event.preventDefault();
      if (at < 0) { move(...pixels); return; }
      const next = [];
      for (let i = 0; i < graph.edges.length; i += 2) {
        if (event.key === "ArrowRight" && graph.edges[i] === at) next.push(graph.edges[i + 1]);
        if (event.key === "ArrowLeft" && graph.edges[i + 1] === at) next.push(graph.edges[i]);
      }
      if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        const sign = event.key === "ArrowDown" ? 1 : -1;
        for (let i = 0; i < graph.x.length; i++) if (graph.x[i] === graph.x[at] && (graph.y[i] - graph.y[at]) * sign > 0) next.push(i);
      }
      if (next.length) centre(next.sort((a, b) => Math.abs(graph.y[a] - graph.y[at]) - Math.abs(graph.y[b] - graph.y[at]))[0]);
    });
    // Words that are no selection are looked for here, as one types.
    document.getElementById("graph-select").addEventListener("input", (event) => {
      const text = event.target.value.trim().toLowerCase();
      const found = text ? graph.keys.findIndex((key) => key.toLowerCase().includes(text)) : -1;
      if (found >= 0) centre(found);
    });
    fit();
    draw();
    count();
    box.dataset.drawn = "";
  }

  // -- states as they change ----------------------------------------------------------------------------------------------------
  let asking = false;
  let again = false; // something changed while they were asked for
  async function states() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      if (box.dataset.mode === "groups") { const text = await (await fetch(location.href, { headers: { "HX-Request": "true" } })).text(); const fresh = new DOMParser().parseFromString(text, "text/html"); fresh.querySelectorAll(".node").forEach((node) => { const mine = svg?.querySelector(`.node[data-number="${node.dataset.number}"]`); if (mine) { mine.setAttribute("class", node.getAttribute("class")); mine.innerHTML = node.innerHTML; } }); count(); return; }
      const found = await (await fetch("/api/graph/states")).json();
      if (graph) { graph.keys.forEach((key, i) => { const state = graph.words.indexOf(found[key]); if (state >= 0) graph.states[i] = state; }); redraw(); }
      svg?.querySelectorAll(".node[data-key]").forEach((node) => {
        const state = found[node.dataset.key];
        if (!state || node.classList.contains(`is-${state}`)) return;
        node.setAttribute("class", `node is-${state}${node.classList.contains("chosen") ? " chosen" : ""}${node.classList.contains("picked") ? " picked" : ""}`);
        node.querySelector(".sign").textContent = SIGNS[state];
        node.querySelector("title").textContent = `${node.dataset.key}: ${state}`;
        node.setAttribute("aria-label", `${node.dataset.key}, ${state}`);
      });
      count();
    } finally { asking = false; }
    if (again) { again = false; states(); }
  }
  box.addEventListener("wa:refresh", states);
  document.body.addEventListener("wa:facts", () => { if (!svg && !canvas) location.reload(); });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest?.("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "f") fit();
    if (event.key === "+" || event.key === "=") zoom(1.3);
    if (event.key === "-") zoom(1 / 1.3);
  });
  if (svg) drawn();
  if (canvas) whole();
  if (svg || canvas) setTimeout(states, 600);
})();
