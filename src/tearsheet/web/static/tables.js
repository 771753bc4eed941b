/* Tables of rows: the whole row opens its link; J, K, X, T and A work on them; a selection is counted. */
"use strict";

(() => {
  const ROW = "[data-rows] > tbody > tr, [data-rows] > li";
  const BOXES = '[data-rows] :is(tbody, li) input[type="checkbox"]';
  const rowsOf = () => [...document.querySelectorAll(ROW)];
  const linkOf = (row) => row?.querySelector(".row-link");
  const boxOf = (row) => row?.querySelector('input[type="checkbox"]');
  const current = () => document.activeElement?.closest(ROW);

  /* a click anywhere on a row opens it, except on something of its own or while text is selected */
  const own = "a, button, input, label, select, summary, .check";
  document.addEventListener("click", (event) => {
    const link = linkOf(event.target.closest?.(ROW));
    if (!link || event.target.closest(own) || String(getSelection())) return;
    if (event.ctrlKey || event.metaKey) open(link.href, "_blank", "noopener"); else link.click();
  });
  document.addEventListener("auxclick", (event) => {
    const link = linkOf(event.target.closest?.(ROW));
    if (link && event.button === 1 && !event.target.closest(own)) open(link.href, "_blank", "noopener");
  });

  /* selection: all at once, spans with Shift, the number beside the buttons */
  const count = () => {
    for (const form of document.querySelectorAll(".row-form")) {
      const boxes = [...form.querySelectorAll(BOXES)];
      const chosen = boxes.filter((box) => box.checked).length;
      const label = form.querySelector("[data-selected]");
      if (label) label.textContent = chosen ? `${chosen} selected` : "";
      const all = form.querySelector("[data-all]");
      if (all) { all.checked = chosen > 0 && chosen === boxes.length; all.indeterminate = chosen > 0 && chosen < boxes.length; }
      for (const button of form.querySelectorAll("[data-count]")) button.textContent = `${button.dataset.count} ${chosen || ""}`;
    }
  };
  let last = null;
  document.addEventListener("click", (event) => {
    const box = event.target;
    const form = box.matches?.('.row-form input[type="checkbox"]') && box.closest(".row-form");
    if (!form) return;
    const boxes = [...form.querySelectorAll(BOXES)];
    if ("all" in box.dataset) for (const one of boxes) one.checked = box.checked;
    else {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)];
      if (event.shiftKey && from >= 0) for (const one of boxes.slice(Math.min(from, to), Math.max(from, to))) one.checked = box.checked;
      last = box;
    }
    count();
  });
  for (const name of ["fresh", "htmx:afterSettle"]) document.addEventListener(name, count);
  addEventListener("pageshow", count);

  /* keyboard: J and K move, X selects, T goes to the tags, E to the note, A acknowledges, Escape clears */
  const move = (step) => {
    const rows = rowsOf().filter((row) => linkOf(row) && row.offsetParent);
    const at = rows.indexOf(current());
    const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)];
    linkOf(next)?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
    return Boolean(next);
  };
  const select = () => {
    const box = boxOf(current());
    if (box) { const link = document.activeElement; box.click(); link.focus(); }
    return Boolean(box);
  };
  const act = (selector) => {
    const target = [...document.querySelectorAll(selector)].find((one) => one.offsetParent);
    target?.focus();
    return Boolean(target);
  };
  const acknowledge = () => {
    const own = current()?.querySelector("[data-acknowledge]");
    if (own && !rowsOf().some((row) => boxOf(row)?.checked)) { own.click(); return true; }
    return act(".bulk [data-count]");
  };
  const clear = () => {
    const boxes = [...document.querySelectorAll(BOXES)].filter((box) => box.checked);
    for (const box of boxes) box.checked = false;
    count();
    return boxes.length > 0;
  };
  const keys = { j: () => move(1), k: () => move(-1), x: select, t: () => act("input[data-bulk], .note-form input[name=tags]"), e: () => act(".note-form textarea"), a: acknowledge };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      const pop = document.querySelector("details.pop[open]");
      if (pop) { pop.open = false; pop.querySelector("summary").focus(); } else clear();
      return;
    }
    if (event.target.closest('input:not([type="checkbox"]), select, textarea')) return;
    if (keys[event.key.toLowerCase()]?.()) event.preventDefault();
  });

  /* ages, in the words of the server */
  const age = (seconds) => {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    const hours = Math.floor(seconds / 3600);
    if (hours < 24) return `${hours}h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}m`;
    return `${Math.floor(hours / 24)} d`;
  };
  const seen = new WeakMap();
  const showAges = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      if (seen.get(time)?.ago !== time.dataset.ago) seen.set(time, { ago: time.dataset.ago, at: performance.now() });
      const text = age(Math.floor(Number(time.dataset.ago) + (performance.now() - seen.get(time).at) / 1000));
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(showAges, 5000);

  /* a panel with an ID stays open, and its field in focus, when the list around it is replaced */
  let kept = null;
  document.addEventListener("htmx:beforeSwap", () => {
    const pop = document.querySelector("details.pop[id][open]");
    const { name, value } = pop?.contains(document.activeElement) ? document.activeElement : {};
    kept = pop && { id: pop.id, field: name && `[name="${name}"][value="${CSS.escape(value)}"]` };
  });
  document.addEventListener("htmx:afterSettle", () => {
    const pop = kept && document.getElementById(kept.id);
    if (pop) { pop.open = true; if (kept.field) pop.querySelector(kept.field)?.focus(); }
    kept = null;
  });

  /* a panel closes when something else is clicked */
  document.addEventListener("click", (event) => {
    for (const pop of document.querySelectorAll("details.pop[open]")) if (!pop.contains(event.target)) pop.open = false;
  });
})();
