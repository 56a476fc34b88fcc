/* The line that does what the controls say, with a button that copies it. */
function render({ model, el }) {
  const box = document.createElement("div"), code = document.createElement("code");
  const copy = document.createElement("button");
  box.className = "batchimg-line";
  copy.textContent = "Copy";
  copy.setAttribute("aria-label", "Copy the line");
  const show = () => { code.textContent = model.get("line"); copy.textContent = "Copy"; };
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(model.get("line"));
    } catch {
      // No clipboard outside https and localhost: select the text, so that a key copies it.
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
