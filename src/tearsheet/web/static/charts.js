/* Charts of the API's answers, by uPlot. Nothing is computed here: each point is a number of the answer. */
"use strict";

(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faded = (name, share) => `color-mix(in srgb, ${colour(name)} ${share}%, transparent)`;
  const locale = document.documentElement.dataset.locale || "en";
  const moneyIn = (currency, more) => {
    try {
      const form = new Intl.NumberFormat(locale, { style: "currency", currency, currencyDisplay: "narrowSymbol", ...more });
      return (value) => (value == null ? "—" : form.format(value).replace("-", "−"));
    } catch {
      return (value) => (value == null ? "—" : `${value.toLocaleString(locale)} ${currency}`);
    }
  };
  const exactly = (currency) => moneyIn(currency, { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });
  const shortly = (currency) => moneyIn(currency, { notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  const dated = (form) => new Intl.DateTimeFormat(locale, { timeZone: "UTC", ...form });
  const monthDay = dated({ month: "short", day: "numeric" });
  const monthYear = dated({ month: "short", year: "numeric" });
  const weekday = dated({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const seconds = (text) => Date.parse(text) / 1000;
  /* uPlot draws one point of each instant, so fills of one instant stand a millisecond apart, in their order */
  const inOrder = (times) => {
    let last = -Infinity;
    return times.map((time) => (last = Math.max(time, last + 0.001)));
  };
  const charts = new Map();
  const DAY_S = 86400;

  /* parts of all charts */
  const axis = (more) => ({
    stroke: colour("soft"), font: '12px Inter, system-ui, sans-serif', grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false }, gap: 8, ...more,
  });
  const axisWidth = (u, texts) => (texts ? Math.max(44, 12 + 7.2 * Math.max(...texts.map((text) => String(text ?? "").length))) : 44);
  const amounts = (form) => axis({ size: axisWidth, space: 36, values: (u, splits) => splits.map(form) });
  const dateAxis = axis({ space: 84, size: 28, grid: { show: false }, values: (u, splits) => {
    const form = splits.at(-1) - splits[0] > 400 * DAY_S ? monthYear : monthDay;
    return splits.map((v) => form.format(v * 1000));
  } });
  const base = (box, height, more) => ({
    width: Math.max(box.clientWidth, 200), height, padding: [10, 22, 0, 0], legend: { show: false },
    ...more, cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false }, ...more.cursor },
    hooks: { drawClear: [zeroLine], setCursor: [(u) => updateReadout(box, u.cursor.idx)] },
  });
  const utc = (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC");

  function zeroLine(u) {
    if (!(u.scales.y.min <= 0 && u.scales.y.max >= 0)) return;
    const y = Math.round(u.valToPos(0, "y", true)) + 0.5;
    u.ctx.save();
    u.ctx.strokeStyle = colour("even");
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  }

  /* one color above 0, another below */
  const split = (share) => (u) => {
    const [above, below] = share ? [faded("gain-base", share), faded("loss-base", share)] : [colour("gain-base"), colour("loss-base")];
    const { top, height } = u.bbox;
    const at = Math.min(1, Math.max(0, (u.valToPos(0, "y", true) - top) / height));
    if (!Number.isFinite(at)) return above;
    const tones = u.ctx.createLinearGradient(0, top, 0, top + height);
    for (const [stop, tone] of [[0, above], [at, above], [at, below], [1, below]]) tones.addColorStop(stop, tone);
    return tones;
  };
  const total = (points) => ({ label: "Total", stroke: split(0), width: 2, fill: split(13), fillTo: 0, points: { show: points.length < 40, size: 5, stroke: colour("soft"), fill: colour("card") } });

  /* the point under the pointer, or the last one, as text above the chart */
  function updateReadout(box, index) {
    const { points, words } = charts.get(box) ?? {};
    if (!points?.length) return;
    const parts = words(points[index ?? points.length - 1]);
    box.querySelector(".readout").replaceChildren(...parts.map(([name, text, tone]) => {
      const part = document.createElement("span");
      part.className = tone ?? "";
      part.textContent = name ? `${name} ` : "";
      const value = document.createElement("b");
      value.textContent = text;
      part.append(value);
      return part;
    }));
  }
  const toneOf = (value) => (value > 0 ? "gain" : value < 0 ? "loss" : "");

  const makers = {
    fills(box, points, height) {
      const [money, short, zone] = [exactly(box.dataset.currency), shortly(box.dataset.currency), box.dataset.zone];
      const clock = new Intl.DateTimeFormat(locale, { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
      const times = axis({ space: 64, size: 28, grid: { show: false }, values: [[3600, "{HH}:{mm}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]].map(([size, form]) => [size, form, null, null, null, null, null, null, 1]) });
      return {
        words: (p) => [["", clock.format(Date.parse(p.time))], [p.symbol, money(p.adds), toneOf(p.adds)], ["total", money(p.total), toneOf(p.total)], ["drawdown", money(-p.drawdown), toneOf(-p.drawdown)]],
        plots: [{
          options: {
            ...base(box, height, { tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), zone) }),
            series: [{}, { ...total(points), paths: uPlot.paths.stepped({ align: 1 }) }],
            axes: [times, amounts(short)], scales: { y: { range: withZero } },
          },
          data: [inOrder(points.map((p) => seconds(p.time))), points.map((p) => p.total)],
        }],
      };
    },
    equity(box, points, height) {
      const [money, short] = [exactly(box.dataset.currency), shortly(box.dataset.currency)];
      const x = points.map((p) => seconds(p.session));
      const cursor = { sync: { key: box.dataset.source } };
      const gutter = axisWidth(null, points.length ? [short(Math.max(...points.map((p) => Math.abs(p.total))) + 1), "−" + short(Math.max(...points.map((p) => p.deepest)))] : null);
      const left = (more) => ({ ...amounts(short), size: gutter, ...more });
      const upper = Math.round(height * 0.66);
      return {
        words: (p) => [["", weekday.format(Date.parse(p.session))], ["day", money(p.net_pnl), toneOf(p.net_pnl)], ["total", money(p.total), toneOf(p.total)], ["drawdown", money(-p.deepest), toneOf(-p.deepest)]],
        plots: [{
          options: {
            ...base(box, upper, { cursor, tzDate: utc, padding: [10, 26, 6, 0] }), series: [{}, total(points)],
            axes: [axis({ show: false }), left()], scales: { y: { range: withZero } },
          },
          data: [x, points.map((p) => p.total)],
        }, {
          options: {
            ...base(box, height - upper, { cursor, tzDate: utc, padding: [6, 26, 0, 0] }),
            series: [{}, { stroke: colour("loss-base"), width: 1.5, fill: faded("loss-base", 22), points: { show: false } }],
            axes: [dateAxis, left({ space: 28, values: (u, splits) => splits.map((v) => (v ? short(v) : "")) })], scales: { y: { range: withZero } },
          },
          data: [x, points.map((p) => -p.deepest)], // as the caption and the metric count it: within the day, too
        }],
      };
    },
    "win-rate": (box, points, height) => band(box, points, height, "win_rate", (v) => (v == null ? "—" : percent.format(v)), (v) => percent.format(v), { y: { range: [0, 1] } }),
    expectancy: (box, points, height) => band(box, points, height, "expectancy", exactly(box.dataset.currency), shortly(box.dataset.currency), { y: { range: withZero } }),
  };

  function withZero(u, low, high) {
    const [bottom, top] = [Math.min(low ?? 0, 0), Math.max(high ?? 0, 0)];
    const room = (top - bottom || 1) * 0.06;
    return [bottom < 0 ? bottom - room : 0, top > 0 ? top + room : 0.0001];
  }

  function band(box, points, height, name, value, tick, scales) {
    const target = box.dataset.target ? Number(box.dataset.target) : null;
    const targetLine = target == null ? [] : [{ stroke: colour("warn"), width: 1.5, dash: [6, 4], points: { show: false } }];
    const bandEdge = { stroke: faded("lead", 35), width: 1, points: { show: false } };
    const data = [points.map((p) => p.number), ...["", "_low", "_high"].map((end) => points.map((p) => p[name + end]))];
    if (target != null) data.push(points.map(() => target));
    return {
      words: (p) => [["trade", String(p.number)], ["", value(p[name])], ["between", `${value(p[`${name}_low`])} and ${value(p[`${name}_high`])}`], ...(target == null ? [] : [["target", value(target)]])],
      plots: [{
        options: {
          ...base(box, height, {}),
          series: [{}, { stroke: colour("lead"), width: 2, points: { show: points.length < 30, size: 5 } }, bandEdge, bandEdge, ...targetLine],
          bands: [{ series: [3, 2], fill: faded("lead", 14) }],
          axes: [axis({ size: 28, grid: { show: false }, values: (u, splits) => splits.map((v) => (Number.isInteger(v) ? v : "")) }), amounts(tick)],
          scales: { x: { time: false }, ...scales },
        },
        data,
      }],
    };
  }

  function showMessage(box, text) {
    const words = document.createElement("p");
    words.className = "empty";
    words.textContent = text;
    box.replaceChildren(words);
  }

  function draw(box, points) {
    for (const plot of charts.get(box)?.plots ?? []) plot.destroy();
    if (!points.length) {
      showMessage(box, box.dataset.chart === "fills" ? "No fills." : "Too few trades for this.");
      charts.set(box, { points, plots: [] });
      return;
    }
    const readout = document.createElement("p");
    readout.className = "readout";
    box.replaceChildren(readout);
    const makeChart = makers[box.dataset.chart];
    const height = Math.max(box.clientHeight, parseInt(getComputedStyle(box).minHeight, 10) || 220);
    charts.set(box, { points, plots: [], words: () => [["", "…"]] });
    updateReadout(box);
    const { plots, words } = makeChart(box, points, height - readout.offsetHeight - 4);
    charts.set(box, { points, words, plots: plots.map(({ options, data }) => new uPlot(options, data, box)) });
    updateReadout(box);
  }

  /* charts with the same address share one request */
  const requests = new Map();
  function answerOf(address) {
    if (!requests.has(address)) {
      const answer = fetch(address, { headers: { Accept: "application/json" } }).then(async (response) => {
        const content = await response.json();
        if (!response.ok) throw new Error(content.error?.message ?? response.statusText);
        return content.data;
      });
      requests.set(address, answer);
      answer.catch(() => {}).finally(() => requests.delete(address));
    }
    return requests.get(address);
  }
  async function load(box) {
    try {
      draw(box, await answerOf(box.dataset.source));
    } catch (error) {
      if (!charts.get(box)?.points.length) showMessage(box, `This chart could not be drawn: ${error.message}`);
    }
    box.dataset.ready = "yes";
  }

  const every = () => [...document.querySelectorAll("[data-chart]")];
  const redraw = () => { for (const box of every()) if (charts.has(box)) draw(box, charts.get(box).points); };
  const loadNew = () => { for (const box of every()) if (!charts.has(box) && !box.dataset.ready) load(box); };
  document.addEventListener("themechange", redraw);
  document.addEventListener("htmx:afterSettle", loadNew);
  document.addEventListener("fresh", loadNew);
  document.addEventListener("stale", (event) => load(event.target));
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
  const begin = () => (document.fonts?.ready ?? Promise.resolve()).then(loadNew);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
