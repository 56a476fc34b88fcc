/* An HTML range input with an accessible name: the handles of ipywidgets' own sliders have none. */
function render({ model, el }) {
  const range = document.createElement("input");
  range.type = "range";
  range.className = "batchimg-slider";
  range.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab would handle the arrow keys
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
