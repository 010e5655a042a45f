// What all pages share: times that stay true, changes as they happen, keys, dialogs, toasts, and the token of what writes.
"use strict";
(() => {
  const csrf = document.querySelector("meta[name=csrf]").content;
  const body = document.body;

  let shifted = false;
  addEventListener("click", (event) => { shifted = event.shiftKey; }, true);

  // -- requests -----------------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:config:request", ({ detail: { ctx: { request } } }) => {
    request.headers["X-CSRF-Token"] = csrf;
    if (!(request.body instanceof FormData)) return;
    if (request.method === "GET") leaveEmptyOut(request.body);
    if (shifted && request.method === "POST" && request.action === "/launch") request.body.set("options", "1");  // which opens the dialog
    shifted = false;
  });
  // Addresses hold what is asked for, and nothing of the fields that are empty.
  function leaveEmptyOut(form) {
    for (const name of new Set(form.keys())) {
      const given = form.getAll(name).filter((value) => value !== "");
      form.delete(name);
      given.forEach((value) => form.append(name, value));
    }
  }
  let submitted = null;
  addEventListener("submit", (event) => { submitted = !event.defaultPrevented && event.target.method === "get" ? event.target : null; });
  addEventListener("formdata", (event) => { if (event.target === submitted) { submitted = null; leaveEmptyOut(event.formData); } });
  document.addEventListener("htmx:response:error", (event) => failed(event.detail.ctx.text || event.detail.ctx.response?.raw));
  document.addEventListener("htmx:error", () => toast("The server does not answer.", { bad: true }));

  async function failed(answer) {
    const text = answer instanceof Response ? await answer.clone().text() : answer || "";
    let message = text;
    try { const told = JSON.parse(text); message = [told.error, told.hint].filter(Boolean).join(" "); } catch {
      message = new DOMParser().parseFromString(text, "text/html").querySelector(".error")?.textContent || "That did not work.";
    }
    toast(message.trim(), { bad: true });
  }

  async function send(address, { method = "POST", json, form } = {}) {
    const headers = { "X-CSRF-Token": csrf, Accept: "application/json" };
    if (json !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(address, { method, headers, body: json !== undefined ? JSON.stringify(json) : form });
    if (!answer.ok) { await failed(answer); throw new Error(`${answer.status}`); }
    return answer.status === 204 ? null : answer.json();
  }

  // -- toasts and dialogs -------------------------------------------------------------------------------------------------
  function toast(text, { href, bad = false } = {}) {
    const shown = document.createElement("div");
    shown.className = bad ? "toast bad" : "toast";
    const inner = document.createElement(href ? "a" : "span");
    inner.textContent = text;
    if (href) inner.href = href;
    shown.append(inner);
    document.getElementById("toasts").append(shown);
    setTimeout(() => shown.remove(), bad ? 10000 : 5000);
  }
  body.addEventListener("wa:toast", (event) => toast(event.detail.text, event.detail));

  function settle(root) {
    times(root);
    root.querySelectorAll?.("dialog[data-open]").forEach((dialog) => { if (!dialog.open) dialog.showModal(); });
  }
  document.addEventListener("htmx:after:swap", () => settle(document));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target instanceof HTMLDialogElement) event.target.close();
    const copied = event.target.closest("[data-copy]");
    if (copied) navigator.clipboard?.writeText(copied.dataset.copy).then(() => toast("Copied."));
  });
  document.addEventListener("close", (event) => { if (event.target.matches?.("#dialog dialog")) event.target.remove(); }, true);

  // -- times --------------------------------------------------------------------------------------------------------------
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function span(seconds) {
    let left = Math.floor(Math.abs(seconds));
    const parts = [];
    for (const [size, unit] of units) {
      const count = Math.floor(left / size);
      left -= count * size;
      if (count) parts.push(`${count} ${unit}`);
      if (parts.length && (!count || parts.length === 2)) break;  // and no "1 h 48 s", which leaves out the minutes between
    }
    return parts.join(" ") || "0 s";
  }
  function times(root) {
    const now = Date.now();
    root.querySelectorAll("time[data-ago]").forEach((time) => {
      const seconds = (now - Date.parse(time.dateTime)) / 1000;
      const text = seconds < -1 ? `in ${span(seconds)}` : `${span(seconds)} ago`;
      if (time.textContent !== text) time.textContent = text;
    });
    root.querySelectorAll("[data-since]").forEach((running) => { running.textContent = span((now - Date.parse(running.dataset.since)) / 1000); });
    root.querySelectorAll("time[data-local]:not([title])").forEach((time) => {
      const moment = new Date(time.dateTime);
      time.title = time.textContent + " UTC";
      const pad = (value) => String(value).padStart(2, "0");
      time.textContent = `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())} ${pad(moment.getHours())}:${pad(moment.getMinutes())}:${pad(moment.getSeconds())}`;
    });
  }
  setInterval(() => { if (!document.hidden) times(document); }, 1000);

  // -- what happens -------------------------------------------------------------------------------------------------------
  const [after, known] = body.dataset.after ? body.dataset.after.split(":").map(Number) : [null, null];  // when the page was made
  let facts = known;
  let tick = null;
  const fire = (name, detail) => body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  function loaded(now) {
    const before = facts;
    facts = now;
    if (before !== null && before !== now) fire("wa:facts", { facts });
  }
  function changed(change) {
    loaded(change.facts);
    if (tick !== null && tick !== change.tick) fire("wa:tick", change);
    tick = change.tick;
    if (Object.keys(change.assets).length) fire("wa:asset", change);
    if (Object.keys(change.runs).length) fire("wa:run", change);
    fire("wa:change", change);
    const over = (status) => ["SUCCESS", "FAILURE", "CANCELED"].includes(status);
    const some = Object.values(change.runs).some(over);
    refresh("[data-on-run]", some, (part) => (part.dataset.onRun === "*" ? Object.keys(change.runs).length : part.dataset.onRun in change.runs), (part) => over(change.runs[part.dataset.onRun]));
    refresh("[data-on-asset]", some, (part) => part.dataset.onAsset.split(" ").some((key) => (key === "*" ? Object.keys(change.assets).length : key in change.assets)));
  }
  // A part that names a run or assets is told `wa:refresh` when something happens to them, soon and not too often; earlier when a run
  // ends, and at once where it is the one that the part names: `data-after` is for what may let others go first.
  const due = new WeakMap();
  const last = new WeakMap();
  function refresh(selector, over, concerns, ends = () => false) {
    document.querySelectorAll(selector).forEach((part) => {
      if (!concerns(part) || (due.has(part) && !over)) return;
      const pause = Number(part.dataset.pause || 150);
      const now = ends(part) || (over && performance.now() - (last.get(part) ?? -pause) >= pause);
      if (due.has(part) && !now) return;
      clearTimeout(due.get(part));
      due.set(part, setTimeout(() => { due.delete(part); last.set(part, performance.now()); part.dispatchEvent(new CustomEvent("wa:refresh")); }, now ? Number(part.dataset.after || 0) : pause));
    });
  }
  function listen() {
    if (window.SharedWorker) {
      const worker = new SharedWorker(body.dataset.live);
      worker.port.onmessage = ({ data }) => { if (data.change) changed(data.change); else loaded(data.facts); };
      worker.port.postMessage({ after });
      addEventListener("pagehide", () => worker.port.postMessage("leave"));
      addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    } else {
      const source = new EventSource(after === null ? "/live" : `/live?after=${after}`);
      source.onmessage = (event) => changed(JSON.parse(event.data));
      source.addEventListener("facts", (event) => loaded(Number(event.data)));
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.closest?.("form.launch")?.requestSubmit();
  });

  // -- keys ---------------------------------------------------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], dialog[open], [data-keys]")) {
      if (event.key === "Escape" && event.target.matches("input[type=search]")) event.target.blur();
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      const field = document.querySelector("[data-search]");
      if (field) { field.focus(); field.select(); } else location.href = "/assets?focus=1";
      return;
    }
    const link = [...document.querySelectorAll("a[data-key]")].find((one) => one.dataset.key === event.key);
    if (link) { event.preventDefault(); link.click(); }
  });

  window.wa = { send, toast, times, span };
  if (document.querySelector("main")) { settle(document); listen(); }
  if (new URLSearchParams(location.search).has("focus")) document.querySelector("[data-search]")?.focus();
})();
