/* The card "Size": a number and a slider for each kind of node, with ticks at the current size and at the quota. */

/** Keep the ticks' labels apart: two labels that would meet stand on two lines. */
const NEAR = 0.22;

function kindControls(kind, change) {
  const id = uniqueId("count");
  const label = h("label", { for: id });
  const field = h("input", { id, type: "number", min: 0, step: 1, class: "bi-count bi-num", inputmode: "numeric" });
  const slider = h("input", { type: "range", min: 0, step: 1, class: "bi-range" });
  const ticks = h("div", { class: "bi-ticks bi-num" });
  const element = h("div", { class: "bi-kind" },
    h("div", { class: "bi-row bi-between" }, label, field), h("div", { class: "bi-slider" }, slider, ticks));
  let state = { max: 100 }, value = -1;

  const show = () => {
    slider.max = String(Math.max(state.max, value));
    slider.value = String(value);
    slider.style.setProperty("--fill", String(value / Math.max(1, Number(slider.max))));
    slider.setAttribute("aria-valuetext", countText(value, "node"));
    if (document.activeElement !== field || Number(field.value) !== value) field.value = String(value);
    const max = Number(slider.max);
    const marks = [["now", state.now], ["quota", state.quota]].filter(([, at]) => Number.isInteger(at));
    const near = marks.length === 2 && Math.abs(state.now - state.quota) / max < NEAR;
    replaceIfChanged(ticks, [marks, max, near], () => marks.map(([word, at], i) => {
      const share = Math.min(1, at / max);
      const edge = share < 0.1 ? " bi-tick-start" : share > 0.85 ? " bi-tick-end" : "";
      const text = `${word} ${at.toLocaleString("en")}${at > max ? " \u2192" : ""}`;
      return h("span", {
        class: `bi-tick${edge}${near && i ? " bi-tick-low" : ""}`, style: `--at: ${share}`, text,
      });
    }));
  };
  const set = (next) => {
    if (!Number.isFinite(next)) return;
    value = Math.max(0, Math.round(next));
    show();
    change({ [kind]: value });
  };
  slider.addEventListener("input", () => set(Number(slider.value)));
  field.addEventListener("change", () => { set(field.value === "" ? value : Number(field.value)); });
  field.addEventListener("input", () => { if (field.value !== "" && field.validity.valid) set(Number(field.value)); });
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") set(Number(field.value)); });
  return {
    element,
    update: (next, count) => {
      state = next;
      value = count;
      setText(label, next.label);
      slider.setAttribute("aria-label", `${next.label}, slider`);
      show();
    },
    refresh: (next) => { state = next; show(); },
  };
}

export function render({ model, element, send, view }) {
  const title = h("h3", { text: "Size", id: uniqueId("size") });
  element.setAttribute("aria-labelledby", title.id);
  let number = 0;
  const change = (values) => {
    number += 1;
    send({ kind: "set", values, view, number });
  };
  const kinds = { nodes: kindControls("nodes", change), spot: kindControls("spot", change) };
  const size = h("b"), facts = h("span", { class: "bi-muted" });

  /* Timeout, canary, repair, deallocation. */
  const summary = h("span");
  const timeout = h("input", { id: uniqueId("timeout"), type: "number", min: 0, max: 10080, class: "bi-count bi-num" });
  const note = h("div", { class: "bi-muted bi-note" });
  const drain = h("select", { id: uniqueId("drain") });
  const check = (key, text) => {
    const box = h("input", { type: "checkbox", id: uniqueId(key), onchange: () => change({ [key]: box.checked }) });
    return [box, h("div", { class: "bi-row" }, box, h("label", { for: box.id, text }))];
  };
  const [canary, canaryRow] = check("canary", "Test with one node first (canary)");
  const [repair, repairRow] = check("repair", "Repair unusable nodes");
  const [yes, yesRow] = check("yes", "Yes, remove nodes: running tasks on them may end (--yes)");
  yesRow.classList.add("bi-yes");
  timeout.addEventListener("change", () => change({ timeout: timeout.value === "" ? null : Number(timeout.value) }));
  drain.addEventListener("change", () => change({ drain: drain.value }));
  const details = h("details", { class: "bi-details" }, h("summary", {}, summary),
    h("div", { class: "bi-row" }, h("label", { for: timeout.id, text: "Resize timeout" }), timeout, "minutes"), note,
    canaryRow, repairRow,
    h("div", { class: "bi-row" }, h("label", { for: drain.id, text: "Node deallocation" }), drain));
  element.append(title, kinds.nodes.element, kinds.spot.element,
    h("p", { class: "bi-vm" }, size, " ", facts), details, yesRow);

  return follow(model, ["size"], () => {
    const state = model.get("size");
    if (!state.form) return;
    const [by, at] = state.by ?? ["", 0];
    // An answer to an earlier change of this view: the user has moved on since.
    const late = by === view && at < number;
    for (const one of state.kinds) {
      if (late) kinds[one.key].refresh(one);
      else kinds[one.key].update(one, state.form[one.key]);
    }
    setText(size, state.vm_size);
    setText(facts, state.vm_facts);
    setText(summary, state.summary);
    setText(note, state.timeout_note);
    replaceIfChanged(drain, state.drains, () => state.drains.map((one) => h("option", { value: one.value, text: one.label })));
    setAttribute(yesRow, "hidden", !state.needs_yes);
    if (late) return;
    const minutes = String(state.form.timeout ?? state.form.recommended_timeout);
    if (timeout.value !== minutes) timeout.value = minutes;
    [canary.checked, repair.checked, yes.checked] = [state.form.canary, state.form.repair, state.form.yes];
    drain.value = state.form.drain;
  });
}
