// The catalog: search as one types, rows that stay true while runs go on, and arrows to walk through them.
"use strict";
(() => {
  const filter = document.getElementById("catalog-filter");
  const field = document.getElementById("catalog-q");
  let typed;
  field.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(() => filter.dispatchEvent(new Event("wa:search")), 120); });
  filter.addEventListener("submit", (event) => { event.preventDefault(); filter.dispatchEvent(new Event("wa:search")); });

  const address = () => {
    const query = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value));
    if (shown() > 60) query.set("limit", shown());
    return `/assets${query.size ? `?${query}` : ""}`;
  };
  // The rows that are there are asked for again, up to as many as the server gives at once; the pages after them come as one scrolls.
  const MOST = 600;
  const shown = () => Math.max(60, document.querySelectorAll("#catalog-rows tr:not(.more)").length);
  let asking = false;
  async function refresh() {
    if (asking || document.hidden) return;
    asking = true;
    try { await htmx.ajax("GET", address(), { target: "#catalog", swap: "outerMorph" }); } finally { asking = false; }
  }
  document.addEventListener("wa:refresh", (event) => { if (event.target.id === "catalog" && shown() <= MOST) refresh(); }, true);
  document.body.addEventListener("wa:facts", () => { if (shown() <= MOST) refresh(); });
  const settle = () => { if (document.querySelector("#catalog[data-unstated]") && shown() <= MOST) setTimeout(refresh, 500); };
  document.addEventListener("htmx:after:swap", settle);
  settle();

  // arrows walk from the field through the rows
  document.addEventListener("keydown", (event) => {
    if (!["ArrowDown", "ArrowUp", "Enter"].includes(event.key) || event.target.closest("select, dialog, textarea")) return;
    const rows = [...document.querySelectorAll("#catalog-rows tr:not(.more)")];
    const now = rows.findIndex((row) => row.classList.contains("arrow"));
    if (event.key === "Enter") { if (now >= 0 && (event.target === field || event.target === document.body)) { event.preventDefault(); rows[now].querySelector("a.key").click(); } return; }
    event.preventDefault();
    const next = Math.max(0, Math.min(rows.length - 1, now + (event.key === "ArrowDown" ? 1 : -1)));
    rows[now]?.classList.remove("arrow");
    rows[next]?.classList.add("arrow");
    rows[next]?.scrollIntoView({ block: "nearest" });
  });
})();
