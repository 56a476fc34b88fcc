"""The node map alone in headless Chromium, fed as a kernel would feed it: how fast it paints, and how it looks."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from batchimg_magics.pool_spec.words import NODE_STATES
from batchimg_magics.ui.widgets.modules import PANEL_STYLE, join_modules
from tests.lab.driver import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

_PAGE = """<!doctype html><meta charset="utf-8"><style>body{margin:16px;font-family:sans-serif}%s</style>
<div class="batchimg-panel"><section class="bi-card bi-section bi-nodes" id="here"></section></div>
<script type="module">
const source = %s;
const { default: map } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
const heard = {}, sent = [], traits = { nodes: { words: %s, frames: 0 } };
const model = {
  get: (name) => traits[name],
  on: (name, call) => (heard[name] ??= new Set()).add(call), off: (name, call) => heard[name]?.delete(call),
};
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const send = (content) => sent.push(content);
const tell = (name, ...content) => { for (const call of heard[name] ?? []) call(...content); };
const give = (content, buffers) => tell("msg:custom", { section: "nodes", ...content }, buffers);
window.give = (content, buffers) => give(content, buffers.map(bytes));
window.set = (name, value) => { traits.nodes = { ...traits.nodes, [name]: value }; tell("change:nodes"); };
window.firstPaint = async (text) => {
  const whole = bytes(text), began = performance.now();
  window.off?.();
  document.getElementById("here").replaceChildren();
  const element = document.getElementById("here");
  const title = document.createElement("h3"), tools = document.createElement("div");
  tools.className = "bi-row bi-tools";
  title.textContent = "Nodes";
  element.append(title, tools);
  window.off = map.render({ model, element, send });
  give({ kind: "all", sequence: 0 }, [whole]);
  await new Promise(requestAnimationFrame);
  document.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1);
  return performance.now() - began;
};
window.repaint = async (frames, squares) => {
  const places = new Uint32Array(1000), states = new Uint8Array(1000), began = performance.now();
  for (let frame = 1; frame <= frames; frame += 1) {
    for (let i = 0; i < 1000; i += 1) { places[i] = (i * 97 + frame * 31) %% squares; states[i] = (frame + i) %% 16; }
    const buffers = [new DataView(places.buffer), new DataView(states.buffer)];
    give({ kind: "change", sequence: frame }, buffers);
    await new Promise(requestAnimationFrame);
  }
  document.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1);
  return (frames * 1000) / (performance.now() - began);
};
window.sent = sent;
window.ready = true;
</script>"""


@contextlib.contextmanager
def page(width: int = 900, height: int = 700) -> Iterator[Page]:
    """Open the map on a page of its own, which fetches nothing."""
    script = join_modules("dom", "squares", "node_card", "nodes_section") + "export default nodes_section;"
    style = PANEL_STYLE
    with chromium(viewport={"width": width, "height": height}) as opened:
        opened.set_content(_PAGE % (style, json.dumps(script), json.dumps(NODE_STATES)))
        opened.wait_for_function("window.ready")
        yield opened


def encoded(values: Any) -> str:
    """Return an array as the page takes it."""
    return base64.b64encode(values.tobytes()).decode()


def measure(squares: int = 100_000, frames: int = 120) -> dict[str, float]:
    """Return milliseconds to the first paint of so many squares, and repaints a second with 1,000 changes each."""
    states = np.random.default_rng(0).integers(0, len(NODE_STATES), squares).astype(np.uint8)
    with page() as opened:
        paints = sorted(opened.evaluate("window.firstPaint", encoded(states)) for _ in range(5))
        rate = opened.evaluate("([frames, squares]) => window.repaint(frames, squares)", [frames, squares])
    return {"first_paint_ms": paints[2], "repaints_per_s": rate}
