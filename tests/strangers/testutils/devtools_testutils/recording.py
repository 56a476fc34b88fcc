"""Recording, of which there is none: the functions that would set it up do nothing."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """Stand for the process that records."""


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing: what is not recorded needs no cleaning."""


add_body_key_sanitizer = _nothing
add_general_regex_sanitizer = _nothing
add_header_regex_sanitizer = _nothing
remove_batch_sanitizers = _nothing
set_custom_default_matcher = _nothing


def trim_kwargs_from_test_function(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Remove the arguments that a test does not take."""
    parameters = inspect.signature(function).parameters.values()
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        return
    taken = {one.name for one in parameters}
    for name in arguments.keys() - taken:
        del arguments[name]


def recorded_by_proxy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a test with the arguments that it takes."""

    def run(*words: Any, **arguments: Any) -> Any:
        trim_kwargs_from_test_function(function, arguments)
        return function(*words, **arguments)

    return _named(run, function)


def recorded_by_proxy_async(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a test that is a coroutine with the arguments that it takes."""

    async def run(*words: Any, **arguments: Any) -> Any:
        trim_kwargs_from_test_function(function, arguments)
        return await function(*words, **arguments)

    return _named(run, function)


def _named(run: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a wrapper the name and the marks of a test, but not its parameters, which are no fixtures."""
    functools.update_wrapper(run, function)
    del run.__wrapped__  # type: ignore[attr-defined] # pytest would ask it for the parameters
    return run
