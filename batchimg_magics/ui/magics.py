"""``%batchimg`` and ``%%batchimg``: the IPython magic, a thin layer on a `Session`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.display import display
from traitlets import Bool, Float, Unicode

from batchimg_magics.errors import BatchImgError, SpecError
from batchimg_magics.pool_spec.line import pool_names
from batchimg_magics.session.foreground import run_with_progress
from batchimg_magics.session.progress import bars
from batchimg_magics.ui import command_lines, help_text, line_parser
from batchimg_magics.ui.cell_completion import complete_cell, verb_at_cursor
from batchimg_magics.ui.completion import Candidate
from batchimg_magics.ui.expansion import expand_body, expand_words
from batchimg_magics.ui.line_words import Word, split_line
from batchimg_magics.ui.silenced_lines import drop_silenced
from batchimg_magics.verbs.registry import LOCAL_VERBS, VERB_NAMES, load_verb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell
    from ipywidgets import DOMWidget

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.session.record_output import Result
    from batchimg_magics.ui.notebook_session import Session

__all__ = ["BatchImgMagics", "load", "unload"]


@magics_class
class BatchImgMagics(Magics):
    """Settings of `%batchimg`, for `%config` and IPython's configuration files."""

    state = Unicode("", help="emulator: the state file, or :memory:").tag(config=True)
    speed = Unicode("", help="emulator: the time acceleration, or max").tag(config=True)
    show_progress = Bool(default_value=True, help="show progress while a verb runs").tag(config=True)
    notify = Bool(default_value=False, help="tell when a long verb has ended: browser, or bell").tag(config=True)
    notify_after = Float(30.0, help="notify of verbs that took this many real seconds").tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell = shell  # the attribute of the base class may be None
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session of the kernel, created when it is first needed."""
        if self._session is None:
            from batchimg_magics.ui.notebook_session import Session

            self._session = Session()
        return self._session

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    @needs_local_scope
    @no_var_expand
    @line_cell_magic
    def batchimg(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> pd.DataFrame | DOMWidget | None:
        """Turn one prepared Azure VM into an Azure Batch pool of any size."""
        line, command = command_lines.split_command(line)
        target, words = _split_assignment(split_line(line).words)
        if not words and cell and (first := next(iter(cell.split()), "")) in VERB_NAMES:
            raise SpecError("the verb is missing after %%batchimg", hint=f"write it there: %%batchimg {first} ...")
        variables = {**self._shell.user_ns, **(local_ns or {})}
        try:
            command_lines.refuse_text(words)
            words, tables = command_lines.take_tables(words, variables)
            line_words = [*expand_words(words, variables, _code_options(words)), *command_lines.split_words(command)]
            parsed = line_parser.parse_line(line_words)
            options = {**parsed.options, **tables}
            options |= _body(parsed, options, cell or "", variables)
        except line_parser.HelpRequested as answer:
            print(answer)  # noqa: T201 - IPython's way to show text
            return None
        except BatchImgError as error:
            _record_refused(words, error)
            raise
        self._tell_news()
        frame = self._dispatch(parsed.verb.name, options)
        if target is None:
            return frame
        self._shell.user_ns[target] = frame
        return None

    # IPython calls this for `%batchimg?`. The list of verbs imports all of them; loading the extension imports none.
    batchimg.getdoc = help_text.magic_docstring  # type: ignore[union-attr] # an attribute of the function, for IPython only

    def _tell_news(self) -> None:
        """Print one line for each verb that has ended in the background since the last magic."""
        for run in self._session.background if self._session is not None else ():
            if run.done() and not run.is_told:
                from batchimg_magics.session.local_verbs import outcome_line  # not when the extension is loaded

                run.is_told = True
                print(outcome_line(run))  # noqa: T201 - IPython's way to show text

    def _dispatch(self, verb: str, options: dict[str, Any]) -> pd.DataFrame | DOMWidget:
        if verb == "help":
            return _help(options)
        from batchimg_magics.connection.options import ConnectionOptions  # not when the extension is loaded

        settings = {name: setting for name, setting in (("state", self.state), ("speed", self.speed)) if setting}
        if verb == "connect" and ConnectionOptions(**options).is_emulator:
            options = {**settings, **options}
        elif verb not in ("connect", *LOCAL_VERBS) and settings and not self.session.connected:
            self._run_verb("connect", settings)
        if verb == "panel":
            return self._open_panel(options)
        table, result = self._run_verb(verb, options)
        if options.get("plot"):
            _display_plot(table, str(options.get("name")))
        return _to_frame(table, self.session.label, result)

    def _open_panel(self, options: dict[str, Any]) -> DOMWidget:
        from batchimg_magics.session.record_output import Recorder  # not when the extension is loaded

        with Recorder(self.session, "panel", options):  # of an error only: the actions of a panel have their records
            return self.session.open_panel(**options)

    def _run_verb(self, verb: str, options: dict[str, Any]) -> tuple[Table, Result | None]:
        from batchimg_magics.session.record_output import Recorder  # not when the extension is loaded

        progress = bars(shown=self.show_progress)
        with Recorder(self.session, verb, options, progress) as recorder:
            if not options.pop("wait", True):
                table = self.session.begin_in_background(verb, options)
                return table, recorder.done(table)
            tell = self._notifier(" ".join([verb, *pool_names(options)]))
            try:
                table = run_with_progress(recorder, verb, options, progress)
            except BatchImgError as error:
                tell(f"failed: {error}")
                if error.table is not None:
                    shown = _to_frame(error.table, self.session.label, recorder.failed(error))
                    display(shown)  # type: ignore[no-untyped-call] # untyped upstream
                raise
            tell(f"done: {table.caption}")
            return table, recorder.done(table)

    def _notifier(self, label: str) -> Callable[[str], None]:
        """Return what tells the outcome of a verb that begins now; it does nothing unless `notify` is set."""
        if not self.notify:
            return lambda _: None
        from batchimg_magics.ui.notification import Notifier

        in_notebook = getattr(self._shell, "kernel", None) is not None
        notifier = Notifier(in_notebook=in_notebook, after_s=self.notify_after)
        return lambda outcome: notifier.tell(label, outcome)

    @context_matcher(identifier="batchimg")  # type: ignore[untyped-decorator] # untyped upstream
    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Complete `%batchimg` lines and bodies, and keep Python's completions out of them."""
        lines = context.full_text.split("\n")[: context.cursor_line]
        text = "\n".join([*lines, context.text_until_cursor])
        hidden = self._shell.user_ns_hidden
        variables = {name: value for name, value in self._shell.user_ns.items() if name not in hidden}
        found = complete_cell(text, self.session.names, variables) if "batchimg" in text else None
        if found is None:
            return {"completions": [], "suppress": False}
        for kind in {option.completion for option in verb.options} if (verb := verb_at_cursor(text)) else ():
            self.session.prefetch_names(kind)
        fragment, candidates = found
        # Without any completion, IPython would offer those of Python: the text itself changes nothing.
        offered = candidates or [Candidate(fragment, "text")]
        completions = [SimpleCompletion(one.text, type=one.kind) for one in offered]
        return {"completions": completions, "suppress": True, "matched_fragment": fragment}


def _split_assignment(words: tuple[Word, ...]) -> tuple[str | None, tuple[Word, ...]]:
    """Split ``x <<`` from the start of a line."""
    if len(words) > 1 and words[1].source == "<<":
        name = words[0].source
        if not name.isidentifier():
            raise SpecError(f"{name!r} is not a valid variable name", hint="for example: %%batchimg x << create ...")
        return name, words[2:]
    return None, words


def _code_options(words: tuple[Word, ...]) -> set[str]:
    """Return the options of a line whose values are command lines or formulas."""
    name = words[0].source if words else ""
    return {option.flag for option in load_verb(name).options if option.is_code} if name in VERB_NAMES else set()


def _body(
    parsed: line_parser.ParsedLine, options: Mapping[str, Any], cell: str, variables: Mapping[str, Any]
) -> dict[str, str]:
    verb = parsed.verb
    if all(line.lstrip()[:1] in ("", "#") for line in cell.splitlines()):
        return {}  # comments only
    if not (verb.takes_body or verb.text_body):
        raise SpecError(f"{verb.name} takes no cell body", hint=f"write it as a line: %batchimg {verb.usage}")
    keyword = verb.text_body or "spec"
    if keyword in options:
        raise SpecError(f"--{keyword} and a cell body cannot be combined", hint="use one of them")
    return {keyword: cell if verb.text_body else expand_body(cell, variables)}


def _record_refused(words: tuple[Word, ...], error: BatchImgError) -> None:
    """Store the record of a line that is not valid; its options are not known."""
    from batchimg_magics.session.record_output import Recorder  # not when the extension is loaded

    if words and words[0].source in VERB_NAMES:
        Recorder(None, words[0].source, {}).store_failed(error)


def _help(options: dict[str, Any]) -> pd.DataFrame:
    from batchimg_magics.session.record_output import Recorder  # not when the extension is loaded

    table = help_text.help_table(options.get("verb"))
    return _to_frame(table, result=Recorder(None, "help", options).done(table))


def _display_plot(table: Table, pool: str) -> None:
    """Display the plot of the nodes by state over time as an image, which is stored in the notebook."""
    from IPython.display import Image

    from batchimg_magics.ui.plot import plot_nodes

    display(Image(plot_nodes(table, pool), alt=f"nodes of pool {pool}"))  # type: ignore[no-untyped-call] # untyped upstream


def _to_frame(table: Table, label: str = "", result: Result | None = None) -> pd.DataFrame:
    from batchimg_magics.session.frames import to_displayed_frame  # pandas

    return to_displayed_frame(table, label, result)


def load(shell: InteractiveShell) -> None:
    """Register the magic and its completion; do nothing if they are registered."""
    if _find_loaded(shell) is None:
        magics = BatchImgMagics(shell)
        shell.register_magics(magics)
        shell.Completer.custom_matchers.append(magics.complete)
        shell.input_transformers_post.append(drop_silenced)


def unload(shell: InteractiveShell) -> None:
    """Remove the magic and its completion, and close the connection; do nothing if they are not registered."""
    magics = _find_loaded(shell)
    if magics is None:
        return
    magics.close()
    if (records := sys.modules.get("batchimg_magics.session.record_output")) is not None:
        records.forget(shell)
    shell.Completer.custom_matchers.remove(magics.complete)
    # By name, as the magic: after a reload of the module, the function is another object.
    transformers = shell.input_transformers_post
    transformers[:] = [one for one in transformers if getattr(one, "__name__", "") != drop_silenced.__name__]
    configurables: list[Any] = shell.configurables  # upstream declares a list of shells
    configurables.remove(magics)
    manager = shell.magics_manager
    del manager.registry[BatchImgMagics.__name__]
    for kind in ("line", "cell"):
        manager.magics[kind].pop("batchimg", None)


def _find_loaded(shell: InteractiveShell) -> BatchImgMagics | None:
    # By name: after a reload of the module, the class is another object.
    found: BatchImgMagics | None = shell.magics_manager.registry.get(BatchImgMagics.__name__)
    return found
