/* The section "Resize attempts": a table of the last attempts. */

export function render({ model, element }) {
  const table = h("div", { class: "batchimg-rounds bi-scroll", tabindex: 0, role: "group", "aria-label": "Resize attempts" });
  const none = h("p", { class: "bi-muted", text: "No resize attempts yet." });
  element.append(table, none);
  return follow(model, ["attempts"], () => {
    const { heads = [], rows = [] } = model.get("attempts");
    table.hidden = rows.length === 0;
    none.hidden = rows.length > 0;
    const right = (i) => (heads[i].number ? "bi-right" : null);
    replaceIfChanged(table, rows, () => [h("table", {},
      h("thead", {}, h("tr", {}, ...heads.map((one, i) => h("th", { scope: "col", class: right(i), text: one.text })))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((text, i) => h("td", { class: right(i), text }))))))]);
  });
}
