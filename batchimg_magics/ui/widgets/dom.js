/* Elements without HTML strings: text from the service only ever becomes text nodes. */

const SVG = "http://www.w3.org/2000/svg";

/** Create an element. `text` is its text, `on...` are listeners, a value of null or false leaves an attribute out. */
const h = (tag, attributes = {}, ...children) => {
  const svg = ["svg", "g", "path", "rect", "line", "polyline", "circle", "title", "text"].includes(tag);
  const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

/** Set an attribute, or remove it for null, undefined and false. Nothing happens if it has the value already. */
const setAttribute = (element, name, value) => {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value === true ? "" : value)) {
    element.setAttribute(name, value === true ? "" : value);
  }
};

/** Set an element's text; nothing happens if it has it already, so that a screen reader does not repeat it. */
const setText = (element, text) => { if (element.textContent !== text) element.textContent = text; };

/** A count with its noun: "1 node", "2,000 nodes". */
const countText = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** Replace an element's children, unless a description of them, as JSON, is the same as before. */
const replaceIfChanged = (element, description, children) => {
  const key = JSON.stringify(description);
  if (element.dataset.shown === key) return;
  element.dataset.shown = key;
  element.replaceChildren(...children());
};

/** An id that is not used on this page yet. */
const uniqueId = (name) => `batchimg-${name}-${Math.random().toString(36).slice(2)}`;

/** Call a function now and whenever one of a model's traits changes; returns a function that stops it. */
const follow = (model, names, call) => {
  for (const name of names) model.on(`change:${name}`, call);
  call();
  return () => { for (const name of names) model.off(`change:${name}`, call); };
};

/** Keep JupyterLab from handling the keys of a focused element as commands for cells: it looks at that element only. */
const keepKeys = (root) => root.addEventListener("focusin", (event) => {
  event.target.setAttribute("data-lm-suppress-shortcuts", "true");
});

/** A button that can be disabled with a reason: it stays in the order of the keyboard, so that its reason is heard. */
const actionButton = (text, press, attributes = {}) => {
  const button = h("button", { type: "button", text, ...attributes });
  button.addEventListener("click", (event) => {
    if (button.getAttribute("aria-disabled") === "true") event.preventDefault();
    else press(event);
  });
  return button;
};
const setDisabled = (button, disabled) => setAttribute(button, "aria-disabled", disabled ? "true" : null);
