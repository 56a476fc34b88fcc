/* The card "Forecast": bars of cores and money, time and cost, and warnings. */

export function bar(one) {
  const parts = one.parts.map((part) => h("i", {
    class: `bi-part-${part.kind}`, style: `flex-basis: ${Math.min(100, (100 * part.amount) / Math.max(one.limit, 1e-9))}%`,
    title: part.title,
  }));
  const said = one.parts.map((part) => part.title).join(", ");
  return h("div", { class: one.over ? "bi-over" : "" },
    h("div", { class: "bi-row bi-between" }, h("span", { text: one.label }), h("span", { class: "bi-muted bi-num", text: one.text })),
    h("div", { class: "bi-bar", role: "img", "aria-label": `${one.label}: ${one.text}; ${said || "nothing is used"}` }, ...parts));
}

export function render({ model, element }) {
  const title = h("h3", { text: "Forecast", id: uniqueId("forecast") });
  element.setAttribute("aria-labelledby", title.id);
  const bars = h("div"), legend = h("div", { class: "bi-legend bi-muted" });
  const rows = h("dl", { class: "bi-rows bi-num" });
  const warnings = h("ul", { class: "bi-warnings" });
  const words = { other: "other pools", now: "this pool now", less: "to be removed", more: "to come" };
  element.append(title, bars, legend, rows, warnings);
  return follow(model, ["forecast"], () => {
    const state = model.get("forecast");
    const shown = state.bars ?? [];
    replaceIfChanged(bars, shown, () => shown.map(bar));
    const kinds = Object.keys(words).filter((kind) => shown.some((one) => one.parts.some((part) => part.kind === kind)));
    replaceIfChanged(legend, kinds, () => kinds.map((kind) => h(
      "span", {}, h("i", { class: `bi-part-${kind}`, "aria-hidden": "true" }), words[kind])));
    replaceIfChanged(rows, state.rows, () => (state.rows ?? []).map(([name, value]) => h(
      "div", {}, h("dt", { text: name }), h("dd", { text: value }))));
    replaceIfChanged(warnings, state.warnings, () => (state.warnings ?? []).map((text) => h("li", { text })));
  });
}
