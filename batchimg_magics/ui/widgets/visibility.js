/* Each view reports when it is opened, hidden and closed, so that the kernel polls Azure only while one is visible. */

/** Report a view's visibility to the kernel until it is closed; returns functions that report it again and close it. */
export function reportVisibility(model, view) {
  let closed = false;
  const send = (state, more = {}) => {
    // A kernel that ended before its page receives nothing.
    try { model.send({ kind: "view", view, state, ...more }); } catch { /* there is nothing to report to */ }
  };
  const report = (more) => { if (!closed) send(document.hidden ? "hidden" : "visible", more); };
  const onVisibilityChange = () => report();
  // A page that is left fires "pagehide" and then "visibilitychange": only the first one is reported.
  const onPageHide = () => { if (!closed) send("closed"); closed = true; };
  const onPageShow = () => { if (closed) { closed = false; report({ new: true }); } };
  const onMessage = (message) => { if (message.kind === "report views") report(); };
  document.addEventListener("visibilitychange", onVisibilityChange);
  window.addEventListener("pagehide", onPageHide);
  window.addEventListener("pageshow", onPageShow);
  model.on("msg:custom", onMessage);
  report({ new: true });
  return () => {
    document.removeEventListener("visibilitychange", onVisibilityChange);
    window.removeEventListener("pagehide", onPageHide);
    window.removeEventListener("pageshow", onPageShow);
    model.off("msg:custom", onMessage);
    onPageHide();
  };
}
