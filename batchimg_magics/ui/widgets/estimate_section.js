/* The section "Estimate": how many nodes a workload needs for a deadline or a budget. */

export function render({ model, element, send }) {
  const field = (name, text, type, more = {}) => {
    const input = h("input", { id: uniqueId(name), type, ...more });
    return [name, input, h("div", { class: "bi-field" }, h("label", { for: input.id, text }), input)];
  };
  const fields = [
    field("tasks", "Tasks", "number", { min: 1, class: "bi-num" }),
    field("minutes", "Minutes per task", "number", { min: 0.01, step: "any", class: "bi-num" }),
    field("slots", "Tasks per node (0 = one per vCPU)", "number", { min: 0, max: 256, class: "bi-num" }),
    field("deadline", "Deadline", "text", { placeholder: "4h, 90m" }),
    field("budget", "Budget", "text", { placeholder: "USD" }),
  ];
  const only = h("input", { type: "checkbox", id: uniqueId("only") });
  const calculate = h("button", { type: "submit", text: "Calculate" });
  const caption = h("div", { role: "status", class: "bi-caption" });
  const problem = h("div", { role: "alert", class: "bi-message bi-message-bad", hidden: true });
  const table = h("div", { class: "bi-scroll", tabindex: 0, role: "group", "aria-label": "Options" });
  const form = h("form", { class: "bi-form" }, ...fields.map(([, , row]) => row),
    h("div", { class: "bi-row" }, only, h("label", { for: only.id, text: "Only this pool's VM size" })), calculate);
  form.noValidate = true;
  const details = h("details", { class: "bi-card bi-section" },
    h("summary", {}, h("h3", { text: "Estimate: how many nodes for a deadline or a budget" })), form, caption, problem, table);
  element.append(details);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (calculate.getAttribute("aria-disabled") === "true") return;
    const values = { only_this: only.checked };
    for (const [name, input] of fields) values[name] = input.type === "number" ? Number(input.value) : input.value;
    send({ kind: "estimate", values });
  });
  let began = false;
  return follow(model, ["estimate"], () => {
    const state = model.get("estimate");
    if (!state.form) return;
    // What the user types is not replaced until it was sent.
    for (const [name, input] of fields) {
      if (document.activeElement !== input && (!began || !state.running)) input.value = String(state.form[name]);
    }
    if (!began) only.checked = state.form.only_this;
    began = true;
    setDisabled(calculate, state.running);
    setText(caption, state.running ? "Reading VM sizes, quotas and prices" : state.caption);
    problem.hidden = !state.problem.message;
    setText(problem, [state.problem.message, state.problem.hint].filter(Boolean).join(" \u2192 "));
    if (state.running || state.rows.length || state.problem.message) details.open = true;
    table.hidden = state.rows.length === 0;
    replaceIfChanged(table, state.rows, () => [h("table", {},
      h("thead", {}, h("tr", {}, ...state.headings.map((one) => h("th", { scope: "col", class: one.number ? "bi-right" : null, text: one.text })),
        h("th", { scope: "col" }, h("span", { class: "bi-hidden", text: "Apply" })))),
      h("tbody", {}, ...state.rows.map((row, index) => h("tr", {},
        ...row.cells.map((text, i) => h("td", { class: state.headings[i].number ? "bi-right" : null, text })),
        h("td", {}, row.applicable ? h("button", { type: "button", text: "Apply", "aria-label": row.label,
          onclick: () => send({ kind: "apply", index }) }) : null)))))]);
  });
}
