/* The notebook around a view: a new cell below it, in front ends that offer their document to widgets. */

const VIEW = "application/vnd.jupyter.widget-view+json";

const document_ = (model) => model.widget_manager?.context?.model?.sharedModel;

/** Whether a cell can be inserted: in JupyterLab and Notebook 7. Elsewhere the command can be copied. */
export function canInsert(model) {
  const notebook = document_(model);
  return typeof notebook?.insertCell === "function" && Array.isArray(notebook.cells);
}

/** Insert a code cell below the cell whose output shows the model; at the end if there is no such cell. */
export function insertCell(model, source) {
  const notebook = document_(model);
  const shows = (cell) => (cell.toJSON().outputs ?? []).some(
    (output) => output.data?.[VIEW]?.model_id === model.get("model"));
  const at = notebook.cells.findIndex((cell) => cell.cell_type === "code" && shows(cell));
  const place = at < 0 ? notebook.cells.length : at + 1;
  notebook.insertCell(place, { cell_type: "code", source, metadata: {} });
}
