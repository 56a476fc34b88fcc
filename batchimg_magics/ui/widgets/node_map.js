/* The node map in a page: its legend, what it says of a node, playing back, and who looks on. `squares.js` stands before
it in one module. Each view says when it comes, is hidden and goes, so that no pool is asked about that nobody looks
at. Text from the service only ever becomes text nodes. */

/* Milliseconds that a pointer rests on a node before the node is asked about: sweeping over a map asks for nothing. */
const REST = 120;

/* -- who looks on ------------------------------------------------------------------------------------------------ */

/** Tell the kernel of a view from its first moment to its last; returns what answers a roll call, and what leaves. */
function attend(model) {
  const view = Math.random().toString(36).slice(2);
  let left = false;
  const say = (state, more = {}) => {
    // A kernel that went before its page hears nothing any more.
    try { model.send({ kind: "view", view, state, ...more }); } catch { /* and nobody has to be told */ }
  };
  const here = (more) => { if (!left) say(document.hidden ? "hidden" : "seen", more); };
  const changed = () => here();
  // A page that is left tells that it goes, and then that it is hidden: the second is not to be heard.
  const leave = () => { if (!left) say("gone"); left = true; };
  const back = () => { if (left) { left = false; here({ new: true }); } };
  document.addEventListener("visibilitychange", changed);
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", back);
  here({ new: true });
  return [changed, () => {
    document.removeEventListener("visibilitychange", changed);
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", back);
    leave();
  }];
}

/* -- the legend -------------------------------------------------------------------------------------------------- */

/** A button a state, with its count; pressed ones are shown alone. One more for spot nodes of whatever state. */
function legendOf(picture, words, changed) {
  const box = make("div", "batchimg-map-legend");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Node states; press one to show it alone");
  const spots = key("spot", "", "#fff", () => { picture.spotOnly = !picture.spotOnly; });
  spots.title = "Spot nodes: paler, with a corner cut off";
  spots.firstChild.classList.add("batchimg-map-notch");
  box.append(spots);

  function key(word, letter, colour, press) {
    const button = make("button", "batchimg-map-key"), swatch = make("span", "batchimg-map-swatch", letter);
    [swatch.style.background, swatch.style.color] = [colour, ink(rgb(colour))];
    swatch.setAttribute("aria-hidden", "true");
    button.append(swatch, make("span", "", word), make("b", ""));
    button.addEventListener("click", () => { press(); picture.paint(); changed(); });
    return button;
  }

  const set = (button, count, pressed) => {
    button.lastChild.textContent = count.toLocaleString("en");
    button.setAttribute("aria-pressed", String(pressed));
  };

  const count = (nodes) => {
    const spot = words().reduce((sum, _, state) => sum + nodes.counts[state | SPOT], 0);
    spots.hidden = !spot && !picture.spotOnly;
    set(spots, spot, picture.spotOnly);
    const present = words().map((_, state) => state).filter((state) => nodes.of(state) || picture.only.has(state));
    const buttons = new Map([...box.querySelectorAll("[data-state]")].map((one) => [Number(one.dataset.state), one]));
    for (const [state, button] of buttons) if (!present.includes(state)) button.remove();
    for (const state of present) {
      let button = buttons.get(state);
      if (!button) {
        const [colour, letter] = look(words()[state]);
        button = key(words()[state], letter, colour, () => picture.only.delete(state) || picture.only.add(state));
        button.dataset.state = state;
        const after = [...box.querySelectorAll("[data-state]")].find((other) => Number(other.dataset.state) > state);
        box.insertBefore(button, after ?? spots);
      }
      set(button, nodes.of(state), picture.only.has(state));
    }
  };
  return [box, count];
}

/* -- the view ---------------------------------------------------------------------------------------------------- */

function render({ model, el }) {
  const words = () => model.get("words");
  const nodes = new Nodes();
  const box = make("div", "batchimg-map");
  const canvas = make("canvas", "batchimg-map-squares");
  const said = make("div", "batchimg-map-said");
  const player = make("div", "batchimg-map-player");
  const picture = new Picture(canvas, words);
  let film = null, still = null, frame = 0, timer = 0, waiting = 0, resting = 0, told = null;

  const shown = () => still ?? nodes;
  // Many changes between two frames of the screen are one repaint.
  const soon = () => { waiting ||= requestAnimationFrame(draw); };
  const [legend, count] = legendOf(picture, words, () => { count(shown()); soon(); });

  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "node map");
  said.setAttribute("role", "status");
  box.append(canvas, said, legend, player);
  el.append(box);

  function draw() {
    waiting = 0;
    const now = shown();
    canvas.hidden = now.bytes.length === 0;
    if (now.bytes.length) picture.draw(now.bytes, box.clientWidth || 600);
    const summary = words().map((word, state) => [word, now.of(state)]).filter(([, many]) => many);
    const counts = summary.map(([word, many]) => `${many} ${word}`).join(", ") || "no nodes";
    canvas.setAttribute("aria-label", `${counts}; arrow keys go from node to node`);
    box.dataset.painted = String(nodes.sequence);
    // Keys in the panel are the panel's: JupyterLab would take Enter and the arrows for its cells.
    (box.closest(".batchimg-panel") ?? box).setAttribute("data-lm-suppress-shortcuts", "true");
  }

  /* Pointing at a node. */
  const isNode = (byte) => byte !== undefined && byte !== EMPTY;
  const tell = () => {
    const byte = shown().bytes[picture.cursor];
    if (!isNode(byte)) { said.textContent = ""; return; }
    const known = told && told.place === picture.cursor ? told : null;
    const parts = [
      known?.id ?? `node ${picture.cursor + 1}`, `${words()[byte & STATE]}, ${byte & SPOT ? "spot" : "dedicated"}`];
    if (known?.since) parts.push(`since ${known.since}`);
    if (known?.error) parts.push(known.error);
    said.textContent = parts.join(" \u00b7 ");
  };
  const point = (place) => {
    if (place === picture.cursor) return;
    picture.cursor = place;
    clearTimeout(resting);
    if (isNode(shown().bytes[place]) && !film) resting = setTimeout(() => model.send({ kind: "node", place }), REST);
    tell();
    soon();
  };
  canvas.addEventListener("pointermove", (event) => point(picture.under(event.offsetX, event.offsetY)));
  canvas.addEventListener("pointerleave", () => point(-1));
  canvas.addEventListener("keydown", (event) => {
    const last = shown().bytes.length - 1, { cursor, columns } = picture;
    const to = {
      ArrowRight: cursor + 1, ArrowLeft: cursor - 1, ArrowDown: cursor + columns, ArrowUp: cursor - columns,
      Home: 0, End: last, Escape: -1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    // Up and down stay in their column; where there is none further, nothing moves.
    if (event.key === "Escape") point(-1);
    else if (cursor < 0) point(0);
    else if (to >= 0 && to <= last) point(to);
  });

  /* Playing back. */
  const play = make("button", "batchimg-map-play", "Play back");
  const place = make("input", "batchimg-map-frame");
  const moment = make("span", "batchimg-map-moment");
  [place.type, place.min, place.value] = ["range", 0, 0];
  place.setAttribute("aria-label", "Moment of the resize");
  player.append(play, place, moment);
  const show = (number) => {
    frame = number;
    still = film ? film.at(number) : null;
    place.value = String(number);
    moment.textContent = film ? film.times[number] : "";
    place.setAttribute("aria-valuetext", moment.textContent);
    count(shown());
    tell();
    soon();
  };
  const halt = () => { clearInterval(timer); timer = 0; play.textContent = film ? "Play" : "Play back"; };
  const live = () => { film = null; halt(); show(0); place.hidden = moment.hidden = true; };
  play.addEventListener("click", () => {
    if (!film) { model.send({ kind: "film" }); return; }
    if (timer) { halt(); return; }
    play.textContent = "Pause";
    if (frame >= film.times.length - 1) show(0);
    // Eight seconds for the whole, whatever it took.
    timer = setInterval(() => (frame < film.times.length - 1 ? show(frame + 1) : live()),
      Math.max(30, 8000 / film.times.length));
  });
  place.addEventListener("input", () => { halt(); show(Number(place.value)); });
  const playable = () => { player.hidden = model.get("frames") < 2; };
  const roll = (message, buffers) => {
    film = new Film(message.times, bytesOf(buffers[0]), wordsOf(buffers[1]), wordsOf(buffers[2]), bytesOf(buffers[3]));
    place.max = String(film.times.length - 1);
    place.hidden = moment.hidden = false;
    show(0);
    play.click();
  };

  const [answer, leave] = attend(model);
  const take = (message, buffers) => {
    if (message.kind === "roll call") { answer(); return; }
    if (message.kind === "node") { told = message; tell(); return; }
    if (message.kind === "film") { roll(message, buffers); return; }
    if (message.kind === "all") nodes.replace(bytesOf(buffers[0]), message.sequence);
    else if (message.kind !== "change") return;
    else if (!nodes.change(wordsOf(buffers[0]), bytesOf(buffers[1]), message.sequence)) {
      if (message.sequence > nodes.sequence) model.send({ kind: "hello" });
      return;
    }
    count(shown());
    tell();
    soon();
  };
  const repaint = () => { picture.paint(); count(shown()); soon(); };
  const resized = new ResizeObserver(soon);

  model.on("msg:custom", take);
  model.on("change:words", repaint);
  model.on("change:frames", playable);
  resized.observe(box);
  live();
  playable();
  model.send({ kind: "hello" });

  return () => {
    clearInterval(timer);
    clearTimeout(resting);
    cancelAnimationFrame(waiting);
    resized.disconnect();
    model.off("msg:custom", take);
    model.off("change:words", repaint);
    model.off("change:frames", playable);
    leave();
  };
}

export default { render };
