/* Behavior beyond links and forms: theme, ages, definitions, dropped files, keyboard shortcuts. */
"use strict";

const root = document.documentElement;

/* theme: the system's until the switch is used, then a cookie's, which the server renders into the page */
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme};path=/;max-age=31536000;samesite=lax`;
  document.dispatchEvent(new Event("themechange"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));

/* on a phone the bar has four pages and a button that shows the others */
document.getElementById("more").addEventListener("click", ({ currentTarget: button }) => {
  const open = document.querySelector(".nav").classList.toggle("open");
  button.setAttribute("aria-expanded", String(open));
});

/* a time zone that a file leaves open: the browser's is proposed */
const proposeZones = () => {
  for (const field of document.querySelectorAll("[data-browser-zone]"))
    if (!field.value) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
};
document.addEventListener("htmx:afterSettle", proposeZones);
proposeZones();

/* forms that are sent when a selector changes; GET forms leave out empty fields */
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
  const parameters = event.detail.parameters;
  if (event.detail.verb !== "get") return;
  for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
});

/* age of the last fill */
const ago = (seconds) => {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
};
const showAges = () => {
  for (const time of document.querySelectorAll("time[data-age]"))
    time.nextElementSibling.textContent = `· ${ago((Date.now() - Date.parse(time.dateTime)) / 1000)}`;
};

setInterval(showAges, 5000);
document.addEventListener("fresh", showAges);
showAges();

/* errors: their message replaces the content of the target, not the target itself */
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status < 400) { if ("part" in target.dataset) target.dataset.path = event.detail.pathInfo.requestPath; return; }
  event.detail.shouldSwap = true;
  event.detail.selectOverride = "#main > *";
  event.detail.swapOverride = "innerHTML";
});

/* definitions: by hover, focus or touch; Escape closes them */
const terms = () => document.querySelectorAll(".term[aria-expanded=true]");
const close = (except) => { for (const term of terms()) if (term !== except) term.setAttribute("aria-expanded", "false"); };
document.addEventListener("click", (event) => {
  const term = event.target.closest(".term");
  close(term);
  if (term) term.setAttribute("aria-expanded", String(term.getAttribute("aria-expanded") !== "true"));
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") { close(); document.activeElement.closest(".term")?.blur(); } });

/* files: dropped anywhere on a page that takes them, or chosen, and sent at once */
const drop = document.querySelector("[data-drop]");
if (drop) {
  const input = drop.querySelector("input[type=file]");
  const chosen = drop.querySelector("[data-chosen]");
  const send = () => {
    if (!input.files.length) return;
    const names = [...input.files].slice(0, 5).map((file) => file.name);
    chosen.textContent = `Reading ${names.join(", ")}${input.files.length > names.length ? ` and ${input.files.length - names.length} more` : ""}…`;
    drop.classList.add("sending");
    input.form.requestSubmit();
  };
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  document.addEventListener("dragenter", (event) => { if (holdsFiles(event)) { depth += 1; drop.classList.add("over"); } });
  document.addEventListener("dragleave", (event) => { if (holdsFiles(event) && (depth -= 1) < 1) drop.classList.remove("over"); });
  document.addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    drop.classList.remove("over");
    input.files = event.dataTransfer.files;
    send();
  });
  input.addEventListener("change", send);
  addEventListener("pageshow", (event) => { if (event.persisted) { drop.classList.remove("sending"); chosen.textContent = ""; input.value = ""; } });
}

/* lists that a search field shortens */
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-filter]")) return;
  const text = event.target.value.trim().toLowerCase();
  for (const item of document.querySelectorAll("[data-filtered] > *")) item.hidden = !item.dataset.text.includes(text);
});

/* heads of tables stick while rows pass below them; a table wider than its frame scrolls in it instead */
const measure = () => { for (const frame of document.querySelectorAll(".wide")) frame.toggleAttribute("data-fits", frame.scrollWidth <= frame.clientWidth + 1); };
for (const name of ["fresh", "htmx:afterSettle"]) document.addEventListener(name, measure);
for (const name of ["load", "resize"]) addEventListener(name, measure);

/* the heat map starts at its end if it is wider than the screen */
for (const box of document.querySelectorAll("[data-end]")) box.scrollLeft = box.scrollWidth;

/* keyboard: ? shows the list; G and a letter go to a page, 1 to 6 choose a range, [ and ] go to the period before and after */
const keyList = document.getElementById("keys");
const PAGES = { o: "/", d: "/day", c: "/calendar", t: "/trades", p: "/performance", r: "/risk", a: "/alerts" };
let wentAt = 0;
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys]")) keyList?.showModal();
  if (event.target.closest("[data-close]") || event.target === keyList) keyList?.close();
});
const pressed = (key) => {
  if (key === "?" && keyList) { if (!keyList.open) keyList.showModal(); return true; }
  if (keyList?.open) return false;
  const isPage = Date.now() - wentAt < 1500 && key in PAGES;
  wentAt = key === "g" ? Date.now() : 0;
  const selector = isPage ? `.nav li a:is([href="${PAGES[key]}"], [href^="${PAGES[key]}?"])` : {
    "/": "[data-search]", "[": 'a[rel="prev"], a[aria-label="Previous period"]', "]": 'a[rel="next"], a[aria-label="Next period"]', i: '.nav a[href="/import"]',
  }[key] ?? (/^[1-6]$/.test(key) ? `[aria-label="Range"] a:nth-of-type(${key})` : "");
  const target = selector && document.querySelector(selector);
  if (!target) return false;
  if (key === "/") target.focus(); else target.click();
  return true;
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (pressed(event.key.length === 1 ? event.key.toLowerCase() : event.key)) event.preventDefault();
});
