/* The node map: every node of a pool a square, coloured by its state, without a cap.

A node is one byte: the index of its state in `words`, and 128 where it is a spot node; 255 is a square without a node.
Squares are pixels of one small buffer that is drawn scaled: 100,000 nodes cost one putImageData. Whole states and
changes come as messages with binary buffers, and a view that misses one asks for the whole again; so does a page that
was reloaded. Text from the service only ever becomes text nodes. */

const SPOT = 128, EMPTY = 255, STATE = 127;
const LARGEST = 26, LETTERED = 13, GRIDDED = 5, HEIGHT = 340;

/* Okabe and Ito's colours, which colour-blind eyes tell apart; greys for nodes that are of no use now, or going. */
const LOOKS = {
  creating: ["#56b4e9", "C"], starting: ["#a6d9f7", "S"], waitingforstarttask: ["#f0e442", "W"],
  starttaskfailed: ["#cc79a7", "F"], idle: ["#009e73", "I"], running: ["#0072b2", "R"], rebooting: ["#e69f00", "B"],
  reimaging: ["#b97f00", "M"], upgradingos: ["#8f6300", "U"], offline: ["#6b6b6b", "O"], preempted: ["#a9a9a9", "P"],
  unusable: ["#d55e00", "X"], unknown: ["#d0c8b0", "?"], leavingpool: ["#c4c4c4", "L"],
  deallocating: ["#8d8d9c", "D"], deallocated: ["#5d5d70", "Z"],
};
const UNSEEN = ["#7a5c99", "!"];

const look = (word) => LOOKS[word] ?? UNSEEN;
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
// Spot nodes are paler, and have a notch where there is room for one.
const pale = (parts) => parts.map((part) => Math.round(part * 0.72 + 255 * 0.28));
const shade = (word, spot) => (spot ? pale(rgb(look(word)[0])) : rgb(look(word)[0]));
const ink = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 128 ? "#111" : "#fff");
const make = (tag, name, text = "") => {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
};

/* -- what there is ---------------------------------------------------------------------------------------------- */

/** The bytes of all nodes, how many there are of each, and which message came last. */
class Nodes {
  constructor() {
    this.bytes = new Uint8Array(0);
    this.counts = new Uint32Array(256);
    this.sequence = -1;
  }

  replace(bytes, sequence) {
    this.bytes = Uint8Array.from(bytes);
    this.counts.fill(0);
    for (const byte of this.bytes) this.counts[byte] += 1;
    this.sequence = sequence;
  }

  /** Take changes in; false where a message before this one was missed. */
  change(places, bytes, sequence) {
    if (sequence !== this.sequence + 1) return false;
    for (let i = 0; i < places.length; i += 1) {
      this.counts[this.bytes[places[i]]] -= 1;
      this.counts[bytes[i]] += 1;
      this.bytes[places[i]] = bytes[i];
    }
    this.sequence = sequence;
    return true;
  }

  of(state) { return this.counts[state] + this.counts[state | SPOT]; }
}

/** The states of a resize from its beginning, to be played back. */
class Film {
  constructor(times, base, lengths, places, bytes) {
    Object.assign(this, { times, base, lengths, places, bytes });
  }

  at(frame) {
    const shown = Uint8Array.from(this.base);
    let begin = 0;
    for (let i = 0; i < frame; i += 1) {
      for (let j = begin; j < begin + this.lengths[i]; j += 1) shown[this.places[j]] = this.bytes[j];
      begin += this.lengths[i];
    }
    return shown;
  }
}

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
// A buffer may begin anywhere in a message, and wide integers want to be aligned: hence the copy.
const wordsOf = (view) => new Uint32Array(bytesOf(view).slice().buffer);

/* -- the picture ------------------------------------------------------------------------------------------------ */

class Picture {
  constructor(canvas, words) {
    this.canvas = canvas;
    this.words = words;
    this.pixels = document.createElement("canvas");
    this.cursor = -1;
    this.only = new Set();
    this.paint();
  }

  /** Work out the colour of each byte, as the pixel buffer wants it; what is filtered out becomes faint. */
  paint() {
    this.colours = new Uint32Array(256);
    const [faint, strong] = [40, 255];
    this.words().forEach((word, state) => {
      const alpha = this.only.size === 0 || this.only.has(state) ? strong : faint;
      for (const mark of [0, SPOT]) {
        const [r, g, b] = shade(word, mark);
        this.colours[state | mark] = (alpha << 24) | (b << 16) | (g << 8) | r;
      }
    });
    this.colours[EMPTY] = 0;
  }

  fit(count, width) {
    const room = Math.max(1, Math.floor(width));
    this.side = Math.max(1, Math.min(LARGEST, Math.floor(Math.sqrt((room * HEIGHT) / Math.max(1, count)))));
    while (this.side > 1 && Math.ceil(count / Math.floor(room / this.side)) * this.side > HEIGHT) this.side -= 1;
    this.columns = Math.max(1, Math.min(count, Math.floor(room / this.side)));
    this.rows = Math.max(1, Math.ceil(count / this.columns));
  }

  draw(bytes, width) {
    this.fit(bytes.length, width);
    const { side, columns, rows, pixels, canvas } = this;
    if (pixels.width !== columns || pixels.height !== rows || !this.image) {
      [pixels.width, pixels.height] = [columns, rows];
      this.image = new ImageData(columns, rows);
      this.buffer = new Uint32Array(this.image.data.buffer);
    }
    const { buffer, colours } = this;
    buffer.fill(0);
    for (let i = 0; i < bytes.length; i += 1) buffer[i] = colours[bytes[i]];
    pixels.getContext("2d").putImageData(this.image, 0, 0);
    const sharp = window.devicePixelRatio || 1;
    const [wide, high] = [columns * side, rows * side];
    const [across, down] = [Math.round(wide * sharp), Math.round(high * sharp)];
    if (canvas.width !== across || canvas.height !== down) {
      [canvas.width, canvas.height] = [across, down];
      [canvas.style.width, canvas.style.height] = [`${wide}px`, `${high}px`];
    }
    const context = canvas.getContext("2d");
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, wide, high);
    context.drawImage(pixels, 0, 0, wide, high);
    if (side >= GRIDDED) this.grid(context, wide, high);
    if (side >= LETTERED) this.letters(context, bytes);
    if (this.cursor >= 0 && this.cursor < bytes.length) this.mark(context);
  }

  grid(context, wide, high) {
    context.globalCompositeOperation = "destination-out";
    context.beginPath();
    for (let x = 0; x <= wide; x += this.side) context.rect(x - 0.5, 0, 1, high);
    for (let y = 0; y <= high; y += this.side) context.rect(0, y - 0.5, wide, 1);
    context.fill();
    context.globalCompositeOperation = "source-over";
  }

  letters(context, bytes) {
    const { side } = this;
    context.font = `600 ${Math.round(side * 0.55)}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const words = this.words();
    bytes.forEach((byte, place) => {
      if (byte === EMPTY) return;
      const word = words[byte & STATE];
      const [x, y] = this.corner(place);
      context.fillStyle = ink(shade(word, byte & SPOT));
      context.fillText(look(word)[1], x + side / 2, y + side / 2 + 0.5);
      if (byte & SPOT) {
        context.beginPath();
        context.moveTo(x + side - 1, y + 1);
        context.lineTo(x + side - 1, y + 1 + side * 0.36);
        context.lineTo(x + side - 1 - side * 0.36, y + 1);
        context.fill();
      }
    });
  }

  mark(context) {
    const [x, y] = this.corner(this.cursor);
    const side = Math.max(this.side, 5);
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.strokeRect(x - 1, y - 1, side + 2, side + 2);
    context.lineWidth = 1;
    context.strokeStyle = "#000";
    context.strokeRect(x - 2, y - 2, side + 4, side + 4);
  }

  corner(place) { return [(place % this.columns) * this.side, Math.floor(place / this.columns) * this.side]; }

  /** Return the place of the node at a point of the canvas, or -1. */
  under(x, y) {
    const [column, row] = [Math.floor(x / this.side), Math.floor(y / this.side)];
    return column < 0 || row < 0 || column >= this.columns || row >= this.rows ? -1 : row * this.columns + column;
  }
}

/* -- the view --------------------------------------------------------------------------------------------------- */

function render({ model, el }) {
  const words = () => model.get("words");
  const nodes = new Nodes();
  const box = make("div", "batchimg-map");
  const canvas = make("canvas", "batchimg-map-squares");
  const legend = make("div", "batchimg-map-legend");
  const said = make("div", "batchimg-map-said");
  const hint = make("span", "batchimg-map-hint", "paler: spot nodes");
  const player = make("div", "batchimg-map-player");
  const picture = new Picture(canvas, words);
  let film = null, frame = 0, timer = 0, waiting = 0, told = null;

  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  said.setAttribute("role", "status");
  legend.setAttribute("role", "group");
  legend.setAttribute("aria-label", "Node states; press one to show it alone");
  legend.append(hint);
  box.append(canvas, said, legend, player);
  el.append(box);

  const shown = () => (film ? film.at(frame) : nodes.bytes);
  const name = (byte) => `${words()[byte & STATE]}${byte & SPOT ? ", spot" : ", dedicated"}`;

  const draw = () => {
    waiting = 0;
    const bytes = shown();
    canvas.hidden = bytes.length === 0;
    if (bytes.length) picture.draw(bytes, box.clientWidth || 600);
    const summary = words().map((word, state) => [word, nodes.of(state)]).filter(([, count]) => count);
    canvas.setAttribute(
      "aria-label", `Node map: ${summary.map(([word, count]) => `${count} ${word}`).join(", ") || "no nodes"}`);
    box.dataset.painted = String(nodes.sequence);
  };
  // Many changes between two frames of the screen are one repaint.
  const soon = () => { waiting ||= requestAnimationFrame(draw); };

  const keys = () => {
    hint.hidden = !words().some((_, state) => nodes.counts[state | SPOT]);
    const present = words().map((_, state) => state).filter((state) => nodes.of(state) || picture.only.has(state));
    const buttons = new Map([...legend.querySelectorAll("button")].map((button) => [Number(button.dataset.state), button]));
    for (const [state, button] of buttons) if (!present.includes(state)) button.remove();
    for (const state of present) {
      let button = buttons.get(state);
      if (!button) {
        const [colour, letter] = look(words()[state]);
        button = make("button", "batchimg-map-key");
        const swatch = make("span", "batchimg-map-swatch", letter);
        swatch.style.background = colour;
        swatch.style.color = ink(rgb(colour));
        button.append(swatch, make("span", "", words()[state]), make("b", ""));
        button.dataset.state = state;
        button.addEventListener("click", () => {
          if (!picture.only.delete(state)) picture.only.add(state);
          picture.paint();
          keys();
          soon();
        });
        const after = [...legend.querySelectorAll("button")].find((other) => Number(other.dataset.state) > state);
        legend.insertBefore(button, after ?? hint);
      }
      button.lastChild.textContent = nodes.of(state).toLocaleString("en");
      button.setAttribute("aria-pressed", String(picture.only.has(state)));
    }
  };

  const tell = () => {
    const byte = shown()[picture.cursor];
    if (byte === undefined || byte === EMPTY) { said.textContent = ""; return; }
    const known = told && told.place === picture.cursor ? told : null;
    const parts = [known?.id ?? `node ${picture.cursor + 1}`, name(byte)];
    if (known?.since) parts.push(`since ${known.since}`);
    if (known?.error) parts.push(known.error);
    said.textContent = parts.join(" \u00b7 ");
  };
  const point = (place) => {
    if (place === picture.cursor) return;
    picture.cursor = place;
    const byte = shown()[place];
    if (byte !== undefined && byte !== EMPTY && !film) model.send({ kind: "node", place });
    tell();
    soon();
  };

  canvas.addEventListener("pointermove", (event) => point(picture.under(event.offsetX, event.offsetY)));
  canvas.addEventListener("pointerleave", () => point(-1));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: picture.columns, ArrowUp: -picture.columns }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    point(Math.min(shown().length - 1, Math.max(0, picture.cursor < 0 ? 0 : picture.cursor + step)));
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
    place.value = String(number);
    moment.textContent = film ? film.times[number] : "";
    tell();
    soon();
  };
  const halt = () => { clearInterval(timer); timer = 0; play.textContent = film ? "Play" : "Play back"; };
  const live = () => { halt(); film = null; show(0); place.hidden = moment.hidden = true; play.textContent = "Play back"; };
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

  const take = (message, buffers) => {
    if (message.kind === "all") nodes.replace(bytesOf(buffers[0]), message.sequence);
    else if (message.kind === "change") {
      if (!nodes.change(wordsOf(buffers[0]), bytesOf(buffers[1]), message.sequence)) {
        if (message.sequence > nodes.sequence) model.send({ kind: "hello" });
        return;
      }
    } else if (message.kind === "node") { told = message; tell(); return; } else if (message.kind === "film") {
      film = new Film(message.times, bytesOf(buffers[0]), wordsOf(buffers[1]), wordsOf(buffers[2]), bytesOf(buffers[3]));
      place.max = String(film.times.length - 1);
      place.hidden = moment.hidden = false;
      show(0);
      play.click();
      return;
    } else return;
    keys();
    tell();
    soon();
  };
  const hidden = () => model.send({ kind: "hidden", hidden: document.hidden });
  const repaint = () => { picture.paint(); keys(); soon(); };
  const resized = new ResizeObserver(soon);

  model.on("msg:custom", take);
  model.on("change:words", repaint);
  model.on("change:frames", playable);
  document.addEventListener("visibilitychange", hidden);
  resized.observe(box);
  live();
  playable();
  model.send({ kind: "hello" });

  return () => {
    clearInterval(timer);
    cancelAnimationFrame(waiting);
    resized.disconnect();
    document.removeEventListener("visibilitychange", hidden);
    model.off("msg:custom", take);
    model.off("change:words", repaint);
    model.off("change:frames", playable);
  };
}

export default { render };
