/* The list of pools, and the panel of the selected one below it. */

function render({ model, el }) {
  const hide = `.batchimg-static-${model.get("model")}`;
  const style = h("style", { text: `${hide}, .jp-OutputArea-child:has(${hide}), .output_area:has(${hide}) { display: none; }` });
  const title = h("h2", { class: "bi-name", text: "Pools" });
  const connection = h("span", { class: "bi-pill" });
  const cost = h("span", { class: "bi-muted bi-num" });
  const list = h("ul", { class: "bi-pools" });
  const none = h("p", {}, "No pools. Create one with ", h("code", { text: "%batchimg create" }));
  const status = h("div", { class: "bi-message", role: "status" });
  const below = h("div", { class: "bi-below" });
  const root = h("div", { class: "batchimg-panel batchimg-chooser", role: "region", "aria-label": "Pools" },
    h("div", { class: "bi-inner" },
      h("div", { class: "bi-head" }, h("div", { class: "bi-row" }, title, connection), cost), none, list, status));
  keepKeys(root);
  el.append(style, root, below);

  const item = (pool) => h("li", { class: "bi-card bi-pool" },
    h("div", { class: "bi-row bi-between" }, h("b", { text: pool.pool }), h("span", { class: "bi-muted bi-num", text: pool.nodes })),
    h("div", { class: "bi-bar", "aria-hidden": "true" }, h("i", { class: "bi-part-now", style: `flex-basis: ${100 * pool.share}%` })),
    h("div", { class: "bi-row bi-between" }, h("span", { class: "bi-muted bi-num", text: pool.facts.join(" \u00b7 ") }),
      actionButton("Open", () => model.send({ kind: "open", pool: pool.pool }), { "aria-label": `Open pool ${pool.pool}` })),
    ...pool.warnings.map((text) => h("div", { class: "bi-loud", text })));
  const stopPools = follow(model, ["pools", "head"], () => {
    const pools = model.get("pools"), head = model.get("head");
    none.hidden = pools.length > 0;
    setText(connection, head.connection ?? "");
    connection.className = `bi-pill ${head.real ? "bi-real" : "bi-local"}`;
    setText(cost, pools.length ? `${head.usd_per_hour}, all pools` : "");
    replaceIfChanged(list, pools, () => pools.map(item));
  });
  const stopStatus = follow(model, ["status"], () => {
    const state = model.get("status");
    setText(status, [state.message, state.hint].filter(Boolean).join(" \u2192 "));
    status.hidden = !state.message;
    status.className = `bi-message bi-message-${state.tone ?? "calm"}`;
    for (const one of list.children) {
      setAttribute(one, "aria-current", one.querySelector("b").textContent === state.pool ? "true" : null);
    }
  });
  let shown = null;
  const showPanel = async () => {
    const panel = model.get("panel");
    if (panel === shown) return;
    shown = panel;
    below.replaceChildren();
    if (!panel) return;
    const other = await model.widget_manager.get_model(panel.replace(/^IPY_MODEL_/, ""));
    const view = await model.widget_manager.create_view(other);
    if (shown !== panel) { view.remove(); return; }
    below.replaceChildren(view.el);
  };
  const stopPanel = follow(model, ["panel"], () => { void showPanel(); });
  return () => { stopPools(); stopStatus(); stopPanel(); };
}

export default { render };
