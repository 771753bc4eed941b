/* Live updates: one event stream per browser, shared by its tabs; a changed page is fetched and patched in.
   Without events for some seconds the page is marked as not live: old numbers must never look current.
   Patching keeps focus, scroll within tables, open definitions and drawn charts, which a swap loses. One tab holds
   a Web Lock and listens for all others: six streams would use up the six connections to a server. */
"use strict";

(() => {
  const pulse = document.getElementById("pulse");
  if (!pulse) return;
  const STREAM = "/api/events", QUIET_S = 11, LOST_S = 4, POLL_MS = 5000, AGAIN_MS = 10000, LONGEST_MS = 300000;
  const RANK = ["ok", "warn", "unknown", "breach"];
  const LABELS = {
    ok: "✓ Within limits", warn: "! Near a limit", unknown: "? Limit status unknown", breach: "✗ Limit breached",
  };
  const root = document.documentElement;
  const offline = document.getElementById("offline");
  const badge = document.getElementById("verdict");
  const live = () => document.getElementById("live");
  const name = () => root.dataset.title;
  const share = "BroadcastChannel" in self ? new BroadcastChannel("tearsheet") : null;
  const verdicts = new Map();
  let receivedAt = Date.now(), hasFailed = false, errorCode = null, revision = null, mode = "waiting";

  /* a changed page: fetched whole and patched in without losing focus, scroll position or charts */
  let isRunning = false, isRequested = false, isPostponed = false, shownText = "", notBefore = 0;
  async function refresh() {
    if (document.visibilityState === "hidden") return;
    if (isRunning) { isRequested = true; return; }
    isRunning = true;
    const wait = notBefore - Date.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    isRequested = false;
    try {
      const started = Date.now();
      const answer = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(15000) });
      if (answer.redirected || answer.status === 401) { location.reload(); return; }
      if (answer.status >= 500) throw new Error(answer.statusText);
      const text = await answer.text();
      if (answer.ok && text !== shownText) applyPage(new DOMParser().parseFromString(text, "text/html"), shownText !== "");
      shownText = isPostponed ? "" : text;
      isPostponed = false;
      const slow = Number(live()?.dataset.every ?? 0);
      notBefore = Date.now() + Math.max(slow, 3 * (Date.now() - started));
    } catch {
      hasFailed = true;
    } finally {
      isRunning = false;
      render();
      if (isRequested) refresh();
    }
  }

  function applyPage(fresh) {
    const script = (page) => page.querySelector('script[src*="dashboard"]')?.getAttribute("src");
    if (script(fresh) !== script(document)) { location.reload(); return; }
    for (const id of ["live", "fresh", "around"]) {
      const [old, next] = [document.getElementById(id), fresh.getElementById(id)];
      if (old && next) patch(old, next);
    }
    root.dataset.title = fresh.documentElement.dataset.title;
    patch(document.querySelector("h1"), fresh.querySelector("h1"));
    document.dispatchEvent(new Event("fresh"));
  }

  const CLIENT_ATTRIBUTES = new Set(["open", "aria-expanded", "data-ready", "data-path", "data-fits", "aria-pressed"]);
  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key : "");
  function patch(old, next) {
    if (old.nodeType !== 1) { if (old.data !== next.data) old.data = next.data; return; }
    const value = old.classList.contains("value") && old.textContent !== next.textContent;
    for (const { name: at, value: text } of next.attributes) if (old.getAttribute(at) !== text && !CLIENT_ATTRIBUTES.has(at)) old.setAttribute(at, text);
    for (const { name: at } of [...old.attributes]) if (!next.hasAttribute(at) && !CLIENT_ATTRIBUTES.has(at)) old.removeAttribute(at);
    if (old.dataset.chart) { old.dispatchEvent(new Event("stale", { bubbles: true })); return; }
    if ("part" in old.dataset) { if (old.dataset.path) htmx.ajax("GET", old.dataset.path, old); return; }
    children(old, next);
    if (value) { old.classList.remove("changed"); void old.offsetWidth; old.classList.add("changed"); }
  }
  /* what an action of this page answered stays until the next one */
  const isKept = (node) => node.nodeType === 1 && "keep" in node.dataset;
  function children(old, next) {
    /* rows stay in their place while one is pointed at or selected; their order follows later */
    const steady = "steady" in (old.dataset ?? {}) && old.children.length > 0 && (old.matches(":hover") || old.querySelector("input:checked, :focus") !== null);
    const keyed = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
    if (steady) {
      for (const child of [...next.children]) if (keyed.has(keyOf(child))) patch(keyed.get(keyOf(child)), child); else old.append(document.importNode(child, true));
      isPostponed = true;
      return;
    }
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      while (at && isKept(at)) at = at.nextSibling;
      if (isKept(child)) { if (![...old.children].some(isKept)) old.insertBefore(document.importNode(child, true), at); continue; }
      const key = keyOf(child);
      const same = key ? keyed.get(key) : at && !keyOf(at) && at.nodeName === child.nodeName ? at : null;
      if (!same) { old.insertBefore(document.importNode(child, true), at); continue; }
      if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
      patch(same, child);
    }
    while (at) { const gone = at; at = at.nextSibling; if (!isKept(gone)) gone.remove(); }
  }

  /* the number of unacknowledged alerts, beside the page's name */
  const MOST_ALERTS = 100;
  async function countAlerts() {
    const place = document.querySelector('.nav a[href="/alerts"]');
    if (!place || document.visibilityState === "hidden") return;
    let number = 0;
    try {
      const answer = await fetch(`/api/alerts?state=unacknowledged&limit=${MOST_ALERTS}`, { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) return;
      number = (await answer.json()).data.length;
    } catch { return; }
    const words = number < MOST_ALERTS ? String(number) : `${MOST_ALERTS - 1}+`;
    for (const link of [place, document.getElementById("more")]) {
      const badge = link.querySelector(".badge") ?? link.appendChild(Object.assign(document.createElement("span"), { className: "badge" }));
      badge.textContent = words;
      badge.hidden = number === 0;
    }
    place.setAttribute("aria-label", number ? `Alerts, ${words} unacknowledged` : "Alerts");
  }
  document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.requestConfig?.verb === "post") countAlerts(); });
  addEventListener("load", countAlerts);

  /* events, received by this tab or forwarded by the one that has the stream */
  function recordEvent() { receivedAt = Date.now(); hasFailed = false; }
  function handle(kind, data) {
    recordEvent();
    const page = live();
    if (kind === "trouble") { errorCode = data.code; if (!errorCode && page) refresh(); }
    if (kind === "alive" && page?.dataset.today && page.dataset.today !== data.day) refresh();
    if (kind === "revision") { revision = data.revision; if (page && page.dataset.revision !== String(revision)) refresh(); }
    if (kind === "verdict") {
      const known = verdicts.has(data.account);
      verdicts.set(data.account, data);
      const card = document.getElementById(`limits-${data.account}`);
      if (page?.dataset.today && (known || card?.dataset.state !== data.state)) refresh();
    }
    if ((kind === "alert" || kind === "polled") && page) refresh();
    if (kind === "alert" || kind === "polled") countAlerts();
    if (kind === "polled") { mode = "poll"; for (const one of data) verdicts.set(one.account, one); }
    render();
  }

  /* connection and limit status */
  const worst = () => {
    const states = [...verdicts.values()].map((one) => one.state);
    return states.sort((a, b) => RANK.indexOf(b) - RANK.indexOf(a))[0] ?? root.dataset.verdict ?? "";
  };
  const clock = (at) => new Date(at).toLocaleTimeString(root.dataset.locale || undefined);
  function render() {
    const quiet = Math.floor((Date.now() - receivedAt) / 1000);
    const isLost = errorCode !== null || quiet > QUIET_S || (hasFailed && quiet > LOST_S);
    const isShaky = !isLost && hasFailed;
    pulse.hidden = false;
    root.dataset.connection = isLost ? "lost" : isShaky ? "shaky" : mode === "waiting" ? "waiting" : "live";
    const words = isLost || isShaky ? `Disconnected · last update ${quiet} s ago` : mode === "poll" ? "Live (every 5 s)" : mode === "waiting" ? "Connecting" : "Live";
    if (pulse.lastElementChild.textContent !== words) pulse.lastElementChild.textContent = words;
    if (isLost && offline.hidden) {
      offline.querySelector("time").textContent = clock(receivedAt);
      offline.querySelector("span").textContent = errorCode === "stale_ledger" ? "the latest log lines have not been read yet" : errorCode ? `the ledger is unavailable (${errorCode})` : "the server is not responding";
    }
    offline.hidden = !isLost;
    const state = worst();
    const shownState = isLost && state ? "unknown" : state;
    const accounts = [...verdicts.values()].filter((one) => one.state === state).map((one) => one.account).join(", ");
    const label = shownState && shownState !== "ok" ? `${LABELS[shownState]}${!isLost && accounts ? `: ${accounts}` : ""}` : shownState ? LABELS.ok : "";
    if (badge.textContent !== label) badge.textContent = label;
    badge.className = `verdict ${shownState}`;
    badge.hidden = !shownState;
    const sign = isLost ? "? Disconnected" : shownState === "breach" || shownState === "unknown" || shownState === "warn" ? label : "";
    const title = `${sign ? `${sign} · ` : ""}${name()} · Tearsheet`;
    if (document.title !== title) document.title = title;
  }

  /* the stream: in one visible tab for all if the browser has locks, else in each; polling if it fails */
  const KINDS = ["revision", "verdict", "alert", "trouble", "alive"];
  let source = null, release = null, poll = null, retry = null, wait = AGAIN_MS;
  function listen() {
    source = new EventSource(STREAM);
    source.onopen = () => { stopPolling(); wait = AGAIN_MS; };
    source.onerror = () => { hasFailed = true; if (source?.readyState === EventSource.CLOSED) { source = null; startPolling(); } render(); };
    for (const kind of KINDS) source.addEventListener(kind, (event) => {
      mode = "stream";
      const data = JSON.parse(event.data);
      handle(kind, data);
      share?.postMessage({ kind, data });
    });
  }
  function startPolling() {
    mode = "poll";
    poll ??= setInterval(fetchVerdicts, POLL_MS);
    retry ??= setTimeout(() => { retry = null; if (!source && document.visibilityState === "visible") listen(); }, wait);
    wait = Math.min(2 * wait, LONGEST_MS);
    fetchVerdicts();
  }
  function stopPolling() { clearInterval(poll); poll = null; }
  async function fetchVerdicts() {
    if (document.visibilityState === "hidden") return;
    try {
      const answer = await fetch("/api/risk/verdict", { cache: "no-cache", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.statusText);
      const data = (await answer.json()).data.accounts;
      handle("polled", data);
      share?.postMessage({ kind: "polled", data });
    } catch { hasFailed = true; }
    render();
  }
  function begin() {
    if (source || release || document.visibilityState === "hidden") return;
    if (!navigator.locks) { listen(); return; }
    release = new AbortController();
    navigator.locks.request("tearsheet-stream", { signal: release.signal }, () => new Promise((done) => {
      release = { abort: done };
      listen();
    })).catch(() => {});
    share?.postMessage({ kind: "hello" });
  }
  function end() {
    source?.close();
    release?.abort();
    source = release = null;
    stopPolling();
  }
  share?.addEventListener("message", ({ data: { kind, data } }) => {
    if (kind === "hello") {
      if (!source) return;
      for (const one of verdicts.values()) share.postMessage({ kind: "verdict", data: one });
      if (revision !== null) share.postMessage({ kind: "revision", data: { revision } });
      share.postMessage({ kind: "trouble", data: { code: errorCode } });
    } else if (!source) {
      mode = "stream";
      handle(kind, data);
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") { end(); return; }
    begin();
    if (live()) refresh();
    render();
  });
  addEventListener("pagehide", end);
  addEventListener("pageshow", (event) => { if (event.persisted) { begin(); refresh(); } });
  setInterval(render, 1000);
  begin();
})();
