/* A slider with a name that a screen reader says: the page's own, since the handles of ipywidgets' sliders have none. */
function render({ model, el }) {
  const range = document.createElement("input");
  range.type = "range";
  range.className = "batchimg-slider";
  range.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab would take the arrows for its cells
  range.setAttribute("aria-label", model.get("name"));
  const show = () => {
    range.max = String(model.get("max"));
    range.value = String(model.get("value"));
  };
  range.addEventListener("input", () => {
    model.set("value", Number(range.value));
    model.save_changes();
  });
  model.on("change:value", show);
  model.on("change:max", show);
  show();
  el.append(range);
  return () => {
    model.off("change:value", show);
    model.off("change:max", show);
  };
}

export default { render };
