"""The syntax of shell scripts: lists, pipelines, groups, functions, ``if``, ``for``, ``while`` and ``case``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import Lexer, Part, Token, Word, plain

if TYPE_CHECKING:
    from collections.abc import Callable

_REDIRECTS = frozenset({"<", ">", ">>", ">|", "<<", "<<-", "<<<", "&>", "&>>", ">&", "<&"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_UNSUPPORTED = frozenset({"select", "coproc", "[["})
_CLOSING = frozenset({"then", "elif", "else", "fi", "}", "do", "done", "esac"})
_FUNCTION = re.compile(r"[A-Za-z_][\w-]*")


class Loop(msgspec.Struct):
    """A loop: over words that a variable gets one by one, or while (until) a condition holds."""

    body: list[AndOr]
    name: str = ""
    words: list[Word] | None = None
    condition: list[AndOr] | None = None
    until: bool = False


class Case(msgspec.Struct):
    """A choice by patterns: (patterns, list) pairs."""

    word: Word
    choices: list[tuple[list[Word], list[AndOr]]]


class Function(msgspec.Struct):
    """The definition of a function."""

    name: str
    body: Command


class Command(msgspec.Struct):
    """One command of a pipeline: a simple one, or a compound one with `group`, `branches` or `compound`.

    Parameters
    ----------
    words, assignments
        The words, and the variables that are set before them.
    redirects
        (Operator, target) pairs; the target of a here-document is its text.
    group, subshell
        The list in parentheses or braces, and whether it is in parentheses.
    branches
        (Condition, list) pairs of ``if``; the condition of ``else`` is None.
    compound
        A loop, a choice, or a function.
    line
        Where it begins.
    """

    words: list[Word] = msgspec.field(default_factory=list)
    assignments: list[tuple[str, Word]] = msgspec.field(default_factory=list)
    redirects: list[tuple[str, Word]] = msgspec.field(default_factory=list)
    group: list[AndOr] | None = None
    subshell: bool = False
    branches: list[tuple[list[AndOr] | None, list[AndOr]]] = msgspec.field(default_factory=list)
    compound: Loop | Case | Function | None = None
    line: int = 0

    @property
    def simple(self) -> bool:
        """Whether it is neither a group nor another compound command."""
        return self.group is None and not self.branches and self.compound is None


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
            if token is None or token.operator in (")", ";;") or self._keyword() in _CLOSING:
                return found
            one = self._and_or()
            if self._take("&"):
                one.background = True
            elif not self._take("\n", ";") and self._peek() is not None and self._peek_operator() not in (")", ";;"):
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
            command.group, command.subshell = self._list(), True
            self._need(")")
        elif (compound := self._compounds().get(word)) is not None:
            self._at += 1
            compound(command)
        elif _FUNCTION.fullmatch(word) and self._is_function():
            self._at += 3
            self._function(command, word)
        self._simple(command)
        if not command.words and not command.assignments and not command.redirects and command.simple:
            raise self._unsupported()
        return command

    def _compounds(self) -> dict[str, Callable[[Command], None]]:
        return {
            "{": self._braces, "if": self._if, "for": self._for, "while": self._while, "until": self._until,
            "case": self._case, "function": self._function_word,
        }  # fmt: skip

    def _is_function(self) -> bool:
        following = [one.operator for one in self._tokens[self._at + 1 : self._at + 3]]
        return following == ["(", ")"]

    def _function(self, command: Command, name: str) -> None:
        self._skip_lines()
        command.compound = Function(name, self._command())

    def _function_word(self, command: Command) -> None:
        name = self._keyword()
        self._at += 1
        if self._take("("):
            self._need(")")
        self._function(command, name)

    def _braces(self, command: Command) -> None:
        command.group = self._list()
        self._need_word("}")

    def _body(self) -> list[AndOr]:
        self._need_word("do")
        body = self._list()
        self._need_word("done")
        return body

    def _for(self, command: Command) -> None:
        name, words = self._keyword(), None
        self._at += 1
        self._skip_lines()
        if self._keyword() == "in":
            self._at += 1
            words = []
            while (token := self._peek()) is not None and not token.operator:
                words.append(token.word)
                self._at += 1
        while self._take(";", "\n"):
            pass
        command.compound = Loop(self._body(), name, words)

    def _while(self, command: Command) -> None:
        command.compound = Loop([], condition=self._list())
        command.compound.body = self._body()

    def _until(self, command: Command) -> None:
        command.compound = Loop([], condition=self._list(), until=True)
        command.compound.body = self._body()

    def _case(self, command: Command) -> None:
        token = self._peek()
        if token is None or token.operator:
            raise self._unsupported()
        self._at += 1
        choice = Case(token.word, [])
        self._skip_lines()
        self._need_word("in")
        self._skip_lines()
        while self._keyword() != "esac":
            self._take("(")
            patterns = [self._pattern()]
            while self._take("|"):
                patterns.append(self._pattern())
            self._need(")")
            choice.choices.append((patterns, self._list()))
            self._take(";;")
            self._skip_lines()
        self._at += 1
        command.compound = choice

    def _pattern(self) -> Word:
        token = self._peek()
        if token is None or token.operator:
            raise self._unsupported()
        self._at += 1
        return token.word

    def _skip_lines(self) -> None:
        while self._take("\n"):
            pass

    def _need(self, operator: str) -> None:
        if not self._take(operator):
            raise self._unsupported()

    def _need_word(self, word: str) -> None:
        if self._keyword() != word:
            raise self._unsupported()
        self._at += 1

    def _if(self, command: Command) -> None:
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
        compound = not command.simple
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
