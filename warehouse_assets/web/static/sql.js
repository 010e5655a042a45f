// The SQL page: Ctrl+Enter, names that are inserted, the query in the address, and answers as files.
"use strict";
(() => {
  const form = document.getElementById("query");
  const field = document.getElementById("q");
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  });
  form.addEventListener("submit", () => { history.replaceState(null, "", `/sql?${new URLSearchParams({ q: field.value })}`); });
  document.addEventListener("click", async (event) => {
    const name = event.target.closest("[data-insert]")?.dataset.insert;
    if (name !== undefined) {
      event.preventDefault();
      const text = field.value ? name : `select * from ${name}`;
      field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
      field.focus();
    }
    const kind = event.target.closest("[data-download]")?.dataset.download;
    if (!kind) return;
    const asked = new FormData(form);
    asked.set("form", kind);
    const answer = await fetch("/sql", { method: "POST", body: asked, headers: { "X-CSRF-Token": document.querySelector("meta[name=csrf]").content, "HX-Request": "true" } });
    if (!answer.ok || !answer.headers.get("content-disposition")) { document.getElementById("answer").innerHTML = await answer.text(); return; }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = `answer.${kind}`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  if (!field.value) field.focus();
})();
