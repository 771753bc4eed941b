/* What the pages do beyond links and forms: theme, live refresh, ages, dropped files, keyboard. */
"use strict";

const REFRESH_MS = 5000;
const root = document.documentElement;

/* theme: the system's until the switch is used; the server writes it into the next page */
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme};path=/;max-age=31536000;samesite=lax`;
  document.dispatchEvent(new Event("themechange"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));

/* selectors that send their form at once, without what is left empty */
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-autosend]");
  if (form) form.requestSubmit();
});
const withoutEmpty = (form) => {
  for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
};
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "get") return;
  const window_ = form.querySelector("[data-window]");
  if (window_) {
    const [start, end, rolling] = ["start", "end", "rolling"].map((name) => form.elements[name].value);
    if (start && end) window_.value = "custom";
    else if (window_.value === "custom") window_.value = "monthly";
    if (rolling) form.elements.start.value = form.elements.end.value = "";
  }
  withoutEmpty(form);
});
document.addEventListener("htmx:configRequest", (event) => {
  const given = event.detail.parameters;
  if (event.detail.verb !== "get") return;
  for (const name of Object.keys(given)) if (given[name] === "") delete given[name];
});

/* how long ago the last fill was */
const ago = (seconds) => {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
};
const showAges = () => {
  for (const time of document.querySelectorAll("time[data-age]")) {
    let note = time.nextElementSibling;
    if (!note) { note = document.createElement("span"); time.after(note); }
    note.textContent = `· ${ago((Date.now() - Date.parse(time.dateTime)) / 1000)}`;
  }
};

/* live: ask again every few seconds; a page that did not change is answered with 304 and stays */
const tags = new Map();
document.addEventListener("htmx:configRequest", (event) => {
  const tag = tags.get(event.detail.path);
  if (tag && event.detail.elt.id === "live") event.detail.headers["If-None-Match"] = tag;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (xhr.status === 304) { event.detail.shouldSwap = false; return; }
  if (xhr.status >= 400 && requestConfig.elt.id !== "live") {
    /* a refusal is shown where its answer was to stand; what was to be replaced stays */
    event.detail.shouldSwap = true;
    event.detail.selectOverride = "#main > *";
    event.detail.swapOverride = "innerHTML";
    return;
  }
  if (requestConfig.elt.id === "live") {
    const busy = document.activeElement && document.activeElement.closest("#live form, #live .term");
    if (busy) { event.detail.shouldSwap = false; return; }
    tags.set(requestConfig.path, xhr.getResponseHeader("ETag"));
  }
});
const offline = document.getElementById("offline");
const reached = (well) => {
  if (!well && offline.hidden) offline.querySelector("time").textContent = new Date().toLocaleTimeString();
  offline.hidden = well;
};
document.addEventListener("htmx:sendError", () => reached(false));
document.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status >= 500) reached(false); });
document.addEventListener("htmx:afterOnLoad", () => reached(true));
document.addEventListener("htmx:beforeOnLoad", (event) => { if (event.detail.xhr.status < 500) reached(true); });
setInterval(() => {
  showAges();
  if (document.visibilityState === "visible" && document.getElementById("live")) htmx.trigger(document.body, "refresh");
}, REFRESH_MS);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && document.getElementById("live")) htmx.trigger(document.body, "refresh");
});
showAges();

/* files: dropped or chosen, and how far they have been sent */
const drop = document.querySelector("[data-drop]");
if (drop) {
  const input = drop.querySelector("input[type=file]");
  const chosen = document.querySelector("[data-chosen]");
  const name = () => { chosen.textContent = [...input.files].map((file) => file.name).join(", "); };
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); input.files = event.dataTransfer.files; name(); });
  input.addEventListener("change", name);
  document.addEventListener("htmx:xhr:progress", (event) => {
    const bar = document.querySelector("#import progress");
    if (bar && event.detail.lengthComputable) bar.value = (100 * event.detail.loaded) / event.detail.total;
  });
}

/* the map of a year begins with what is newest where it is wider than the screen */
for (const box of document.querySelectorAll("[data-end]")) box.scrollLeft = box.scrollWidth;

/* keyboard: / looks for a trade, [ and ] step to the period before and after */
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const found = {
    "/": "[data-search]", "[": 'a[rel="prev"], a[aria-label="The period before"]', "]": 'a[rel="next"], a[aria-label="The period after"]',
  }[event.key];
  const target = found && document.querySelector(found);
  if (!target) return;
  event.preventDefault();
  if (event.key === "/") target.focus(); else target.click();
});
