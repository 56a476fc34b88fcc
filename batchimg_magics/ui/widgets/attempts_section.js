/* The section "Resize attempts": the nodes over time as steps, with a gap where there was no pool, and a table. */

const WIDE = 1000, HIGH = 64, GAP = 26, LEAST = 60;

/** Return the left edge and the width of each part: as wide as it took long, with gaps of one width between them. */
function placeParts(parts) {
  const whole = parts.reduce((sum, one) => sum + one.to - one.from, 0) || 1;
  const room = WIDE - GAP * (parts.length - 1) - LEAST * parts.length;
  let left = 0;
  return parts.map((one) => {
    const width = LEAST + Math.max(0, room) * (one.to - one.from) / whole, place = { left, width };
    left += width + GAP;
    return place;
  });
}

/** Return the points of a line of steps: a count holds until the next one. */
function stepPoints(points, { from, to }, { left, width }, most) {
  const x = (at) => left + (to > from ? (at - from) / (to - from) : 1) * width, y = (count) => HIGH - 2 - (count / most) * (HIGH - 6);
  const made = points.flatMap(([at, count], i) => (i ? [[x(at), y(points[i - 1][1])], [x(at), y(count)]] : [[x(at), y(count)]]));
  if (points.length) made.push([left + width, y(points.at(-1)[1])]);
  return made;
}
const textOf = (points) => points.map((point) => point.map((part) => part.toFixed(1)).join(",")).join(" ");
const areaOf = (points) => (points.length ? textOf([[points[0][0], HIGH - 2], ...points, [points.at(-1)[0], HIGH - 2]]) : "");

function drawChart({ parts, max, scale, text }) {
  const places = placeParts(parts), line = (kind, points) => h("polyline", { class: `bi-chart-${kind}`, points });
  const lines = parts.flatMap((part, i) => {
    const steps = (name) => stepPoints(part[name], part, places[i], max);
    return [line("live", areaOf(steps("live"))), line("ready", areaOf(steps("ready"))), line("target", textOf(steps("target")))];
  });
  const gaps = places.slice(1).map(({ left }) => h("rect", { class: "bi-chart-gap", x: left - GAP, y: 0, width: GAP, height: HIGH }));
  const svg = h("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", class: "bi-chart", role: "img", "aria-label": text }, ...gaps, ...lines);
  const labels = parts.map((part, i) => h("span", { class: "bi-chart-part", style: `left: ${places[i].left / 10}%; width: ${places[i].width / 10}%` },
    h("span", { text: part.labels[0] }), i === parts.length - 1 ? h("span", { text: part.labels[1] }) : null));
  const key = (kind, label) => h("span", {}, h("i", { class: `bi-key bi-key-${kind}`, "aria-hidden": "true" }), label);
  return [
    h("div", { class: "bi-row bi-between bi-chart-head bi-muted" }, h("span", { class: "bi-num", text: scale }),
      h("span", { class: "bi-row" }, key("ready", "ready"), key("live", "all nodes"), key("target", "target"),
        parts.length > 1 ? key("gap", "no pool") : null)),
    svg, h("div", { class: "bi-chart-times bi-muted bi-num", "aria-hidden": "true" }, ...labels),
  ];
}

export function render({ model, element }) {
  const chart = h("div", { class: "bi-chart-box" });
  const table = h("div", { class: "bi-scroll bi-attempts-table", tabindex: 0, role: "group", "aria-label": "Resize attempts" });
  const none = h("p", { class: "bi-muted", text: "No resize attempts yet." });
  element.append(chart, table, none);
  return follow(model, ["attempts"], () => {
    const { heads = [], groups = [], chart: lines = {} } = model.get("attempts");
    table.hidden = groups.length === 0;
    none.hidden = groups.length > 0;
    chart.hidden = !lines.parts?.length;
    if (lines.parts?.length) chart.replaceChildren(...drawChart(lines));
    const cell = (text, i) => h("td", { class: heads[i].number ? "bi-right" : `bi-column-${i}`, "data-label": heads[i].text },
      heads[i].text === "Outcome" ? h("span", { class: text === "running" ? "bi-pill bi-live" : "", text }) : text);
    replaceIfChanged(table, groups, () => [h("table", {},
      h("thead", {}, h("tr", {}, ...heads.map((one) => h("th", { scope: "col", class: one.number ? "bi-right" : null, text: one.text })))),
      ...groups.map((group) => h("tbody", {},
        group.title ? h("tr", {}, h("th", { scope: "rowgroup", colspan: heads.length, class: "bi-group", text: group.title })) : null,
        ...group.rows.map((row) => h("tr", {}, ...row.map(cell))))))]);
  });
}
