/* The section "Nodes": the map, its legend, the details of a node, and the replay of a resize. `squares.js` comes before
this file in one module. Text from the service only ever becomes text nodes. */

/* Milliseconds that the pointer rests on a node before its details are requested: moving over them requests nothing. */
const HOVER_DELAY_MS = 120;

/* -- the legend -------------------------------------------------------------------------------------------------- */

/** One button per state with its node count: pressed buttons filter the map. One more button filters spot nodes. */
function createLegend(picture, words, onFilter) {
  const box = make("div", "batchimg-map-legend");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Node states: press a button to show only that state");
  const spotButton = createButton("spot", "", "#fff", () => { picture.spotOnly = !picture.spotOnly; });
  spotButton.title = "Spot nodes are paler and have one corner cut off";
  spotButton.firstChild.classList.add("batchimg-map-notch");
  const emptyNote = make("span", "batchimg-map-empty");
  box.append(spotButton, emptyNote);

  function createButton(word, letter, colour, press) {
    const button = make("button", "batchimg-map-key"), swatch = make("span", "batchimg-map-swatch", letter);
    [swatch.style.background, swatch.style.color] = [colour, textColour(rgb(colour))];
    swatch.setAttribute("aria-hidden", "true");
    button.append(swatch, make("span", "", word), make("b", ""));
    button.addEventListener("click", () => { press(); picture.paint(); onFilter(); });
    return button;
  }

  const update = (button, count, pressed) => {
    button.lastChild.textContent = count.toLocaleString("en");
    button.setAttribute("aria-pressed", String(pressed));
  };

  const showCounts = (nodes) => {
    const spotCount = words().reduce((sum, _, state) => sum + nodes.counts[state | SPOT], 0);
    spotButton.hidden = !spotCount && !picture.spotOnly;
    update(spotButton, spotCount, picture.spotOnly);
    const emptyCount = nodes.counts[EMPTY];
    emptyNote.textContent = emptyCount ? `${emptyCount.toLocaleString("en")} empty: removed nodes` : "";
    const present = words().map((_, state) => state).filter((state) => nodes.of(state) || picture.only.has(state));
    const buttons = new Map([...box.querySelectorAll("[data-state]")].map((one) => [Number(one.dataset.state), one]));
    for (const [state, button] of buttons) if (!present.includes(state)) button.remove();
    for (const state of present) {
      let button = buttons.get(state);
      if (!button) {
        const [colour, letter] = styleOf(words()[state]);
        const toggle = () => picture.only.delete(state) || picture.only.add(state);
        button = createButton(words()[state], letter, colour, toggle);
        button.dataset.state = state;
        const after = [...box.querySelectorAll("[data-state]")].find((other) => Number(other.dataset.state) > state);
        box.insertBefore(button, after ?? spotButton);
      }
      update(button, nodes.of(state), picture.only.has(state));
    }
  };
  return [box, showCounts];
}

/* -- the view ---------------------------------------------------------------------------------------------------- */

/** Draw the map into a section's element; `panel.js` tells what a section is given. */
export function render({ model, element, send }) {
  const words = () => model.get("nodes").words ?? [];
  const nodes = new Nodes();
  const box = make("div", "batchimg-map");
  const canvas = make("canvas", "batchimg-map-squares");
  const details = make("div", "batchimg-map-details");
  const player = make("div", "batchimg-map-player");
  const picture = new Picture(canvas, words);
  let recording = null, replayedNodes = null, frame = 0, playTimer = 0;
  let drawRequest = 0, hoverTimer = 0, nodeDetails = null;

  const displayedNodes = () => replayedNodes ?? nodes;
  // Any number of changes between two animation frames is one repaint.
  const requestDraw = () => { drawRequest ||= requestAnimationFrame(draw); };
  const [legend, showCounts] = createLegend(picture, words, () => { showCounts(displayedNodes()); requestDraw(); });

  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "node map");
  details.setAttribute("role", "status");
  box.append(canvas, details, legend, player);
  element.append(box);

  function draw() {
    drawRequest = 0;
    const now = displayedNodes();
    canvas.hidden = now.bytes.length === 0;
    if (now.bytes.length) picture.draw(now.bytes, box.clientWidth || 600);
    const summary = words().map((word, state) => [word, now.of(state)]).filter(([, count]) => count);
    const counts = summary.map(([word, count]) => `${count} ${word}`).join(", ") || "no nodes";
    canvas.setAttribute("aria-label", `${counts}; use the arrow keys to move between nodes`);
    box.dataset.painted = String(nodes.sequence);
    // Keeps JupyterLab from handling Enter and the arrow keys inside the panel as commands for its cells.
    (box.closest(".batchimg-panel") ?? box).setAttribute("data-lm-suppress-shortcuts", "true");
  }

  /* Details of the node at the cursor. */
  const isNode = (byte) => byte !== undefined && byte !== EMPTY;
  const showDetails = () => {
    const byte = displayedNodes().bytes[picture.cursor];
    if (!isNode(byte)) { details.textContent = ""; return; }
    const known = nodeDetails && nodeDetails.place === picture.cursor ? nodeDetails : null;
    const parts = [
      known?.id ?? `node ${picture.cursor + 1}`, `${words()[byte & STATE]}, ${byte & SPOT ? "spot" : "dedicated"}`];
    if (known?.since) parts.push(`since ${known.since}`);
    if (known?.error) parts.push(known.error);
    details.textContent = parts.join(" \u00b7 ");
  };
  const hover = (place) => {
    if (place === picture.cursor) return;
    picture.cursor = place;
    clearTimeout(hoverTimer);
    if (isNode(displayedNodes().bytes[place]) && !recording) {
      hoverTimer = setTimeout(() => send({ kind: "node", place }), HOVER_DELAY_MS);
    }
    showDetails();
    requestDraw();
  };
  canvas.addEventListener("pointermove", (event) => hover(picture.placeAt(event.offsetX, event.offsetY)));
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("keydown", (event) => {
    const last = displayedNodes().bytes.length - 1, { cursor, columns } = picture;
    const to = {
      ArrowRight: cursor + 1, ArrowLeft: cursor - 1, ArrowDown: cursor + columns, ArrowUp: cursor - columns,
      Home: 0, End: last, Escape: -1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    // Up and down stay in their column; at the first and the last row the cursor does not move.
    if (event.key === "Escape") hover(-1);
    else if (cursor < 0) hover(0);
    else if (to >= 0 && to <= last) hover(to);
  });

  /* Replay of a recorded resize. */
  const playButton = make("button", "batchimg-map-play", "Replay");
  const frameSlider = make("input", "batchimg-map-frame");
  const timeLabel = make("span", "batchimg-map-time");
  [frameSlider.type, frameSlider.min, frameSlider.value] = ["range", 0, 0];
  frameSlider.setAttribute("aria-label", "Time in the resize");
  player.append(playButton, frameSlider, timeLabel);
  const showFrame = (number) => {
    frame = number;
    replayedNodes = recording ? recording.at(number) : null;
    frameSlider.value = String(number);
    timeLabel.textContent = recording ? recording.times[number] : "";
    frameSlider.setAttribute("aria-valuetext", timeLabel.textContent);
    showCounts(displayedNodes());
    showDetails();
    requestDraw();
  };
  const pause = () => {
    clearInterval(playTimer);
    playTimer = 0;
    playButton.textContent = recording ? "Play" : "Replay";
  };
  const showLive = () => { recording = null; pause(); showFrame(0); frameSlider.hidden = timeLabel.hidden = true; };
  playButton.addEventListener("click", () => {
    if (!recording) { send({ kind: "recording" }); return; }
    if (playTimer) { pause(); return; }
    playButton.textContent = "Pause";
    if (frame >= recording.times.length - 1) showFrame(0);
    // Every replay takes about eight seconds.
    playTimer = setInterval(() => (frame < recording.times.length - 1 ? showFrame(frame + 1) : showLive()),
      Math.max(30, 8000 / recording.times.length));
  });
  frameSlider.addEventListener("input", () => { pause(); showFrame(Number(frameSlider.value)); });
  const showPlayer = () => { player.hidden = (model.get("nodes").frames ?? 0) < 2; };
  const startPlayback = (message, buffers) => {
    const [base, lengths, places, bytes] = buffers;
    recording = new Recording(message.times, bytesOf(base), wordsOf(lengths), wordsOf(places), bytesOf(bytes));
    frameSlider.max = String(recording.times.length - 1);
    frameSlider.hidden = timeLabel.hidden = false;
    showFrame(0);
    playButton.click();
  };

  const onMessage = (message, buffers) => {
    if (message.section !== "nodes") return;
    if (message.kind === "node") { nodeDetails = message; showDetails(); return; }
    if (message.kind === "recording") { startPlayback(message, buffers); return; }
    if (message.kind === "all") nodes.replace(bytesOf(buffers[0]), message.sequence);
    else if (message.kind !== "change") return;
    else if (!nodes.change(wordsOf(buffers[0]), bytesOf(buffers[1]), message.sequence)) {
      if (message.sequence > nodes.sequence) send({ kind: "request all" });
      return;
    }
    showCounts(displayedNodes());
    showDetails();
    requestDraw();
  };
  const repaint = () => { picture.paint(); showCounts(displayedNodes()); requestDraw(); };
  const resizeObserver = new ResizeObserver(requestDraw);

  model.on("msg:custom", onMessage);
  const onState = () => { showPlayer(); repaint(); };
  model.on("change:nodes", onState);
  resizeObserver.observe(box);
  showLive();
  showPlayer();
  send({ kind: "request all" });

  return () => {
    clearInterval(playTimer);
    clearTimeout(hoverTimer);
    cancelAnimationFrame(drawRequest);
    resizeObserver.disconnect();
    model.off("msg:custom", onMessage);
    model.off("change:nodes", onState);
  };
}
