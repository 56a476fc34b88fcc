/* The section "Runs": the rows of a run as squares, those that failed first, and the card of the selected row with what
its command printed. It is hidden while the pool has no runs. */

/** The card of a row: its state, its values, why it failed and its output. */
function renderCard(card, close) {
  const facts = card.loading ? ["reading\u2026"] : card.facts ?? [];
  const values = (card.values ?? []).map(([name, text]) => `${name} = ${text}`);
  return [
    h("div", { class: "bi-row bi-between bi-card-row" },
      h("div", { class: "bi-row" }, h("b", { text: `Row ${card.row}` }),
        card.loading ? null : h("span", { class: `bi-pill${card.state === "failed" ? " bi-bad" : ""}`, text: card.state })),
      h("button", { type: "button", class: "bi-quiet", text: "\u2715", "aria-label": "Close the card of the row", onclick: close })),
    h("div", { class: "bi-muted bi-num", text: facts.join(" \u00b7 ") }),
    values.length ? h("div", { class: "bi-run-values", text: values.join(" \u00b7 ") }) : null,
    card.reason ? h("div", { class: card.state === "failed" ? "bi-node-error" : "bi-muted", text: card.reason }) : null,
    ...node_card.renderFiles(card.files ?? []),
    card.line ? node_card.renderLine(card.line) : null,
  ];
}

export function render({ model, element, send }) {
  const words = () => model.get("runs").words ?? [];
  const chosen = h("select", { class: "bi-run-choice", "aria-label": "Run", onchange: () => send({ kind: "choose", run: chosen.value }) });
  const summary = h("div", { class: "bi-num", role: "status" }), command = h("code", { class: "bi-run-command" });
  const legend = h("div", { class: "bi-row bi-run-legend" });
  const canvas = h("canvas", { class: "bi-squares", tabindex: 0, role: "application", "aria-roledescription": "map of rows" });
  const hint = h("div", { class: "bi-row-hint bi-muted" });
  const card = h("div", { class: "bi-row-card", role: "group", "aria-label": "Selected row" });
  const problem = h("p", { class: "bi-loud", role: "alert" });
  const box = h("div", { class: "bi-row-map" }, canvas);
  const picture = new Picture(canvas, words);
  let codes = new Uint8Array(0), rows = new Uint32Array(0), sequence = -1, drawRequest = 0, shownCard = "";

  element.querySelector(".bi-tools").append(chosen);
  element.append(summary, command, legend, box, hint, problem, card);
  const requestDraw = () => { drawRequest ||= requestAnimationFrame(draw); };
  function draw() {
    drawRequest = 0;
    canvas.hidden = codes.length === 0;
    if (codes.length) picture.draw(codes, box.clientWidth || 600);
    box.dataset.painted = String(sequence);
  }
  const showHint = () => {
    const place = picture.cursor;
    setText(hint, place >= 0 && place < rows.length ? `row ${rows[place]} \u00b7 ${words()[codes[place]]}` : "Select a row for its output");
  };
  const close = () => { send({ kind: "unselect" }); canvas.focus(); };
  followCursor(picture, {
    count: () => codes.length,
    moveTo: (place) => { if (place !== picture.cursor) { picture.cursor = place; showHint(); requestDraw(); } },
    select: (place) => { if (place >= 0 && place < codes.length) send({ kind: "select", place }); },
    leave: () => send({ kind: "unselect" }),
  });
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.stopPropagation(); close(); }
  });

  const onMessage = (message, buffers) => {
    if (message.section !== "runs" || message.kind !== "all") return;
    codes = Uint8Array.from(bytesOf(buffers[0]));
    rows = wordsOf(buffers[1]);
    sequence = message.sequence;
    showHint();
    requestDraw();
  };
  const stopFollowing = follow(model, ["runs"], () => {
    const state = model.get("runs"), { runs = [], counts = {}, selected = [] } = state;
    element.hidden = !state.run && !state.problem;
    chosen.hidden = runs.length < 2;
    replaceIfChanged(chosen, runs, () => runs.map((run) => h("option", { value: run, text: run })));
    chosen.value = state.run ?? "";
    setText(summary, state.summary ?? "");
    setText(command, state.command ?? "");
    setText(problem, state.problem ?? "");
    problem.hidden = !state.problem;
    replaceIfChanged(legend, counts, () => Object.entries(counts).map(([word, count]) => {
      const [colour, mark] = styleOf(word);
      return h("span", { class: "bi-row" }, h("i", { class: "bi-swatch", "aria-hidden": "true", text: mark,
        style: `background: ${colour}; color: ${textColour(rgb(colour))}` }), `${count.toLocaleString("en")} ${word}`);
    }));
    setAttribute(canvas, "aria-label", `${state.summary}; use the arrow keys to move between rows and Enter to select one`);
    picture.selected = selected;
    picture.paint();
    card.hidden = state.card?.row === undefined;
    // Outputs are long: they are compared, but not kept in an attribute.
    const description = JSON.stringify(state.card ?? {});
    if (description !== shownCard) card.replaceChildren(...(card.hidden ? [] : renderCard(state.card, close)).filter(Boolean));
    shownCard = description;
    showHint();
    requestDraw();
  });
  const resizeObserver = new ResizeObserver(requestDraw);
  model.on("msg:custom", onMessage);
  resizeObserver.observe(box);
  send({ kind: "request all" });
  return () => {
    cancelAnimationFrame(drawRequest);
    resizeObserver.disconnect();
    model.off("msg:custom", onMessage);
    stopFollowing();
  };
}
