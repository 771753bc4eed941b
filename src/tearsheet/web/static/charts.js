/* Charts: drawn by the server for the width of their box; here are pointer, keyboard, zoom and table.
   Nothing is computed: every value shown is a text of the answer. Lengths of the answer are tenths of a pixel. */
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg", LEAST_DRAG = 8, PINCH = 2;
  const states = new Map();
  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text != null) element.textContent = text;
    return element;
  };
  const drawn = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const toneOf = (text) => (text.startsWith("+") ? "gain" : text.startsWith("\u2212") ? "loss" : "");
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  /* zoom is a part of the address, behind the # */
  const zoomInAddress = () => /^#zoom=(\d{4}-\d\d-[\dT:.]+Z?)\.\.(\d{4}-\d\d-[\dT:.]+Z?)$/.exec(location.hash)?.slice(1) ?? null;
  const putZoom = (zoom) => history.replaceState(null, "", zoom ? `#zoom=${zoom[0]}..${zoom[1]}` : location.pathname + location.search);

  /* the unit of a curve is chosen beside it, and remembered */
  const unitsOf = (box) => [...box.closest(".card")?.querySelectorAll("[data-unit]") ?? []];
  const unitOf = (box) => unitsOf(box).find((one) => one.getAttribute("aria-pressed") === "true")?.dataset.unit;
  function choose(button) {
    for (const one of button.parentElement.children) one.setAttribute("aria-pressed", String(one === button));
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-unit]");
    if (!button) return;
    choose(button);
    localStorage.setItem("curve-unit", button.dataset.unit);
    for (const box of button.closest(".card").querySelectorAll("[data-chart]")) load(box);
  });
  function remembered(box) {
    const button = unitsOf(box).find((one) => one.dataset.unit === localStorage.getItem("curve-unit") && !one.disabled);
    if (button) choose(button);
  }

  function addressOf(box, zoom) {
    const height = Math.max(box.clientHeight, parseInt(getComputedStyle(box).minHeight, 10) || 220);
    const address = new URL(box.dataset.source, location.href);
    address.searchParams.set("width", clamp(Math.floor(box.clientWidth), 120, 4000));
    address.searchParams.set("height", clamp(height, 80, 2000));
    const unit = unitOf(box);
    if (unit && unit !== "money") address.searchParams.set("unit", unit);
    if (zoom) { address.searchParams.set("zoom_start", zoom[0]); address.searchParams.set("zoom_end", zoom[1]); }
    return address;
  }

  async function load(box) {
    const state = states.get(box) ?? begin(box);
    const number = (state.number += 1);
    state.size = [box.clientWidth, box.clientHeight];
    try {
      const answer = await fetch(addressOf(box, state.zoom), { headers: { Accept: "text/html" } });
      const text = await answer.text();
      if (number !== state.number) return;
      if (answer.redirected) { location.reload(); return; } // the login page is no answer
      if (!answer.ok) throw new Error(answer.statusText || String(answer.status));
      show(box, state, text);
    } catch (error) {
      if (number === state.number) showProblem(box, state, error);
    }
    if (number === state.number) box.dataset.ready = "yes";
  }

  function begin(box) {
    const state = { number: 0, found: null, at: null, zoom: "zoom" in box.dataset ? zoomInAddress() : null, size: [0, 0] };
    states.set(box, state);
    remembered(box);
    sizes.observe(box);
    box.addEventListener("pointerdown", (event) => press(box, state, event));
    box.addEventListener("pointermove", (event) => move(box, state, event));
    box.addEventListener("pointerup", (event) => release(box, state, event));
    box.addEventListener("pointercancel", () => { state.pressed = null; state.fingers?.clear(); band(state, null); });
    box.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && !state.pressed) point(box, state, null); });
    box.addEventListener("dblclick", (event) => { if (!event.target.closest("button, a, table")) reset(box, state); });
    box.addEventListener("keydown", (event) => key(box, state, event));
    box.addEventListener("blur", () => { if (state.byKey) point(box, state, null); });
    return state;
  }

  function show(box, state, text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const picture = page.querySelector("svg.plot");
    if (!picture && !page.querySelector("p.empty")) throw new Error("the answer is no chart");
    state.found = picture ? JSON.parse(page.querySelector("script.found").textContent) : null;
    state.svg = picture ? document.importNode(picture, true) : null;
    const shown = state.at;
    state.at = null;
    if (!picture) {
      box.replaceChildren(make("p", "empty", unitOf(box) === "r" ? "No closed trade of this period has an initial stop." : box.dataset.empty ?? page.body.textContent.trim()));
      return;
    }
    state.layer = state.svg.appendChild(drawn("g", { class: "pointed", "aria-hidden": "true" }));
    state.tip = make("div", "tip");
    state.tip.hidden = true;
    state.said = make("p", "hidden");
    state.said.setAttribute("role", "status");
    const hasTable = Boolean(box.querySelector("table"));
    box.replaceChildren(state.svg, ...tools(box, state), state.tip, state.said);
    if (hasTable) table(box, state);
    if (shown != null && shown < state.found.stops.length) point(box, state, shown, state.byKey);
  }

  /* an older picture stays, but says that it is one */
  function showProblem(box, state, error) {
    const words = make("p", state.found ? "chart-note" : "empty", state.found ? "Not up to date: this chart could not be loaded. " : `This chart could not be loaded: ${error.message}. `);
    words.setAttribute("role", "status");
    const again = make("button", "plain", "Try again");
    again.type = "button";
    again.addEventListener("click", () => load(box));
    words.append(again);
    if (!state.found) { box.replaceChildren(words); return; }
    box.querySelector(".chart-note")?.remove();
    box.append(words);
  }

  function tools(box, state) {
    if (!state.zoom) return [];
    const row = make("p", "zoom-tools");
    row.append(make("span", "", state.found?.shown || `${state.zoom[0]} to ${state.zoom[1]}`));
    const back = make("button", "", "Reset zoom");
    back.type = "button";
    back.addEventListener("click", () => reset(box, state));
    row.append(back);
    if (box.dataset.range && !state.zoom[0].includes("T")) {
      const use = make("a", "button", "Use this range");
      const address = new URL(box.dataset.range, location.href);
      address.searchParams.set("start", state.zoom[0]);
      address.searchParams.set("end", state.zoom[1]);
      use.href = address.pathname + address.search;
      row.append(use);
    }
    return [row];
  }

  /* the point nearest to a place */
  const placeIn = (state, event) => {
    const seen = state.svg.getBoundingClientRect();
    const scale = seen.width ? state.svg.viewBox.baseVal.width / seen.width : 1;
    return [(event.clientX - seen.left) * scale * 10, (event.clientY - seen.top) * scale * 10];
  };
  function nearest(stops, x) {
    let low = 0, high = stops.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (stops[middle][0] < x) low = middle + 1; else high = middle;
    }
    return low > 0 && x - stops[low - 1][0] < stops[low][0] - x ? low - 1 : low;
  }

  function point(box, state, number, byKey = false) {
    if (!state.found) return;
    state.at = number;
    state.byKey = byKey;
    state.layer.replaceChildren(...(state.band ? [state.band] : []));
    state.tip.hidden = number == null;
    if (number == null) return;
    const [x, heights, title, values] = state.found.stops[number];
    const [, top, , bottom] = state.found.area;
    state.layer.append(drawn("path", { class: "cross", d: `M${x / 10} ${top / 10}V${bottom / 10}` }));
    for (const y of heights) state.layer.append(drawn("circle", { cx: x / 10, cy: y / 10, r: 4 }));
    const rows = values.map((value, n) => {
      const row = make("span");
      row.append(make("i", "", state.found.names[n]), make("b", "", value));
      return row;
    });
    state.tip.replaceChildren(make("strong", "", title), ...rows);
    const scale = state.svg.getBoundingClientRect().width / state.svg.viewBox.baseVal.width;
    const [left, room] = [(x / 10) * scale, box.clientWidth];
    const width = state.tip.offsetWidth;
    state.tip.style.left = `${clamp(left + 12 + width > room ? left - 12 - width : left + 12, 0, Math.max(room - width, 0))}px`;
    state.tip.style.top = `${clamp((heights[0] / 10) * scale + 12, 0, Math.max(box.clientHeight - state.tip.offsetHeight, 0))}px`;
    if (byKey) state.said.textContent = [title, ...values.map((value, n) => `${state.found.names[n]} ${value}`)].join(", ");
  }

  function band(state, ends) {
    state.band?.remove();
    state.band = null;
    if (!ends) return;
    const [, top, , bottom] = state.found.area;
    const [left, right] = [Math.min(...ends), Math.max(...ends)];
    state.band = drawn("rect", { class: "chosen", x: left / 10, y: top / 10, width: (right - left) / 10, height: (bottom - top) / 10 });
    state.layer.append(state.band);
  }

  /* pointers: move to see, drag to zoom, pinch to zoom, drag the ends of the strip */
  const canZoom = (box, state) => "zoom" in box.dataset && state.found?.stops.length > 1 && state.found.stops[0][4] !== state.found.stops.at(-1)[5];
  function press(box, state, event) {
    if (!state.found || event.button || event.target.closest("button, a, table")) return;
    const [x, y] = placeIn(state, event);
    const strip = state.found.strip;
    if (strip && y >= strip.top - 40 && y <= strip.bottom + 60) {
      const [start, end] = strip.view;
      const part = Math.abs(x - start) < 140 ? 0 : Math.abs(x - end) < 140 ? 1 : x > start && x < end ? 2 : 3;
      state.pressed = { kind: "strip", part, x, view: [...strip.view] };
      if (part === 3) { const half = (end - start) / 2; state.pressed = { kind: "strip", part: 2, x, view: [x - half, x + half] }; }
      box.setPointerCapture(event.pointerId);
      event.preventDefault();
      return;
    }
    if (event.pointerType === "touch") {
      state.fingers ??= new Map();
      state.fingers.set(event.pointerId, x);
      if (state.fingers.size === PINCH) state.pinch = [...state.fingers.values()];
      point(box, state, nearest(state.found.stops, x));
      return;
    }
    if (canZoom(box, state)) state.pressed = { kind: "drag", x };
    box.setPointerCapture(event.pointerId);
  }
  function move(box, state, event) {
    if (!state.found || event.target.closest?.("button, a, table, .zoom-tools")) return;
    const [x, y] = placeIn(state, event);
    if (state.pressed?.kind === "strip") { moveStrip(state, x); return; }
    if (event.pointerType === "touch") {
      if (!state.fingers?.has(event.pointerId)) return;
      state.fingers.set(event.pointerId, x);
      if (state.fingers.size === 1) point(box, state, nearest(state.found.stops, x));
      return;
    }
    const strip = state.found.strip;
    if (strip && y > strip.top - 40 && !state.pressed) { point(box, state, null); return; }
    point(box, state, nearest(state.found.stops, x));
    if (state.pressed && Math.abs(x - state.pressed.x) > 10 * LEAST_DRAG) band(state, [state.pressed.x, x]);
  }
  function release(box, state, event) {
    if (!state.found) return;
    const [x] = placeIn(state, event);
    const pressed = state.pressed;
    state.pressed = null;
    if (pressed?.kind === "strip") {
      const days = state.found.strip.days;
      const [start, end] = state.found.strip.view;
      const [first, last] = [days.find(([place]) => place > start + 1) ?? days.at(-1), [...days].reverse().find(([place]) => place <= end + 10) ?? days[0]];
      zoomTo(box, state, [first[1], last[1]]);
      return;
    }
    if (state.fingers?.delete(event.pointerId) && state.pinch) {
      const fingers = [...state.fingers.values(), x];
      const [before, after] = [state.pinch, fingers].map((pair) => Math.abs(pair[0] - pair[1]) || 1);
      state.pinch = null;
      state.fingers.clear();
      if (fingers.length === PINCH && canZoom(box, state)) zoomAround(box, state, (state.found.area[0] + state.found.area[2]) / 2, before / after);
      return;
    }
    if (pressed?.kind === "drag" && Math.abs(x - pressed.x) > 10 * LEAST_DRAG) {
      const stops = state.found.stops;
      const [low, high] = [Math.min(x, pressed.x), Math.max(x, pressed.x)];
      const inside = stops.filter(([place]) => place >= low && place <= high);
      const chosen = inside.length ? inside : [stops[nearest(stops, (low + high) / 2)]];
      zoomTo(box, state, [chosen[0][4], chosen.at(-1)[5]]);
    }
    band(state, null);
  }
  function moveStrip(state, x) {
    const { part, view, x: from } = state.pressed;
    const strip = state.found.strip;
    const [least, most] = [state.found.area[0], state.found.area[2]];
    let [start, end] = view;
    if (part === 0) start = clamp(x, least, end - 20);
    else if (part === 1) end = clamp(x, start + 20, most);
    else { const by = clamp(x - from, least - start, most - end); start += by; end += by; }
    strip.view = [start, end];
    const view_ = state.svg.querySelector(".strip-view");
    view_.setAttribute("x", start / 10);
    view_.setAttribute("width", (end - start) / 10);
    state.svg.querySelectorAll(".strip-end").forEach((handle, n) => handle.setAttribute("x", (n ? end : start) / 10 - 1.5));
  }

  function zoomTo(box, state, zoom) {
    if (!("zoom" in box.dataset) || !zoom[0]) return;
    state.zoom = zoom;
    state.at = null;
    putZoom(zoom);
    load(box);
  }
  function zoomAround(box, state, x, share) {
    const stops = state.found.stops;
    const half = ((state.found.area[2] - state.found.area[0]) * share) / 2;
    if (share >= 1) { reset(box, state); return; }
    const [first, last] = [stops[nearest(stops, x - half)], stops[nearest(stops, x + half)]];
    zoomTo(box, state, [first[4], last[5]]);
  }
  function reset(box, state) {
    if (!state.zoom) return;
    state.zoom = state.at = null;
    putZoom(null);
    load(box);
    box.focus({ preventScroll: true });
  }

  /* keyboard: arrows move, + and − zoom, Escape goes back, V shows the table */
  function key(box, state, event) {
    if (!state.found || event.ctrlKey || event.metaKey || event.altKey || event.target !== box) return;
    const count = state.found.stops.length;
    const at = state.at ?? (event.key === "ArrowLeft" ? count : -1);
    const step = event.shiftKey ? 10 : 1;
    const steps = { ArrowLeft: () => clamp(at - step, 0, count - 1), ArrowRight: () => clamp(at + step, 0, count - 1), Home: () => 0, End: () => count - 1 };
    const middle = () => (state.at == null ? (state.found.area[0] + state.found.area[2]) / 2 : state.found.stops[state.at][0]);
    if (steps[event.key]) point(box, state, steps[event.key](), true);
    else if ((event.key === "+" || event.key === "=") && canZoom(box, state)) zoomAround(box, state, middle(), 0.5);
    else if (event.key === "-" && state.zoom) reset(box, state);
    else if (event.key === "Escape") { if (state.at != null) point(box, state, null); else reset(box, state); }
    else if (event.key === "v" || event.key === "V") table(box, state);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function table(box, state) {
    const shown = box.querySelector(".chart-table");
    if (shown) { shown.remove(); return; }
    const frame = make("div", "chart-table");
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", "Table of the chart");
    const list = make("table");
    const head = list.createTHead().insertRow();
    for (const name of ["", ...state.found.names]) { const cell = make("th", name ? "right" : "", name || "Point"); cell.scope = "col"; head.append(cell); }
    const body = list.createTBody();
    for (const [, , title, values] of state.found.stops) {
      const row = body.insertRow();
      const name = make("th", "", title);
      name.scope = "row";
      row.append(name);
      for (const value of values) row.append(make("td", `right num ${toneOf(value)}`, value));
    }
    frame.append(list);
    box.append(frame);
  }

  const every = () => [...document.querySelectorAll("[data-chart]")];
  const loadNew = () => { for (const box of every()) if (!states.has(box) && !box.dataset.ready) load(box); };
  document.addEventListener("htmx:afterSettle", loadNew);
  document.addEventListener("fresh", loadNew);
  document.addEventListener("stale", (event) => load(event.target));
  /* a box of another size is drawn anew, once it rests */
  let waiting = 0;
  const sizes = new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const [box, state] of states) {
        if (!box.isConnected) { sizes.unobserve(box); states.delete(box); continue; }
        if (state.found && (Math.abs(box.clientWidth - state.size[0]) > 1 || Math.abs(box.clientHeight - state.size[1]) > 8)) load(box);
      }
    }, 120);
  });
  addEventListener("hashchange", () => { for (const box of every()) { const state = states.get(box); if (state && "zoom" in box.dataset) { state.zoom = zoomInAddress(); load(box); } } });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", loadNew); else loadNew();
})();
