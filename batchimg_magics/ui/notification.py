"""Tell that a verb has ended: a notification of the browser in notebooks, the bell in terminals.

It is off unless ``%config BatchImgMagics.notify = True``. A browser asks for the permission, and only after a click:
until then, the output has a button. Where scripts do not run, nothing is shown.
"""

from __future__ import annotations

import json
import sys
import time

from batchimg_magics.masking import make_visible, mask_tokens

__all__ = ["Notifier", "notification_script"]

#: Characters of the text of a notification, at most.
_MAX_TEXT = 200
#: An output of a notebook runs again when the notebook is opened: after this many seconds it notifies of nothing.
_FRESH_S = 300
_SCRIPT = """
(() => {
  const [title, text, ended] = %s;
  const place = typeof element === "undefined" ? null : element;
  if (typeof Notification === "undefined" || Math.abs(Date.now() / 1000 - ended) > %d) return;
  const show = () => { try { new Notification(title, {body: text, tag: title}); } catch (error) { /* not here */ } };
  if (Notification.permission === "granted") return show();
  if (Notification.permission !== "default" || !place) return;
  const button = document.createElement("button");
  button.textContent = "Allow notifications of this page";
  button.onclick = () => Notification.requestPermission().then((given) => {
    button.remove();
    if (given === "granted") show();
  });
  (place.append ? place : place[0]).append(button);
})();
"""


def notification_script(title: str, text: str, ended: float) -> str:
    """Return the script that shows a notification; it makes no request.

    Parameters
    ----------
    title, text
        What it says.
    ended
        When the verb ended, in seconds since 1970.
    """
    # Text of the service must not end the script, wherever a front end puts it.
    title, text = (make_visible(mask_tokens(one)) for one in (title, text))
    values = json.dumps([title, text[:_MAX_TEXT], ended]).replace("<", "\\u003c")
    return _SCRIPT.strip() % (values, _FRESH_S)


class Notifier:
    """Notifies of the end of one verb, unless it was short.

    Parameters
    ----------
    in_notebook
        Whether outputs are those of a notebook.
    after_s
        Real seconds that a verb must have taken.
    """

    def __init__(self, *, in_notebook: bool, after_s: float) -> None:
        self._in_notebook = in_notebook
        self._after_s = after_s
        self._began = time.monotonic()

    def tell(self, label: str, outcome: str) -> None:
        """Notify: of the verb, and of what came of it."""
        if time.monotonic() - self._began < self._after_s:
            return
        if self._in_notebook:
            from IPython.display import Javascript, display

            script = notification_script(f"%batchimg {label}", outcome, time.time())
            display(Javascript(script))  # type: ignore[no-untyped-call] # untyped upstream
        elif sys.stderr.isatty():
            sys.stderr.write("\a")
            sys.stderr.flush()
