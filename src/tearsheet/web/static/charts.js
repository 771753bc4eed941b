/* Draws what the API answers, by uPlot. Nothing is added up here: each point is a number of the answer. */
"use strict";

(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faded = (name, share) => `color-mix(in srgb, ${colour(name)} ${share}%, transparent)`;
  const locale = document.documentElement.dataset.locale || "en";
  const moneyIn = (currency, digits) => {
    try {
      const form = new Intl.NumberFormat(locale, { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits, currencyDisplay: "narrowSymbol" });
      return (value) => (value == null ? "—" : form.format(value));
    } catch {
      return (value) => (value == null ? "—" : `${value.toLocaleString(locale)} ${currency}`);
    }
  };
  const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  const monthDay = new Intl.DateTimeFormat(locale, { timeZone: "UTC", month: "short", day: "numeric" });
  const seconds = (text) => Date.parse(text) / 1000;
  const drawn = new Map();

  const axis = (more) => ({
    stroke: colour("soft"), font: "12px system-ui, sans-serif", grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 4 }, gap: 6, ...more,
  });
  const amounts = (form) => axis({ size: 62, splits: undefined, values: (u, splits) => splits.map(form) });
  const base = (box, height, more) => ({
    width: Math.max(box.clientWidth, 200), height, padding: [8, 26, 0, 0],
    cursor: { points: { size: 7 }, drag: { x: true, y: false }, ...more.cursor },
    legend: { live: true }, ...more.rest,
  });
  const days = { label: "Day", value: (u, v) => (v == null ? "—" : new Date(v * 1000).toISOString().slice(0, 10)) };
  const utc = (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC");

  const makers = {
    fills(box, points, height) {
      const money = moneyIn(box.dataset.currency, 2);
      const zone = box.dataset.zone;
      const clock = new Intl.DateTimeFormat(locale, { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
      const data = [points.map((p) => seconds(p.time)), points.map((p) => p.total)];
      return [[{
        options: {
          ...base(box, height - 28, { rest: { tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), zone) } }),
          series: [
            { label: "Time", value: (u, v) => (v == null ? "—" : clock.format(v * 1000)) },
            { label: "P&L", stroke: colour("lead"), width: 2, fill: faded("lead", 12), paths: uPlot.paths.stepped({ align: 1 }), points: { show: points.length < 60, size: 5 }, value: (u, v) => money(v) },
          ],
          axes: [axis({ values: [[3600, "{HH}:{mm}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]].map(([size, form]) => [size, form, null, null, null, null, null, null, 1]) }), amounts((v) => compact.format(v))],
          scales: { y: { range: withZero } },
        },
        data,
      }]];
    },
    equity(box, points, height) {
      const money = moneyIn(box.dataset.currency, 2);
      const x = points.map((p) => seconds(p.session));
      const upper = {
        options: {
          ...base(box, Math.round(height * 0.66) - 26, { cursor: { sync: { key: "equity" } }, rest: { tzDate: utc } }),
          series: [days, { label: "Total", stroke: colour("lead"), width: 2, fill: faded("lead", 12), points: { show: points.length < 40, size: 5 }, value: (u, v) => money(v) }],
          padding: [8, 26, 8, 0], axes: [axis({ show: false }), amounts((v) => compact.format(v))], scales: { y: { range: withZero } },
        },
        data: [x, points.map((p) => p.total)],
      };
      const lower = {
        options: {
          ...base(box, Math.round(height * 0.34) - 26, { cursor: { sync: { key: "equity" } }, rest: { tzDate: utc } }),
          series: [days, { label: "Drawdown", stroke: colour("loss-base"), width: 1.5, fill: faded("loss-base", 22), points: { show: false }, value: (u, v) => money(v) }],
          axes: [axis({ space: 70, values: (u, splits) => splits.map((v) => monthDay.format(v * 1000)) }), amounts((v) => compact.format(v))], scales: { y: { range: withZero } },
        },
        data: [x, points.map((p) => -p.drawdown)],
      };
      return [[upper], [lower]];
    },
    "win-rate": (box, points, height) => band(box, points, height, "win_rate", "Win rate", (v) => (v == null ? "—" : percent.format(v)), (v) => percent.format(v), box.dataset.target ? Number(box.dataset.target) : null),
    expectancy: (box, points, height) => band(box, points, height, "expectancy", "Expectancy", moneyIn(box.dataset.currency, 2), (v) => compact.format(v), null),
  };

  function withZero(u, low, high) {
    const [bottom, top] = [Math.min(low ?? 0, 0), Math.max(high ?? 0, 0)];
    const room = (top - bottom || 1) * 0.06;
    return [bottom < 0 ? bottom - room : 0, top > 0 ? top + room : 0.0001];
  }

  function band(box, points, height, name, label, value, tick, target) {
    const wanted = target == null ? [] : [{ label: "Target", stroke: colour("warn"), width: 1.5, dash: [6, 4], points: { show: false }, value: (u, v) => value(v) }];
    const options = {
      ...base(box, height - 28, { rest: {} }),
      series: [
        { label: "Trade", value: (u, v) => (v == null ? "—" : v) },
        { label, stroke: colour("lead"), width: 2, points: { show: points.length < 30, size: 5 }, value: (u, v) => value(v) },
        { label: "from", stroke: faded("lead", 40), width: 1, points: { show: false }, value: (u, v) => value(v) },
        { label: "to", stroke: faded("lead", 40), width: 1, points: { show: false }, value: (u, v) => value(v) },
        ...wanted,
      ],
      bands: [{ series: [3, 2], fill: faded("lead", 14) }],
      axes: [axis({ values: (u, splits) => splits.map((v) => (Number.isInteger(v) ? v : "")) }), amounts(tick)],
      scales: { x: { time: false } },
    };
    const data = [points.map((p) => p.number), ...["", "_low", "_high"].map((end) => points.map((p) => p[name + end]))];
    if (target != null) data.push(points.map(() => target));
    return [[{ options, data }]];
  }

  function draw(box, points) {
    for (const plot of drawn.get(box)?.plots ?? []) plot.destroy();
    box.replaceChildren();
    if (!points.length) {
      const words = document.createElement("p");
      words.className = "empty";
      words.textContent = box.dataset.chart === "fills" ? "No fills." : "Too few trades for this.";
      box.append(words);
      drawn.set(box, { points, plots: [] });
      return;
    }
    const height = Math.max(box.clientHeight, parseInt(getComputedStyle(box).minHeight, 10) || 220);
    const plots = makers[box.dataset.chart](box, points, height).flat().map(({ options, data }) => new uPlot(options, data, box));
    drawn.set(box, { points, plots });
  }

  async function load(box) {
    try {
      const answer = await fetch(box.dataset.source, { headers: { Accept: "application/json" } });
      const content = await answer.json();
      if (!answer.ok) throw new Error(content.error?.message ?? answer.statusText);
      draw(box, content.data);
    } catch (error) {
      const words = document.createElement("p");
      words.className = "empty";
      words.textContent = `This chart could not be drawn: ${error.message}`;
      box.replaceChildren(words);
    }
    box.dataset.ready = "yes";
  }

  const every = () => [...document.querySelectorAll("[data-chart]")];
  const redraw = () => { for (const box of every()) if (drawn.has(box)) draw(box, drawn.get(box).points); };
  const loadNew = () => { for (const box of every()) if (!drawn.has(box) && !box.dataset.ready) load(box); };
  document.addEventListener("themechange", redraw);
  document.addEventListener("htmx:afterSettle", loadNew);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
  loadNew();
})();
