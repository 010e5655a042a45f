// What is wrong with how a page is laid out: wider than the window, controls that overlap, text that is cut off. Gives sentences.
() => {
  const faults = [];
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true });
  const name = (element) => {
    const words = (element.getAttribute("aria-label") || element.textContent || element.name || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.tagName.toLowerCase()}${element.className && element.className.baseVal === undefined ? "." + element.className.trim().split(/\s+/).join(".") : ""}> "${words}"`;
  };
  // The part of a rectangle that the boxes around it let through.
  function shown(element, rect) {
    let { left, right, top, bottom } = rect;
    for (let around = element.parentElement; around && around !== document.body; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = around.getBoundingClientRect();
      [left, right, top, bottom] = [Math.max(left, box.left), Math.min(right, box.right), Math.max(top, box.top), Math.min(bottom, box.bottom)];
    }
    return { left, right, top, bottom };
  }
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    const wide = [...document.body.querySelectorAll("*")].filter((one) => seen(one) && shown(one, one.getBoundingClientRect()).right > innerWidth + 1);
    faults.push(`the page is ${root.scrollWidth} wide in a window of ${innerWidth}: ${wide.slice(0, 4).map(name).join(", ")}`);
  }
  const top = document.querySelector("dialog[open]") ?? document.body;  // what is behind a dialog is covered
  const controls = [...top.querySelectorAll("button, .button, input:not([type=hidden]), select, textarea, summary, .tabs a, .bar a")]
    .filter((one) => seen(one) && !one.closest(".skip"))
    .map((one) => [one, shown(one, one.getBoundingClientRect())])
    .filter(([, rect]) => rect.right - rect.left > 1 && rect.bottom - rect.top > 1);
  controls.forEach(([one, a], index) => {
    for (const [other, b] of controls.slice(index + 1)) {
      if (one.contains(other) || other.contains(one)) continue;
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1.5 && down > 1.5) faults.push(`${name(one)} overlaps ${name(other)}`);
    }
  });
  const texts = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || element.closest("svg, script, style, select, textarea, option, datalist, .hidden, .skip, [aria-hidden=true]") || !seen(element)) continue;
    range.selectNodeContents(text);
    const rect = range.getBoundingClientRect();
    for (let around = element; around && around !== document.body; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (["auto", "scroll"].includes(style.overflowX) || ["auto", "scroll"].includes(style.overflowY)) break;
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = around.getBoundingClientRect();
      const cut = rect.right > box.right + 1.5 || rect.bottom > box.bottom + 3 || rect.left < box.left - 1.5;
      const told = (style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none") && (around.closest("[title]") || around.querySelector("[title]"));
      if (cut && !told) faults.push(`${name(around)} cuts its text off`);
      if (cut) break;
    }
  }
  return [...new Set(faults)].slice(0, 12);
}
