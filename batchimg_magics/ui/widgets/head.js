/* The head of the panel: name, state, connection, cost, expiry; and the tiles below it. */

export function render({ model, element }) {
  const title = h("h2", { class: "bi-name" });
  const state = h("span", { class: "bi-pill" });
  const connection = h("span", { class: "bi-pill" });
  const facts = h("div", { class: "bi-facts bi-num" });
  const problem = h("div", { class: "bi-problem", role: "status" });
  const tiles = h("ul", { class: "bi-tiles", "aria-label": "Pool in numbers" });
  // The number of nodes changes every few seconds: only the state itself is announced.
  const announced = h("div", { class: "bi-hidden", role: "status" });
  element.append(
    h("div", { class: "bi-head" }, h("div", { class: "bi-row" }, title, state, connection), facts, announced),
    problem, tiles);

  return follow(model, ["head"], () => {
    const head = model.get("head");
    setText(title, head.name ?? "");
    setText(state, head.state ?? "");
    state.className = `bi-pill bi-${head.tone}`;
    setText(announced, `pool ${(head.state ?? "").split(" \u00b7 ")[0]}`);
    setText(connection, head.connection ?? "");
    connection.className = `bi-pill ${head.real ? "bi-real" : "bi-local"}`;
    setText(problem, head.problem ?? "");
    replaceIfChanged(facts, head.facts, () => (head.facts ?? []).map((one) => h(
      "span", { title: one.title || null, class: `bi-fact-${one.key}${one.loud ? " bi-loud" : ""}` },
      h("b", { text: one.value }), ` ${one.unit}`)));
    replaceIfChanged(tiles, head.tiles, () => (head.tiles ?? []).map((one) => h(
      "li", { class: `bi-card bi-tile bi-num${one.tone ? ` bi-tone-${one.tone}` : ""}`, title: one.title || null },
      h("b", { text: one.value }, one.of ? h("small", { text: ` ${one.of}` }) : null),
      h("span", { text: one.label }))));
  });
}
