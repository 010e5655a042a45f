// The list of runs: choosing several. The page of a run: a log that grows, and filters as one types.
"use strict";
(() => {
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.("#runs input[name=run]")) return;
    document.getElementById("cancel-chosen").hidden = !document.querySelector("#runs input[name=run]:checked");
  });

  const log = document.getElementById("log");
  if (!log) return;
  const lines = document.getElementById("log-lines");
  const filter = document.getElementById("log-filter");
  const address = (more) => {
    const query = new URLSearchParams(new FormData(filter));
    Object.entries(more).forEach(([name, value]) => query.set(name, value));
    return `/runs/${log.dataset.run}?${query}`;
  };
  let asking = false;
  let again = false;
  async function grow() {
    if (asking) { again = true; return; }
    asking = true;
    do {
      again = false;
      const answer = await fetch(address({ part: "log", after: lines.lastElementChild?.dataset.id || 0 }), { headers: { "HX-Request": "true" } });
      if (!answer.ok) break;
      const text = await answer.text();
      const follow = innerHeight + scrollY >= document.body.scrollHeight - 80;
      if (text.trim()) { lines.insertAdjacentHTML("beforeend", text); again = lines.childElementCount % 300 === 0; }
      if (follow && text.trim()) scrollTo(0, document.body.scrollHeight);
    } while (again);
    asking = false;
  }
  async function anew() {
    const answer = await fetch(address({ part: "log" }), { headers: { "HX-Request": "true" } });
    if (answer.ok) lines.innerHTML = await answer.text();
    history.replaceState(null, "", address({}));
  }
  document.body.addEventListener("wa:run", (event) => { if (log.dataset.run in event.detail.runs) grow(); });
  filter.addEventListener("submit", (event) => { event.preventDefault(); anew(); });
  let typed;
  filter.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(anew, 200); });
})();
