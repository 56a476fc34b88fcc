"""Evaluation of templates: the values of expressions in a scope of parameters, variables and copies.

Source: "Syntax and expressions in ARM templates", "Copy", "Lambda functions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.services.templates.expressions import (
    Function,
    Literal,
    Member,
    TemplateError,
    UnsupportedTemplateError,
    is_expression,
    parse,
    unescaped,
)
from batchimg_magics.emulator.services.templates.text_functions import TEXT_FUNCTIONS, to_text, type_word
from batchimg_magics.emulator.services.templates.value_functions import VALUE_FUNCTIONS, to_bool, whole
from batchimg_magics.emulator.services.templates.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.services.templates.expressions import Node

#: Functions that Azure has and the emulator has not.
UNSUPPORTED = frozenset(
    {"buildcidr", "cidrhost", "cidrsubnet", "deployer", "fail", "groupby", "managementgroup", "mapvalues"}
    | {"managementgroupresourceid", "parsecidr", "resourcescope", "toLogicalZone".lower(), "tophysicalzone"}
)
#: Functions that do not evaluate all their arguments, or see the scope: methods of `Scope`.
_SPECIAL = frozenset(
    {"and", "coalesce", "copyindex", "filter", "if", "lambdavariables", "map", "or", "parameters", "reduce", "sort"}
    | {"toobject", "variables"}
)
_MAX_COPIES = 800
_ONLY_IN_DEFAULTS = frozenset({"newguid", "utcnow"})


class Scope(msgspec.Struct):
    """What the expressions of a template can refer to.

    Parameters
    ----------
    parameters, variables
        Values of parameters, and variables as the template has them, by name.
    azure
        The functions that depend on the deployment, by name in lower case.
    runtime
        The functions that read resources, by name in lower case; None where they are not expected.
    user
        Functions of the template by ``namespace.name`` in lower case: (names of parameters, expression).
    copies
        Index of each copy loop by its name; the empty name is the current one.
    values
        Variables of lambda expressions.
    open_variables
        The variables whose values are being evaluated.
    work
        Counts the evaluations of the whole deployment.
    """

    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    variables: dict[str, Any] = msgspec.field(default_factory=dict)
    azure: dict[str, Callable[..., Any]] = msgspec.field(default_factory=dict)
    runtime: Callable[[str], Callable[..., Any]] | None = None
    user: dict[str, tuple[list[str], Any]] = msgspec.field(default_factory=dict)
    copies: dict[str, int] = msgspec.field(default_factory=dict)
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    open_variables: frozenset[str] = frozenset()
    work: Work = msgspec.field(default_factory=Work)

    # -- values ------------------------------------------------------------------------------------------------------

    def value(self, found: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a value of a template with its expressions evaluated."""
        if isinstance(found, str):
            return self.expression(parse(found)) if is_expression(found) else unescaped(found)
        if isinstance(found, list):
            return [self.value(one) for one in found]
        if isinstance(found, dict):
            inner = {
                to_text(self.value(name)): self.value(one) for name, one in found.items() if not _is_copy(name, one)
            }
            for one in found["copy"] if _is_copy("copy", found.get("copy")) else ():
                inner[to_text(one["name"])] = self.copied(one)
            return inner
        return found

    def copied(self, loop: dict[str, Any]) -> list[Any]:
        """Return the elements of a loop in a property, a variable or an output."""
        name = str(loop.get("name") or "")
        number = self.count(loop)
        self.work.add(number)
        return [self.in_copy(name, index).value(loop.get("input")) for index in range(number)]

    def count(self, loop: dict[str, Any]) -> int:
        """Return how often a loop runs."""
        number = self.value(loop.get("count"))
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _MAX_COPIES:
            raise TemplateError(
                f"The copy count '{number}' of '{loop.get('name', '')}' is not valid: it has to be an integer from 0 "
                f"to {_MAX_COPIES}. Please see https://aka.ms/arm-resource-loops for usage details."
            )
        return number

    def in_copy(self, name: str, index: int) -> Scope:
        """Return the scope of an iteration of a loop."""
        return msgspec.structs.replace(self, copies=self.copies | {name.lower(): index, "": index})

    # -- expressions -------------------------------------------------------------------------------------------------

    def expression(self, node: Node) -> Any:  # noqa: ANN401 - JSON
        """Return the value of an expression."""
        if isinstance(node, Literal):
            return node.value
        with self.work:
            if isinstance(node, Member):
                return self._member(node)
            name = node.name.lower()
            found = getattr(self, f"_{name}_")(node) if name in _SPECIAL else self._called(node)
            self.work.check_value(found)
            return found

    def _member(self, node: Member) -> Any:  # noqa: ANN401 - JSON
        container, key = self.expression(node.of), self.expression(node.key)
        if isinstance(container, dict):
            found = [one for name, one in container.items() if name.lower() == to_text(key).lower()]
            if found or node.safe:
                return found[0] if found else None
            names = ", ".join(container)
            raise TemplateError(
                f"The language expression property '{key}' doesn't exist, available properties are '{names}'."
            )
        if isinstance(container, list) and isinstance(key, int):
            if 0 <= key < len(container):
                return container[key]
            if node.safe:
                return None
            raise TemplateError(f"The language expression property array index '{key}' is out of bounds.")
        if node.safe and container is None:
            return None
        raise TemplateError(
            f"The language expression property '{key}' can't be evaluated: the value is of type "
            f"'{type_word(container)}'."
        )

    def _called(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        name = node.name.lower()
        if name in self.user:
            return self._user_function(node)
        work = TEXT_FUNCTIONS.get(name) or VALUE_FUNCTIONS.get(name) or self.azure.get(name)
        if work is None and (name == "reference" or name.startswith("list")):
            return self._read(node)
        if work is None and name in _ONLY_IN_DEFAULTS:
            raise _unexpected(node.name)
        if work is None and name in UNSUPPORTED:
            raise UnsupportedTemplateError(f"the template function '{node.name}'")
        if work is None:
            raise TemplateError(
                f"The template function '{node.name}' is not valid. Please see https://aka.ms/arm-functions for usage "
                "details."
            )
        values = [self.expression(one) for one in node.arguments]
        try:
            return work(*values)
        except (
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
            IndexError,
            OSError,
        ) as error:  # OSError: of dates
            raise TemplateError(
                f"Unable to evaluate template language function '{node.name}': function requires other arguments. "
                f"Please see https://aka.ms/arm-functions#{node.name} for usage details."
            ) from error

    def _read(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        """Return the value of a function that reads resources."""
        if self.runtime is None:
            raise _unexpected(node.name)
        name = node.name.lower()
        arguments = self._arguments(node, *((1, 2, 3) if name == "reference" else (2, 3)))
        return self.runtime(name)(*map(self.expression, arguments))

    def _user_function(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        names, output = self.user[node.name.lower()]
        if len(names) != len(node.arguments):
            raise TemplateError(f"The function '{node.name}' requires {len(names)} argument(s).")
        given = dict(zip(names, map(self.expression, node.arguments), strict=True))
        # A user's function sees its own parameters only, and cannot call another one.
        return Scope(parameters=given, azure=self.azure, work=self.work).value(output)

    def _arguments(self, node: Function, *counts: int) -> tuple[Node, ...]:
        if len(node.arguments) not in counts:
            listed = " or ".join(map(str, counts))
            raise TemplateError(
                f"Unable to evaluate template language function '{node.name}': function requires {listed} argument(s) "
                f"while {len(node.arguments)} were provided. Please see https://aka.ms/arm-functions#{node.name} for "
                "usage details."
            )
        return node.arguments

    # -- functions that do not evaluate all their arguments, or see the scope ----------------------------------------

    def _parameters_(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        name = to_text(self.expression(*self._arguments(node, 1)))
        found = [one for known, one in self.parameters.items() if known.lower() == name.lower()]
        if not found:
            raise TemplateError(
                f"The template parameter '{name}' is not found. Please see https://aka.ms/arm-template/#parameters for "
                "usage details."
            )
        return found[0]

    def _variables_(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        name = to_text(self.expression(*self._arguments(node, 1)))
        known = next((one for one in self.variables if one.lower() == name.lower()), None)
        if known is None:
            raise TemplateError(
                f"The template variable '{name}' is not found. Please see https://aka.ms/arm-template/#variables for "
                "usage details."
            )
        if known in self.open_variables:
            raise TemplateError(f"The template variable '{name}' refers to itself.")
        inner = msgspec.structs.replace(self, runtime=None, copies={}, open_variables=self.open_variables | {known})
        return inner.value(self.variables[known])

    def _copyindex_(self, node: Function) -> int:
        values = [self.expression(one) for one in self._arguments(node, 0, 1, 2)]
        name = values.pop(0) if values and isinstance(values[0], str) else ""
        if name.lower() not in self.copies:
            raise TemplateError(
                "The template function 'copyIndex' is not expected at this location. The function can only be used in "
                "a resource with copy specified. Please see https://aka.ms/arm-copy for usage details."
            )
        return self.copies[name.lower()] + (whole(values[0], "copyIndex") if values else 0)

    def _if_(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        condition, then, otherwise = self._arguments(node, 3)
        return self.expression(then if to_bool(self.expression(condition)) else otherwise)

    def _and_(self, node: Function) -> bool:
        return all(to_bool(self.expression(one)) for one in node.arguments)

    def _or_(self, node: Function) -> bool:
        return any(to_bool(self.expression(one)) for one in node.arguments)

    def _coalesce_(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        return next((one for part in node.arguments if (one := self.expression(part)) is not None), None)

    # -- lambda expressions ------------------------------------------------------------------------------------------

    def _lambdavariables_(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        name = to_text(self.expression(*self._arguments(node, 1)))
        if name not in self.values:
            raise TemplateError(f"The lambda variable '{name}' is not found.")
        return self.values[name]

    def _applied(self, node: Node, *values: object) -> Any:  # noqa: ANN401 - JSON
        """Return the value of a lambda expression for some arguments; the index is one more."""
        if not (isinstance(node, Function) and node.name.lower() == "lambda" and node.arguments):
            raise TemplateError("The template function expects a lambda expression.")
        self.work.add(1)
        *names, output = node.arguments
        given = {to_text(self.expression(name)): value for name, value in zip(names, values, strict=False)}
        return msgspec.structs.replace(self, values=self.values | given).expression(output)

    def _list(self, node: Function, *counts: int) -> tuple[list[Any], tuple[Node, ...]]:
        first, *rest = self._arguments(node, *counts)
        listed = self.expression(first)
        if not isinstance(listed, list):
            raise TemplateError(f"The template language function '{node.name}' expects an array.")
        return listed, tuple(rest)

    def _map_(self, node: Function) -> list[Any]:
        listed, (work,) = self._list(node, 2)
        return [self._applied(work, one, index) for index, one in enumerate(listed)]

    def _filter_(self, node: Function) -> list[Any]:
        listed, (test,) = self._list(node, 2)
        return [one for index, one in enumerate(listed) if to_bool(self._applied(test, one, index))]

    def _reduce_(self, node: Function) -> Any:  # noqa: ANN401 - JSON
        listed, (start, work) = self._list(node, 3)
        found = self.expression(start)
        for index, one in enumerate(listed):
            found = self._applied(work, found, one, index)
        return found

    def _sort_(self, node: Function) -> list[Any]:
        listed, (before,) = self._list(node, 2)
        done: list[Any] = []
        for one in listed:
            at = next((at for at, other in enumerate(done) if to_bool(self._applied(before, one, other))), len(done))
            done.insert(at, one)
        return done

    def _toobject_(self, node: Function) -> dict[str, Any]:
        listed, (name, *value) = self._list(node, 2, 3)
        return {to_text(self._applied(name, one)): self._applied(value[0], one) if value else one for one in listed}


def _unexpected(name: str) -> TemplateError:
    return TemplateError(
        f"The template function '{name}' is not expected at this location. Please see https://aka.ms/arm-functions for "
        "usage details."
    )


def _is_copy(name: str, found: object) -> bool:
    """Tell whether a member of an object is a loop that makes other members."""
    return (
        name == "copy"
        and isinstance(found, list)
        and bool(found)
        and all(isinstance(one, dict) and {"name", "count", "input"} <= {*one} for one in found)
    )
