"""The syntax of shell scripts: lists, pipelines, groups and ``if``."""

from __future__ import annotations

import re

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import Lexer, Part, Token, Word, plain

_REDIRECTS = frozenset({"<", ">", ">>", ">|", "<<", "<<-", "<<<", "&>", "&>>", ">&", "<&"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_UNSUPPORTED = frozenset({"for", "while", "until", "case", "function", "select", "[["})
_CLOSING = frozenset({"then", "elif", "else", "fi", "}", "do", "done", "esac"})


class Command(msgspec.Struct):
    """One command of a pipeline: a simple one, or a compound one with `group` or `branches`.

    Parameters
    ----------
    words, assignments
        The words, and the variables that are set before them.
    redirects
        (Operator, target) pairs; the target of a here-document is its text.
    group
        The list in parentheses or braces.
    branches
        (Condition, list) pairs of ``if``; the condition of ``else`` is None.
    line
        Where it begins.
    """

    words: list[Word] = msgspec.field(default_factory=list)
    assignments: list[tuple[str, Word]] = msgspec.field(default_factory=list)
    redirects: list[tuple[str, Word]] = msgspec.field(default_factory=list)
    group: list[AndOr] | None = None
    branches: list[tuple[list[AndOr] | None, list[AndOr]]] = msgspec.field(default_factory=list)
    line: int = 0


class Pipeline(msgspec.Struct):
    """Commands of which each reads the output of the one before."""

    commands: list[Command]
    negated: bool = False
    joint: str = ""


class AndOr(msgspec.Struct):
    """Pipelines that ``&&`` and ``||`` join; in the background if ``&`` follows."""

    pipelines: list[Pipeline]
    background: bool = False


class Parser:
    """Reads the commands of a script."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = Lexer(text).tokens()
        self._at = 0

    def script(self) -> list[AndOr]:
        """Return the commands of the whole script."""
        found = self._list()
        if self._at < len(self._tokens):
            raise self._unsupported()
        return found

    def _unsupported(self) -> UnsupportedLineError:
        lines = self.text.splitlines() or [""]
        line = self._tokens[min(self._at, len(self._tokens) - 1)].line if self._tokens else 1
        return UnsupportedLineError(lines[min(line, len(lines)) - 1].strip())

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *operators: str) -> str:
        token = self._peek()
        if token is not None and token.operator in operators and token.operator:
            self._at += 1
            return token.operator
        return ""

    def _keyword(self) -> str:
        token = self._peek()
        return plain(token.word) if token is not None and not token.operator else ""

    def _list(self) -> list[AndOr]:
        found: list[AndOr] = []
        while True:
            while self._take("\n", ";"):
                pass
            token = self._peek()
            if token is None or token.operator == ")" or self._keyword() in _CLOSING:
                return found
            one = self._and_or()
            if self._take("&"):
                one.background = True
            elif not self._take("\n", ";") and self._peek() is not None and self._peek_operator() != ")":
                raise self._unsupported()
            found.append(one)

    def _peek_operator(self) -> str:
        token = self._peek()
        return "" if token is None else token.operator

    def _and_or(self) -> AndOr:
        pipelines = [self._pipeline("")]
        while joint := self._take("&&", "||"):
            while self._take("\n"):
                pass
            pipelines.append(self._pipeline(joint))
        return AndOr(pipelines)

    def _pipeline(self, joint: str) -> Pipeline:
        negated = self._keyword() == "!"
        self._at += negated
        commands = [self._command()]
        while self._take("|"):
            while self._take("\n"):
                pass
            commands.append(self._command())
        return Pipeline(commands, negated, joint)

    def _command(self) -> Command:
        token = self._peek()
        if token is None:
            raise self._unsupported()
        word = self._keyword()
        if word in _UNSUPPORTED or word in _CLOSING:
            raise self._unsupported()
        command = Command(line=token.line)
        if self._take("("):
            command.group = self._list()
            self._need(")")
        elif word == "{":
            self._at += 1
            command.group = self._list()
            self._need_word("}")
        elif word == "if":
            self._if(command)
        self._simple(command)
        if not command.words and not command.assignments and command.group is None and not command.branches:
            raise self._unsupported()
        return command

    def _need(self, operator: str) -> None:
        if not self._take(operator):
            raise self._unsupported()

    def _need_word(self, word: str) -> None:
        if self._keyword() != word:
            raise self._unsupported()
        self._at += 1

    def _if(self, command: Command) -> None:
        self._at += 1
        condition: list[AndOr] | None = self._list()
        while True:
            if condition is not None:
                self._need_word("then")
            command.branches.append((condition, self._list()))
            word = self._keyword()
            self._at += 1
            if word == "fi":
                return
            if word not in ("elif", "else"):
                self._at -= 1
                raise self._unsupported()
            condition = self._list() if word == "elif" else None

    def _simple(self, command: Command) -> None:
        """Read words, assignments and redirects; after a compound command only redirects."""
        compound = command.group is not None or bool(command.branches)
        while (token := self._peek()) is not None:
            operator = token.operator.lstrip("0123456789")
            if operator in _REDIRECTS:
                self._at += 1
                self._redirect(command, token, operator)
            elif token.operator or compound:
                return
            else:
                self._at += 1
                self._add_word(command, token.word)

    def _redirect(self, command: Command, token: Token, operator: str) -> None:
        target = self._peek()
        if target is None or target.operator:
            raise self._unsupported()
        self._at += 1
        if operator in ("<<", "<<-"):
            command.redirects.append(("<<", token.body))
        else:
            command.redirects.append((token.operator, target.word))

    def _add_word(self, command: Command, word: Word) -> None:
        first = word[0] if word else None
        if not command.words and first is not None and first.kind == "text" and not first.quoted:
            match = _ASSIGNMENT.fullmatch(first.value)
            if match is not None:
                rest = (Part("text", match[2]),) if match[2] else ()
                command.assignments.append((match[1], (*rest, *word[1:])))
                return
        command.words.append(word)
