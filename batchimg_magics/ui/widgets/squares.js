/* The node map: one square per node of a pool, coloured by state, for any number of nodes.

A node is one byte: the index of its state in `words`, plus 128 for a spot node; 255 is a square without a node.
Small squares are pixels of one small buffer that is drawn scaled: 100,000 nodes cost one putImageData. Full states and
changes arrive as messages with binary buffers. A view that misses a change requests the full state again; so does a
page that was reloaded. */

const SPOT = 128, EMPTY = 255, STATE = 127;
/* Largest square with its gap, the smallest that is drawn by itself, and the smallest that has marks, in pixels. */
const LARGEST = 26, DRAWN = 8, GRIDDED = 5, HEIGHT = 340;

/* The colour and the mark of each state. Okabe and Ito's palette for the most common states; it has eight colours for
sixteen states: the others were chosen so that any two can be told apart with protanopia, deuteranopia and tritanopia, as
`tests/ui/widgets/test_node_colours.py` measures. A cross marks nodes that need attention. */
const CROSS = "\u2715";
const STATE_STYLES = {
  creating: ["#56b4e9", ""], starting: ["#a6d9f7", ""], waitingforstarttask: ["#f0e442", "W"],
  starttaskfailed: ["#ae2504", CROSS], idle: ["#009e73", ""], running: ["#0072b2", "\u25b8"], rebooting: ["#323da5", "B"],
  reimaging: ["#7628d9", "M"], upgradingos: ["#35e172", "U"], offline: ["#c8d4a8", "O"], preempted: ["#8783a8", "P"],
  unusable: ["#d55e00", CROSS], unknown: ["#304a28", "?"], leavingpool: ["#d2a6b9", "L"],
  deallocating: ["#5d4773", "D"], deallocated: ["#502840", "Z"],
};
/* The states of the rows of a run that nodes do not have. */
const ROW_STYLES = {
  failed: ["#ae2504", CROSS], preparing: ["#f0e442", "W"], waiting: ["#a6d9f7", ""], missing: ["#8783a8", "?"],
  succeeded: ["#009e73", ""],
};
const OTHER_STYLE = ["#7a5c99", "!"];
/* The words of Azure as people read them; others are shown as they are. */
const STATE_LABELS = {
  waitingforstarttask: "waiting for start task", starttaskfailed: "start task failed", upgradingos: "upgrading OS",
  leavingpool: "leaving",
};

const styleOf = (word) => STATE_STYLES[word] ?? ROW_STYLES[word] ?? OTHER_STYLE;
const labelOf = (word) => STATE_LABELS[word] ?? word;
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
// Spot nodes are paler, and have a mark in one corner if the square is large enough.
const paler = (parts) => parts.map((part) => Math.round(part * 0.72 + 255 * 0.28));
const stateColour = (word, spot) => (spot ? paler(rgb(styleOf(word)[0])) : rgb(styleOf(word)[0]));
/* Black or white, whichever has the higher contrast by WCAG's relative luminance: at least 4.5 to 1. */
const linear = (part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
const textColour = ([r, g, b]) => (
  0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.179 ? "#000" : "#fff");

/* -- nodes and recordings --------------------------------------------------------------------------------------- */

/** The bytes of all nodes, the number of each byte, and the sequence number of the last message. */
class Nodes {
  constructor(bytes = new Uint8Array(0), sequence = -1) {
    this.replace(bytes, sequence);
  }

  replace(bytes, sequence) {
    this.bytes = Uint8Array.from(bytes);
    this.counts = new Uint32Array(256);
    for (const byte of this.bytes) this.counts[byte] += 1;
    this.sequence = sequence;
  }

  /** Apply changes; returns false if an earlier message was missed. */
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

/** The node states of a resize from its start, for replay. */
class Recording {
  constructor(times, base, lengths, places, bytes) {
    Object.assign(this, { times, base, lengths, places, bytes });
  }

  /** Return the nodes at a frame of the recording. */
  at(frame) {
    const bytes = Uint8Array.from(this.base);
    let begin = 0;
    for (let i = 0; i < frame; i += 1) {
      for (let j = begin; j < begin + this.lengths[i]; j += 1) bytes[this.places[j]] = this.bytes[j];
      begin += this.lengths[i];
    }
    return new Nodes(bytes, frame);
  }
}

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
// A buffer may start at any offset of a message, but a Uint32Array must be aligned: hence the copy.
const wordsOf = (view) => new Uint32Array(bytesOf(view).slice().buffer);

/* -- the picture ------------------------------------------------------------------------------------------------ */

/** The squares on a canvas. Few nodes are rounded squares with marks; many are pixels of one buffer, drawn scaled. */
class Picture {
  constructor(canvas, words) {
    this.canvas = canvas;
    this.words = words;
    this.pixels = document.createElement("canvas");
    this.cursor = -1;
    this.selected = [];
    this.only = new Set();
    this.spotOnly = false;
    this.paint();
  }

  /** Compute the colour of each byte in the pixel buffer's format; states that are filtered out are faint. */
  paint() {
    this.colours = new Uint32Array(256);
    this.chosen = new Uint8Array(256).fill(1);
    const [faint, strong] = [40, 255];
    this.words().forEach((word, state) => {
      for (const spot of [0, SPOT]) {
        const [r, g, b] = stateColour(word, spot);
        this.chosen[state | spot] = (this.only.size === 0 || this.only.has(state)) && (spot || !this.spotOnly) ? 1 : 0;
        const alpha = this.chosen[state | spot] ? strong : faint;
        this.colours[state | spot] = (alpha << 24) | (b << 16) | (g << 8) | r;
      }
    });
    this.colours[EMPTY] = (30 << 24) | 0x808080;
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
    const { side, columns, rows, canvas } = this;
    const pixelRatio = window.devicePixelRatio || 1;
    const [wide, high] = [columns * side, rows * side];
    const [across, down] = [Math.round(wide * pixelRatio), Math.round(high * pixelRatio)];
    if (canvas.width !== across || canvas.height !== down) {
      [canvas.width, canvas.height] = [across, down];
      [canvas.style.width, canvas.style.height] = [`${wide}px`, `${high}px`];
    }
    const context = canvas.getContext("2d");
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    context.clearRect(0, 0, wide, high);
    if (side >= DRAWN) this.drawSquares(context, bytes);
    else this.drawPixels(context, bytes);
    this.drawSelection(context, bytes);
  }

  drawPixels(context, bytes) {
    const { side, columns, rows, pixels } = this;
    if (pixels.width !== columns || pixels.height !== rows || !this.image) {
      [pixels.width, pixels.height] = [columns, rows];
      this.image = new ImageData(columns, rows);
      this.buffer = new Uint32Array(this.image.data.buffer);
    }
    const { buffer, colours } = this;
    buffer.fill(0);
    for (let i = 0; i < bytes.length; i += 1) buffer[i] = colours[bytes[i]];
    pixels.getContext("2d").putImageData(this.image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(pixels, 0, 0, columns * side, rows * side);
    if (side >= GRIDDED) this.grid(context, columns * side, rows * side);
  }

  grid(context, wide, high) {
    context.globalCompositeOperation = "destination-out";
    context.beginPath();
    for (let x = 0; x <= wide; x += this.side) context.rect(x - 0.5, 0, 1, high);
    for (let y = 0; y <= high; y += this.side) context.rect(0, y - 0.5, wide, 1);
    context.fill();
    context.globalCompositeOperation = "source-over";
  }

  /** Draw each square; all of one byte are one path. */
  drawSquares(context, bytes) {
    const { side } = this, words = this.words(), gap = side > 11 ? 2 : 1, inner = side - gap;
    const places = new Map();
    bytes.forEach((byte, place) => {
      const list = places.get(byte);
      if (list) list.push(place); else places.set(byte, [place]);
    });
    context.font = `600 ${Math.round(side * 0.55)}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [byte, list] of places) {
      const path = new Path2D(), edge = byte === EMPTY ? 0.5 : 0;
      for (const place of list) {
        const [x, y] = this.corner(place);
        path.roundRect(x + edge, y + edge, inner - 2 * edge, inner - 2 * edge, 2);
      }
      if (byte === EMPTY) { this.drawEmpty(context, path); continue; }
      const parts = stateColour(words[byte & STATE], byte & SPOT);
      context.globalAlpha = this.chosen[byte] ? 1 : 0.16;
      context.fillStyle = `rgb(${parts.join(" ")})`;
      context.fill(path);
      context.fillStyle = textColour(parts);
      const mark = styleOf(words[byte & STATE])[1];
      for (const place of list) {
        const [x, y] = this.corner(place);
        if (mark) context.fillText(mark, x + inner / 2, y + inner / 2 + 0.5);
        if (byte & SPOT) this.drawSpotMark(context, x + inner, y, Math.max(3, inner * 0.32));
      }
    }
    context.globalAlpha = 1;
  }

  drawEmpty(context, path) {
    context.globalAlpha = 1;
    context.lineWidth = 1;
    context.strokeStyle = "#8a8a8a";
    context.setLineDash([2, 2]);
    context.stroke(path);
    context.setLineDash([]);
  }

  drawSpotMark(context, right, top, deep) {
    context.beginPath();
    context.moveTo(right, top);
    context.lineTo(right, top + deep);
    context.lineTo(right - deep, top);
    context.fill();
  }

  /** Draw a ring around the selected nodes and the one at the cursor: dark and light, to be seen on any colour. */
  drawSelection(context, bytes) {
    const ring = (place, outer, inner) => {
      const side = Math.max(this.side - (this.side > 11 ? 2 : 1), 4), [x, y] = this.corner(place);
      for (const [colour, wide, deep] of [[outer, 2, 0], [inner, 1, 1.5]]) {
        context.lineWidth = wide;
        context.strokeStyle = colour;
        context.strokeRect(x + deep, y + deep, Math.max(1, side - 2 * deep), Math.max(1, side - 2 * deep));
      }
    };
    const { color } = getComputedStyle(this.canvas);
    for (const place of this.selected) if (place < bytes.length) ring(place, color, "#fff");
    if (this.cursor >= 0 && this.cursor < bytes.length && !this.selected.includes(this.cursor)) {
      ring(this.cursor, "#000", "#fff");
    }
  }

  corner(place) { return [(place % this.columns) * this.side, Math.floor(place / this.columns) * this.side]; }

  /** Return the place of the square at a point of the canvas, or -1. */
  placeAt(x, y) {
    const [column, row] = [Math.floor(x / this.side), Math.floor(y / this.side)];
    return column < 0 || row < 0 || column >= this.columns || row >= this.rows ? -1 : row * this.columns + column;
  }
}

/** Let the pointer and the keys move over the squares of a picture and select them; returns nothing: listeners go with
the canvas. `count()` is the number of squares, `moveTo(place)` follows the cursor (-1: none), `select(place, add)` is
called for a click, Enter or the space bar, and `leave()` for Escape without a cursor. */
const followCursor = (picture, { count, moveTo, select, leave }) => {
  const { canvas } = picture;
  canvas.addEventListener("pointermove", (event) => moveTo(picture.placeAt(event.offsetX, event.offsetY)));
  canvas.addEventListener("pointerleave", () => moveTo(-1));
  canvas.addEventListener("click", (event) => {
    select(picture.placeAt(event.offsetX, event.offsetY), event.ctrlKey || event.metaKey || event.shiftKey);
  });
  canvas.addEventListener("keydown", (event) => {
    const last = count() - 1, { cursor, columns } = picture;
    if ((event.key === "Enter" || event.key === " ") && cursor >= 0) {
      event.preventDefault();
      select(cursor, event.ctrlKey || event.metaKey || event.shiftKey || event.key === " ");
      return;
    }
    const to = {
      ArrowRight: cursor + 1, ArrowLeft: cursor - 1, ArrowDown: cursor + columns, ArrowUp: cursor - columns,
      Home: 0, End: last, Escape: -1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    // Up and down stay in their column; at the first and the last row the cursor does not move.
    if (event.key === "Escape") { if (cursor < 0) leave(); moveTo(-1); }
    else if (cursor < 0) moveTo(picture.selected[0] ?? 0);
    else if (to >= 0 && to <= last) moveTo(to);
  });
};
