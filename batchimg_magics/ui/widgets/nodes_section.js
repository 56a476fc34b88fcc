/* The section "Nodes": the map, a chip for each state, the replay of a resize, the nodes that need attention, and the
card of the selected nodes (`node_card.js`). Text from the service only ever becomes text nodes. */

/* Milliseconds that the pointer rests on a node before its id is requested: moving over them requests nothing. */
const HOVER_DELAY_MS = 120;
/* Milliseconds between two announcements of the counts: a resize changes them all the time. */
const ANNOUNCE_MS = 5000;
/* Milliseconds of a replay, whatever the number of its frames. */
const REPLAY_MS = 8000;

/* -- chips ------------------------------------------------------------------------------------------------------- */

/** One chip per state with its node count: pressed chips filter the map. One filters Spot nodes, one closes the gaps. */
function createChips(picture, words, onFilter, closeGaps) {
  const box = h("div", { class: "bi-row bi-chips", role: "group", "aria-label": "Node states: press one to show only its nodes" });
  const spotChip = createChip("spot", "", () => { picture.spotOnly = !picture.spotOnly; });
  spotChip.title = "Show Spot nodes only; they are paler, with a mark in one corner";
  spotChip.firstChild.classList.add("bi-swatch-spot");
  const leftChip = h("button", { type: "button", class: "bi-chip", title: "Nodes that left the pool. New nodes take their places; press to close the gaps",
    onclick: closeGaps }, h("i", { class: "bi-swatch bi-swatch-left", "aria-hidden": "true" }), h("span", { text: "left" }), h("b", {}));
  box.append(spotChip, leftChip);

  function createChip(label, mark, press) {
    const chip = h("button", { type: "button", class: "bi-chip" },
      h("i", { class: "bi-swatch", "aria-hidden": "true", text: mark }), h("span", { text: label }), h("b", {}));
    chip.addEventListener("click", () => { press(); picture.paint(); onFilter(); });
    return chip;
  }

  const createStateChip = (state) => {
    const word = words()[state], [colour, mark] = styleOf(word);
    const chip = createChip(labelOf(word), mark, () => picture.only.delete(state) || picture.only.add(state));
    [chip.firstChild.style.background, chip.firstChild.style.color] = [colour, textColour(rgb(colour))];
    chip.dataset.state = state;
    return chip;
  };

  const update = (chip, count, pressed) => {
    setText(chip.lastChild, count.toLocaleString("en"));
    if (pressed !== undefined) setAttribute(chip, "aria-pressed", String(pressed));
  };

  const showCounts = (nodes, replaying) => {
    const spotCount = words().reduce((sum, _, state) => sum + nodes.counts[state | SPOT], 0);
    spotChip.hidden = !spotCount && !picture.spotOnly;
    update(spotChip, spotCount, picture.spotOnly);
    const emptyCount = nodes.counts[EMPTY];
    leftChip.hidden = !emptyCount;
    setText(leftChip.children[1], replaying ? "empty" : "left");
    leftChip.disabled = replaying;
    update(leftChip, emptyCount);
    const present = words().map((_, state) => state).filter((state) => nodes.of(state) || picture.only.has(state));
    const chips = new Map([...box.querySelectorAll("[data-state]")].map((one) => [Number(one.dataset.state), one]));
    for (const [state, chip] of chips) if (!present.includes(state)) chip.remove();
    for (const state of present) {
      let chip = chips.get(state);
      if (!chip) {
        chip = createStateChip(state);
        const after = [...box.querySelectorAll("[data-state]")].find((other) => Number(other.dataset.state) > state);
        box.insertBefore(chip, after ?? spotChip);
      }
      update(chip, nodes.of(state), picture.only.has(state));
    }
  };
  return [box, showCounts];
}

/* -- replay ------------------------------------------------------------------------------------------------------ */

/** The replay of a recorded resize: a button, and a slider of time. `show(nodes)` draws a frame; null: the live map. */
function createPlayer(model, send, show) {
  let recording = null, frame = 0, timer = 0;
  const button = h("button", { type: "button", class: "bi-play", text: "\u25b6 Replay", title: "Show again how the nodes changed in the last resize" });
  const slider = h("input", { type: "range", class: "bi-frame", min: 0, value: 0, "aria-label": "Time in the resize" });
  const time = h("span", { class: "bi-num bi-frame-time" });
  const close = h("button", { type: "button", text: "Live", title: "End the replay", onclick: () => showLive() });
  const row = h("div", { class: "bi-row bi-player", hidden: true }, slider, time, close);

  const showFrame = (number) => {
    frame = number;
    slider.value = String(number);
    setText(time, recording.times[number]);
    setAttribute(slider, "aria-valuetext", recording.times[number]);
    show(recording.at(number));
  };
  const pause = () => {
    clearInterval(timer);
    timer = 0;
    setText(button, recording ? "\u25b6 Play" : "\u25b6 Replay");
  };
  const showLive = () => { recording = null; pause(); row.hidden = true; show(null); };
  const play = () => {
    setText(button, "Pause");
    if (frame >= recording.times.length - 1) showFrame(0);
    timer = setInterval(() => (frame < recording.times.length - 1 ? showFrame(frame + 1) : showLive()),
      Math.max(30, REPLAY_MS / recording.times.length));
  };
  button.addEventListener("click", () => {
    if (!recording) send({ kind: "recording" });
    else if (timer) pause();
    else play();
  });
  slider.addEventListener("input", () => { pause(); showFrame(Number(slider.value)); });
  const start = (message, buffers) => {
    const [base, lengths, places, bytes] = buffers;
    recording = new Recording(message.times, bytesOf(base), wordsOf(lengths), wordsOf(places), bytesOf(bytes));
    setAttribute(slider, "max", recording.times.length - 1);
    row.hidden = false;
    showFrame(0);
    play();
  };
  const stopFollowing = follow(model, ["nodes"], () => { button.hidden = (model.get("nodes").frames ?? 0) < 2; });
  return { button, row, start, isPlaying: () => recording !== null, close: () => { clearInterval(timer); stopFollowing(); } };
}

/* -- nodes that need attention ------------------------------------------------------------------------------------ */

/** The nodes that need attention as a list, which the keyboard and screen readers reach without the map. */
function createAttention(send) {
  const summary = h("summary"), list = h("ul", { class: "bi-attention" });
  const box = h("details", { class: "bi-details" }, summary, list);
  const show = ({ attention = [], bad = 0 }) => {
    box.hidden = attention.length === 0;
    setText(summary, `${countText(bad, "node")} ${bad === 1 ? "needs" : "need"} attention`);
    replaceIfChanged(list, [attention, bad], () => [
      ...attention.map((one) => h("li", {}, h("button", { type: "button", class: "bi-node-link", text: one.id,
        onclick: () => send({ kind: "select", id: one.id }) }), h("span", { text: labelOf(one.state) }))),
      ...(bad > attention.length ? [h("li", { text: `and ${(bad - attention.length).toLocaleString("en")} more` })] : []),
    ]);
  };
  return [box, show];
}

/* -- the view ---------------------------------------------------------------------------------------------------- */

/** Draw the map into a section's element; `panel.js` tells what a section is given. */
export function render({ model, element, send }) {
  const words = () => model.get("nodes").words ?? [];
  const nodes = new Nodes();
  const box = h("div", { class: "bi-map" });
  const canvas = h("canvas", { class: "bi-squares", tabindex: 0, role: "application", "aria-roledescription": "node map" });
  const hint = h("div", { class: "bi-map-hint bi-muted", role: "status" });
  const spoken = h("div", { class: "bi-hidden", role: "status" });
  const none = h("p", { class: "bi-muted", text: "The pool has no nodes." });
  const picture = new Picture(canvas, words);
  let replayedNodes = null, drawRequest = 0, hoverTimer = 0, knownNode = null, spokenAt = 0, speakTimer = 0;

  const displayedNodes = () => replayedNodes ?? nodes;
  // Any number of changes between two animation frames is one repaint.
  const requestDraw = () => { drawRequest ||= requestAnimationFrame(draw); };
  const showCounts = () => showChips(displayedNodes(), replayedNodes !== null);
  const [chips, showChips] = createChips(picture, words, () => { showCounts(); requestDraw(); }, () => send({ kind: "close gaps" }));
  const player = createPlayer(model, send, (replayed) => {
    replayedNodes = replayed;
    showCounts();
    showHint();
    requestDraw();
  });
  const [attention, showAttention] = createAttention(send);
  const card = h("div", {});
  const closeCard = node_card.render({ model, element: card, send, back: () => canvas.focus() });
  element.querySelector(".bi-tools").append(chips);
  const foot = h("div", { class: "bi-row bi-between bi-map-foot" }, hint, player.button);
  box.append(none, canvas, player.row, foot, spoken);
  element.append(box, card, attention);

  function draw() {
    drawRequest = 0;
    const now = displayedNodes();
    canvas.hidden = now.bytes.length === 0;
    foot.hidden = canvas.hidden && player.button.hidden;
    none.hidden = now.bytes.length > 0 || nodes.sequence < 0;
    if (now.bytes.length) picture.draw(now.bytes, box.clientWidth || 600);
    setAttribute(canvas, "aria-label", `${countsText(now)}; use the arrow keys to move between nodes and Enter to select one`);
    box.dataset.painted = String(nodes.sequence);
  }

  const countsText = (now) => words().map((word, state) => [labelOf(word), now.of(state)]).filter(([, count]) => count)
    .map(([label, count]) => `${count} ${label}`).join(", ") || "no nodes";
  /** Announce the counts, but not more often than a listener can follow. */
  const announce = () => {
    clearTimeout(speakTimer);
    speakTimer = setTimeout(() => { spokenAt = performance.now(); setText(spoken, `Nodes: ${countsText(nodes)}`); },
      Math.max(0, spokenAt + ANNOUNCE_MS - performance.now()));
  };

  /* The node at the pointer or the cursor. */
  const isNode = (byte) => byte !== undefined && byte !== EMPTY;
  const showHint = () => {
    const byte = displayedNodes().bytes[picture.cursor];
    if (!isNode(byte)) {
      const idle = nodes.bytes.length && !picture.selected.length ? "Select a node for its errors, logs and actions" : "";
      setText(hint, byte === EMPTY ? "empty: its node left the pool" : idle);
      return;
    }
    const id = knownNode && knownNode.place === picture.cursor && !replayedNodes ? knownNode.id : `node ${picture.cursor + 1}`;
    setText(hint, [id, labelOf(words()[byte & STATE]), byte & SPOT ? "spot" : "dedicated"].join(" \u00b7 "));
  };
  const moveTo = (place) => {
    if (place === picture.cursor) return;
    picture.cursor = place;
    clearTimeout(hoverTimer);
    if (isNode(displayedNodes().bytes[place]) && !replayedNodes) {
      hoverTimer = setTimeout(() => send({ kind: "node", place }), HOVER_DELAY_MS);
    }
    showHint();
    requestDraw();
  };
  const select = (place, add) => {
    if (isNode(nodes.bytes[place]) && !replayedNodes) send({ kind: "select", place, add });
  };
  followCursor(picture, {
    count: () => displayedNodes().bytes.length, moveTo, select, leave: () => send({ kind: "unselect" }),
  });

  const onMessage = (message, buffers) => {
    if (message.section !== "nodes") return;
    if (message.kind === "node") { knownNode = message; showHint(); return; }
    if (message.kind === "recording") { player.start(message, buffers); return; }
    if (message.kind === "all") nodes.replace(bytesOf(buffers[0]), message.sequence);
    else if (message.kind !== "change") return;
    else if (!nodes.change(wordsOf(buffers[0]), bytesOf(buffers[1]), message.sequence)) {
      if (message.sequence > nodes.sequence) send({ kind: "request all" });
      return;
    }
    showCounts();
    showHint();
    announce();
    requestDraw();
  };
  const stopFollowing = follow(model, ["nodes"], () => {
    const { selected = [] } = model.get("nodes");
    picture.selected = selected;
    picture.paint();
    showCounts();
    showHint();
    showAttention(model.get("nodes"));
    requestDraw();
  });
  const resizeObserver = new ResizeObserver(requestDraw);
  model.on("msg:custom", onMessage);
  resizeObserver.observe(box);
  send({ kind: "request all" });

  return () => {
    clearTimeout(hoverTimer);
    clearTimeout(speakTimer);
    cancelAnimationFrame(drawRequest);
    resizeObserver.disconnect();
    model.off("msg:custom", onMessage);
    stopFollowing();
    player.close();
    closeCard();
  };
}
