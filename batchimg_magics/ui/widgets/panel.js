/* The panel of one pool. Its state is in the model's traits, JSON documents that Python sets; what the user does is sent
as messages. `dom.js` and `squares.js` are joined before the parts, and each part is an object of its file's name
(`ui/widgets/modules.py`).

The contract of a part or section: `render({ model, element, send })`, called once for each view.
- `model.get("nodes")`, `model.get("attempts")`: the state that the Python section set with `set_section_state`. Use
  `follow(model, ["nodes"], show)` of `dom.js`, which calls `show` now and at each change, and return what it returns.
- `element`: a `<section>` with the card's border and padding, in a page of any width; its heading is there, in
  `element.querySelector("h3")`, and beside it `element.querySelector(".bi-tools")`, for chips and buttons.
- `send(content)`: a message to `on_message` of the Python section. Messages of its `send_to_section` arrive with
  `model.on("msg:custom", (message, buffers) => ...)`: those with `message.section === "nodes"`.
- It returns a function that removes its listeners.
Styles are in `NAME_section.css`, with the variables that `panel.css` defines on `.batchimg-panel` (`--bi-...`). */

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  const root = h("div", { class: "batchimg-panel", role: "region", "aria-label": "Pool panel" });
  keepKeys(root);
  const inner = h("div", { class: "bi-inner" });
  // The static form of this panel, in another output of the cell, is for places where this script does not run.
  const hide = `.batchimg-static-${model.get("model")}`;
  const style = h("style", { text: `${hide}, .jp-OutputArea-child:has(${hide}), .output_area:has(${hide}) { display: none; }` });
  root.append(inner);
  el.append(style, root);

  const closing = [];
  const add = (part, element, section) => {
    const send = (content) => model.send(section ? { section, ...content } : content);
    closing.push(part.render({ model, element, send, view }));
    return element;
  };
  const card = (name, text) => {
    const title = h("h3", { text, id: uniqueId(name) });
    return h("section", { class: `bi-card bi-section bi-${name}`, "aria-labelledby": title.id },
      h("div", { class: "bi-row bi-between bi-title" }, title, h("div", { class: "bi-row bi-tools" })));
  };
  inner.append(
    add(head, h("div")),
    h("div", { class: "bi-two" },
      add(size_card, h("section", { class: "bi-card bi-size" })),
      add(forecast_card, h("section", { class: "bi-card bi-forecast" }))),
    add(action_row, h("div")),
    add(estimate_section, h("div")));
  const sections = [["nodes", "Nodes", nodes_section], ["runs", "Runs", runs_section], ["attempts", "Resize attempts", attempts_section]];
  for (const [name, text, section] of sections) {
    const element = card(name, text);
    inner.append(element); // in the page before it is drawn, so that it has a width
    add(section, element, name);
  }
  const name = () => root.setAttribute("aria-label", `Panel of pool ${model.get("head").name ?? ""}`);
  closing.push(follow(model, ["head"], name), visibility.reportVisibility(model, view));
  return () => { for (const close of closing) close?.(); };
}

export default { render };
