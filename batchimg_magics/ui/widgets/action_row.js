/* The buttons with the reasons why they are disabled, the command, and the work that runs. */

const NAMES = { resize: "Resize", stop: "Stop resize", repair: "Repair", delete: "Delete" };

export function render({ model, element, send }) {
  const press = (button) => () => send({ kind: "press", button });
  const buttons = {
    resize: actionButton("Resize", press("resize"), { class: "bi-primary" }),
    stop: actionButton("Stop resize", press("stop"), { title: "Stop the current resize; existing nodes are kept" }),
    repair: actionButton("Repair", press("repair"), { title: "Reboot or replace unusable nodes" }),
    delete: actionButton("Delete\u2026", () => ask(true), { title: "Delete the pool; its image is kept" }),
  };
  const reasons = h("div", { class: "bi-reasons bi-muted" });
  const reasonIds = Object.keys(buttons).map((key) => uniqueId(key));

  /* Delete asks once more, in the panel. */
  const question = h("span");
  const confirm = actionButton("Delete pool", () => { ask(false); send({ kind: "press", button: "delete" }); }, { class: "bi-danger" });
  const cancel = actionButton("Cancel", () => ask(false));
  const asking = h("div", { class: "bi-row bi-asking", role: "group", "aria-label": "Confirm the deletion", hidden: true },
    question, confirm, cancel);
  const ask = (open) => {
    asking.hidden = !open;
    (open ? cancel : buttons.delete).focus();
  };
  asking.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); ask(false); } });

  const age = h("span", { class: "bi-muted bi-num" });
  const problem = h("div", { class: "bi-loud bi-refresh-problem", role: "status" });
  const refresh = h("button", { type: "button", class: "bi-quiet", title: "Read nodes, quotas and prices again",
    "aria-label": "Refresh nodes, quotas and prices", text: "\u21bb Refresh", onclick: () => send({ kind: "refresh" }) });
  element.append(
    h("div", { class: "bi-actions" }, h("div", { class: "bi-row" }, ...Object.values(buttons)), reasons,
      h("div", { class: "bi-row bi-age" }, age, refresh), problem),
    asking);

  /* The command. */
  const code = h("code", { tabindex: 0, "aria-label": "The same as a command" });
  const copy = h("button", { type: "button", text: "Copy", "aria-label": "Copy the command" });
  const said = h("span", { class: "bi-hidden", role: "status" });
  const insert = h("button", { type: "button", text: "Insert cell", title: "Insert a cell with this command below the panel" });
  const line = () => model.get("actions").line ?? "";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line());
      copy.textContent = "Copied";
    } catch {
      // Browsers allow clipboard access on https and localhost only: elsewhere, select the text to be copied.
      getSelection().selectAllChildren(code);
      copy.textContent = "Press Ctrl+C";
    }
    setText(said, copy.textContent);
  });
  insert.addEventListener("click", () => { notebook_cell.insertCell(model, line()); setText(said, "Cell inserted"); });
  insert.hidden = !notebook_cell.canInsert(model);
  element.append(h("div", { class: "bi-line" }, code, h("span", { class: "bi-row" }, copy, insert, said)));

  const stopFollowing = follow(model, ["actions", "forecast"], () => {
    const state = model.get("actions"), forecast = model.get("forecast");
    if (!state.reasons) return;
    setText(buttons.resize, state.resize);
    // Several buttons often wait for the same: a reason stands once, with the names of its buttons.
    const shown = [...new Set(Object.values(state.reasons))].filter(Boolean);
    const keysOf = (reason) => Object.keys(buttons).filter((key) => state.reasons[key] === reason);
    replaceIfChanged(reasons, [state.reasons, state.blocked], () => shown.map((reason, i) => h("span", {
      id: reasonIds[i], class: state.blocked && reason === state.reasons.resize ? "bi-blocked" : null,
      text: `${keysOf(reason).map((key) => NAMES[key]).join(", ")}: ${reason}`,
    })));
    for (const [key, button] of Object.entries(buttons)) {
      const reason = state.reasons[key];
      setDisabled(button, Boolean(reason));
      setAttribute(button, "aria-describedby", reason ? reasonIds[shown.indexOf(reason)] : null);
    }
    setText(question, state.delete);
    if (state.reasons.delete) asking.hidden = true;
    if (code.textContent !== state.line) { setText(code, state.line); setText(copy, "Copy"); setText(said, ""); }
    setText(age, forecast.age ?? "");
    setText(problem, forecast.problem ?? "");
  });
  const stopActivity = renderActivity(model, element);
  return () => { stopFollowing(); stopActivity(); };
}

function renderActivity(model, element) {
  const label = h("b"), steps = h("div", { class: "bi-steps" });
  const message = h("div", { class: "bi-message" });
  const problem = h("div", { class: "bi-message bi-message-bad", role: "alert", hidden: true });
  const list = h("ol", { class: "bi-log bi-num", tabindex: 0, "aria-label": "Log" });
  const log = h("details", { class: "bi-details" }, h("summary", {}, "Log"), list);
  const work = h("div", { class: "bi-work" }, problem, label, steps, message, log);
  element.append(work);
  return follow(model, ["activity"], () => {
    const state = model.get("activity");
    const lines = state.log ?? [];
    work.hidden = !(state.label || state.message || state.problem?.message || lines.length);
    setText(label, state.label ?? "");
    setAttribute(message, "role", state.tone === "bad" ? "alert" : "status");
    message.className = `bi-message bi-message-${state.tone ?? "calm"}`;
    for (const [box, said] of [[message, state], [problem, state.problem ?? {}]]) {
      box.hidden = !said.message;
      replaceIfChanged(box, [said.message, said.hint, said.command], () => [
        h("span", { text: said.message ?? "" }), said.hint ? h("div", { text: said.hint }) : null,
        said.command ? h("code", { text: said.command }) : null].filter(Boolean));
    }
    // One line a step, updated in place: its bar moves, and nothing is announced again and again.
    const shown = state.steps ?? [];
    while (steps.children.length > shown.length) steps.lastChild.remove();
    shown.forEach((step, i) => {
      const row = steps.children[i] ?? steps.appendChild(h("div", { class: "bi-step bi-num" },
        h("span"), h("div", { class: "bi-bar" }, h("i", { class: "bi-part-more" })), h("span", { class: "bi-muted" })));
      const [name, rail, text] = row.children;
      setText(name, step.name);
      setText(text, step.text);
      rail.classList.toggle("bi-unknown", step.share === null);
      rail.firstChild.style.flexBasis = `${Math.round(100 * (step.share ?? 0))}%`;
    });
    log.hidden = lines.length === 0;
    replaceIfChanged(list, lines, () => lines.map(([time, text]) => h("li", {}, h("time", { text: time }), ` ${text}`)));
  });
}
