// The list of runs: choosing several. The page of a run: a log that grows, and filters as one types.
"use strict";
(() => {
  const chosen = () => document.querySelectorAll("#runs input[name=run]:checked").length;
  const tell = () => {
    const button = document.getElementById("cancel-chosen");
    if (!button) return;
    button.hidden = !chosen();
    button.textContent = `Cancel ${chosen()} run${chosen() > 1 ? "s" : ""}`;
  };
  document.addEventListener("change", (event) => { if (event.target.matches?.("#runs input[name=run]")) tell(); });
  document.addEventListener("htmx:after:swap", tell);
  document.addEventListener("htmx:config:request", (event) => { // as many rows as are shown, or those that were asked for would go
    const { request } = event.detail.ctx;
    const shown = document.querySelectorAll("#run-rows tr[id]").length;
    if (event.target.id === "runs" && shown > 50) request.action += `${request.action.includes("?") ? "&" : "?"}rows=${shown}`;
  });

  const log = document.getElementById("log");
  if (!log) return;
  const MOST = 1000; // lines that are kept
  const [lines, filter, printed, output, earlier, none] = ["log-lines", "log-filter", "log-printed", "output", "log-earlier", "log-none"].map((id) => document.getElementById(id));
  const address = (more) => {
    const query = new URLSearchParams([...new FormData(filter), ...Object.entries(more)].filter(([, value]) => value !== ""));
    return `/runs/${log.dataset.run}?${query}`;
  };
  const read = async (more) => {
    const answer = await fetch(address(more), { headers: { "HX-Request": "true" } }).catch(() => null);
    return answer?.ok ? answer.text() : null;
  };
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  function clocks() { // the server knows no zone but its own
    lines.querySelectorAll("time[data-clock]").forEach((time) => {
      const moment = new Date(time.dateTime);
      time.title = moment.toLocaleString();
      time.textContent = `${pad(moment.getHours())}:${pad(moment.getMinutes())}:${pad(moment.getSeconds())}.${pad(moment.getMilliseconds(), 3)}`;
      delete time.dataset.clock;
    });
  }
  const LINES = 300; // that come at once
  let asking = false;
  let again = false;
  let turn = 0;
  async function grow() {
    if (asking) { again = true; return; }
    asking = true;
    do {
      again = false;
      const mine = turn;
      const before = lines.childElementCount;
      const text = await read({ part: "log", after: lines.lastElementChild?.dataset.id || 0 });
      if (text === null) break;
      if (mine !== turn || !text.trim()) continue;
      const follow = innerHeight + scrollY >= document.body.scrollHeight - 80;
      lines.insertAdjacentHTML("beforeend", text);
      clocks();
      none.hidden = true;
      again ||= lines.childElementCount - before >= LINES;
      if (lines.childElementCount > MOST && follow) {
        while (lines.childElementCount > MOST) lines.firstElementChild.remove();
        earlier.hidden = false;
      }
      if (follow && scrollY > 0) scrollTo(0, document.body.scrollHeight);
    } while (again);
    asking = false;
  }
  async function anew() {
    const mine = (turn += 1);
    history.replaceState(null, "", address({}));
    if (!output.hidden) print();
    const text = await read({ part: "log" });
    if (text === null || mine !== turn) return;
    lines.innerHTML = text;
    clocks();
    none.hidden = lines.childElementCount > 0;
    earlier.hidden = lines.childElementCount < LINES;
  }
  async function print() {
    const text = await read({ part: "output" });
    if (text !== null) output.innerHTML = text;
  }
  earlier.addEventListener("click", async () => {
    const [mine, before] = [turn, lines.childElementCount];
    const text = await read({ part: "log", before: lines.firstElementChild?.dataset.id });
    if (text === null || mine !== turn) return;
    const height = document.body.scrollHeight;
    lines.insertAdjacentHTML("afterbegin", text);
    clocks();
    scrollBy(0, document.body.scrollHeight - height);
    earlier.hidden = lines.childElementCount - before < LINES;
  });
  printed.addEventListener("click", () => {
    output.hidden = !output.hidden;
    printed.setAttribute("aria-pressed", !output.hidden);
    if (!output.hidden) print();
  });
  document.body.addEventListener("wa:run", (event) => {
    if (!(log.dataset.run in event.detail.runs)) return;
    grow();
    if (!output.hidden) print();
  });
  document.body.addEventListener("wa:step", (event) => {
    filter.step.value = event.detail;
    filter.level.value = "DEBUG";
    anew();
    log.scrollIntoView();
  });
  filter.addEventListener("submit", (event) => { event.preventDefault(); anew(); });
  clocks();
  let typed;
  filter.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(anew, 200); });
})();
