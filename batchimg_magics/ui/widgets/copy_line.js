/* The equivalent %batchimg command, with a button that copies it. */
function render({ model, el }) {
  const box = document.createElement("div"), code = document.createElement("code");
  const copy = document.createElement("button");
  box.className = "batchimg-line";
  copy.textContent = "Copy";
  copy.setAttribute("aria-label", "Copy the command");
  const show = () => { code.textContent = model.get("line"); copy.textContent = "Copy"; };
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(model.get("line"));
    } catch {
      // Browsers allow clipboard access on https and localhost only: elsewhere, select the text to be copied.
      getSelection().selectAllChildren(code);
      copy.textContent = "Press Ctrl+C";
      return;
    }
    copy.textContent = "Copied";
  });
  model.on("change:line", show);
  show();
  box.append(code, copy);
  el.append(box);
  return () => model.off("change:line", show);
}

export default { render };
