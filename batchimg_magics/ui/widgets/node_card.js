/* The card of the selected nodes: ids, states, errors, and what can be done with them, each with the reason why not. */

/** Return a button that copies a text; where browsers forbid it, it selects the text in an element instead. */
function copyButton(text, element, label) {
  const button = h("button", { type: "button", class: "bi-quiet bi-copy", text: "Copy", "aria-label": label });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      setText(button, "Copied");
    } catch {
      // Browsers allow clipboard access on https and localhost only: elsewhere, select the text to be copied.
      getSelection().selectAllChildren(element);
      setText(button, "Press Ctrl+C");
    }
  });
  return button;
}

/** An id of Azure has 71 characters, of which the first and the last ones tell nodes apart. */
const shortId = (id) => (id.length > 28 ? `${id.slice(0, 14)}\u2026${id.slice(-6)}` : id);

function renderNode(node) {
  const id = h("code", { text: node.id });
  const state = node.left ? "left the pool" : labelOf(node.state);
  const facts = node.loading ? ["reading\u2026"] : node.facts;
  return h("div", { class: "bi-node" },
    h("div", { class: "bi-row" }, h("b", { class: "bi-node-name", text: shortId(node.id) }),
      h("span", { class: `bi-pill${node.bad ? " bi-bad" : ""}`, text: state })),
    h("div", { class: "bi-muted bi-num", text: facts.join(" \u00b7 ") }),
    ...node.errors.map((error) => h("div", { class: "bi-node-error" }, h("b", { text: error.title }),
      error.text ? h("span", { text: `: ${error.text}` }) : null)),
    h("div", { class: "bi-row bi-node-id" }, id, copyButton(() => node.id, id, "Copy the id of the node")));
}

/** Return a command with a button that copies it. */
export function renderLine(line) {
  const code = h("code", { text: line });
  return h("div", { class: "bi-row bi-between bi-line" }, code, copyButton(() => line, code, "Copy the command"));
}

/** Return what files have in them, each with its name and a note. */
export function renderFiles(files) {
  return files.flatMap((file) => [
    h("div", { class: "bi-row bi-between" }, h("b", { text: file.name }), h("span", { class: "bi-muted", text: file.note })),
    ...(file.text ? [h("pre", { class: "bi-log-text", tabindex: 0, text: file.text, "aria-label": file.name || "log" })] : []),
  ]);
}

function renderOpened({ what, login, line, loading, files = [], problem, note }) {
  return h("div", { class: "bi-opened", role: "region", "aria-label": what === "logs" ? "Logs" : "Login" },
    loading ? h("p", { class: "bi-muted", role: "status", text: "reading\u2026" }) : null,
    problem ? h("p", { class: "bi-loud", role: "alert", text: problem }) : null,
    ...renderFiles(files), login ? renderLine(login) : null, note ? h("p", { class: "bi-muted", text: note }) : null,
    line ? renderLine(line) : null);
}

export function render({ model, element, send, back }) {
  const list = h("div", { class: "bi-node-list" });
  const opened = h("div", {}), reasonTexts = h("div", { class: "bi-card-reasons bi-muted" });
  const open = (what) => actionButton(what === "logs" ? "Logs" : "Login", () => send({ kind: "open", what }));
  const act = (action, text) => actionButton(text, () => send({ kind: "act", action }));
  const buttons = { logs: open("logs"), login: open("login"), reboot: act("reboot", "Reboot"), remove: act("remove", "Remove\u2026") };
  buttons.logs.title = "Show the output of the start task";
  buttons.login.title = "Show how to log in to the node";
  const close = h("button", { type: "button", class: "bi-quiet", text: "\u2715", "aria-label": "Close the card of the node",
    onclick: () => { send({ kind: "unselect" }); back(); } });
  const question = h("span"), askedLine = h("code");
  const confirm = actionButton("", () => send({ kind: "confirm" }), { class: "bi-danger" });
  const cancel = actionButton("Cancel", () => send({ kind: "cancel" }));
  const asking = h("div", { class: "bi-asking", role: "group", "aria-label": "Confirm the action" },
    h("div", { class: "bi-row" }, question, confirm, cancel), askedLine);
  const problem = h("p", { class: "bi-loud", role: "alert" });
  let lastOpened = "";
  const box = h("div", { class: "bi-node-card", role: "group", "aria-label": "Selected nodes" },
    h("div", { class: "bi-row bi-between bi-card-row" }, list,
      h("div", { class: "bi-row" }, ...Object.values(buttons), close)),
    problem, reasonTexts, asking, opened);
  element.append(box);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (asking.hidden) { send({ kind: "unselect" }); back(); } else send({ kind: "cancel" });
  });

  const showReasons = (reasons) => {
    const shown = [];
    for (const action of ["reboot", "remove"]) {
      const reason = reasons[action] ?? "";
      setDisabled(buttons[action], Boolean(reason));
      setAttribute(buttons[action], "title", reason || null);
      const known = shown.find((one) => one.reason === reason);
      if (known) known.names.push(action); else if (reason) shown.push({ reason, names: [action] });
    }
    const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
    setText(reasonTexts, shown.map((one) => `${capital(one.names.join(" and "))}: ${one.reason}`).join("; "));
  };

  return follow(model, ["nodes"], () => {
    const { card = {} } = model.get("nodes"), shown = card.nodes ?? [];
    box.hidden = shown.length === 0;
    replaceIfChanged(list, shown, () => shown.map(renderNode));
    if (!shown.length) return;
    list.classList.toggle("bi-several", shown.length > 1);
    for (const what of ["logs", "login"]) {
      buttons[what].hidden = shown.length > 1;
      setAttribute(buttons[what], "aria-expanded", String(card.opened.what === what));
      setDisabled(buttons[what], shown[0].left);
    }
    showReasons(card.reasons);
    setText(problem, card.problem);
    problem.hidden = !card.problem;
    const asks = Boolean(card.asks.text);
    if (asks && asking.hidden) requestAnimationFrame(() => cancel.focus());
    asking.hidden = !asks;
    if (asks) {
      setText(question, card.asks.text);
      setText(confirm, card.asks.button);
      setText(askedLine, card.asks.line);
    }
    // Logs are long: they are compared, but not kept in an attribute.
    const description = JSON.stringify(card.opened);
    if (description !== lastOpened) opened.replaceChildren(...(card.opened.what ? [renderOpened(card.opened)] : []));
    lastOpened = description;
  });
}
