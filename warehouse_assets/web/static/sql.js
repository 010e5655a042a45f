// The SQL page: Ctrl+Enter runs, a click inserts a name, the address keeps the query, and answers are saved as files.
"use strict";
(() => {
  const form = document.getElementById("query");
  const text = form.elements.q;

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  });

  form.addEventListener("submit", remember);
  function remember() {
    const asked = new URLSearchParams(new FormData(form));
    if (asked.get("limit") === "200") asked.delete("limit");
    if (asked.toString().length < 6000) history.replaceState(history.state, "", `/sql?${asked}`);
  }

  document.querySelector(".tables").addEventListener("click", (event) => {
    const name = event.target.closest("[data-insert]")?.dataset.insert;
    if (name === undefined) return;
    if (text.value.trim()) {
      const before = text.value.slice(0, text.selectionStart);
      text.setRangeText((before && !/[\s(.]$/.test(before) ? " " : "") + name, text.selectionStart, text.selectionEnd, "end");
    } else {
      text.value = `select * from ${name}`;
    }
    text.focus();
  });

  form.elements.location?.addEventListener("change", () => document.querySelector(".tables input").dispatchEvent(new Event("search")));

  form.addEventListener("click", async (event) => {
    const kind = event.target.closest("[data-download]")?.dataset.download;
    if (!kind) return;
    const body = new FormData(form);
    body.append("kind", kind);
    form.classList.add("busy");
    try {
      const answer = await fetch("/sql/file", { method: "POST", body, headers: { "X-CSRF-Token": document.querySelector("meta[name=csrf]").content } });
      if (!answer.ok) {
        const told = await answer.json();
        wa.toast([told.error, told.hint].filter(Boolean).join(" "), { bad: true });
        return;
      }
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = `query.${kind}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    } catch { wa.toast("The server does not answer.", { bad: true }); } finally { form.classList.remove("busy"); }
  });
})();
