"""The verbs as methods of `Session`. The stub beside this module has their signatures; `make docs` writes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MethodType
from typing import TYPE_CHECKING, Any, NoReturn

from batchimg_magics.verbs import renamed
from batchimg_magics.verbs.registry import SESSION_VERBS, load_verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from batchimg_magics.errors import BatchImgError

__all__ = ["POOL_VERBS", "PoolVerbs", "Verbs"]

#: The verbs about one pool: also methods of its handle.
POOL_VERBS = (
    "check", "migrate", "show", "create", "plan", "nodes", "logs", "delete", "resize", "repair", "wait", "stop-resize",
    "autoscale", "history", "estimate", "run", "update", "lock",
)  # fmt: skip


class _Methods(ABC):
    """What has verbs as methods."""

    @abstractmethod
    def _frame(self, verb: str, /, **options: Any) -> pd.DataFrame:
        """Run a verb to its end, unless `wait` is False, and return its table."""

    @abstractmethod
    def _python_error(self, error: BatchImgError, verb: str) -> BatchImgError:
        """Return an error of a verb as its method raises it."""

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in renamed.METHODS]


class _RenamedMethod:
    """The old name of a method. A `__getattr__` would keep IPython from completing the arguments of all methods."""

    def __init__(self, old: str) -> None:
        self._old = old

    def __get__(self, instance: object | None, owner: type) -> NoReturn:
        new = renamed.METHODS[self._old]
        raise AttributeError(f"{owner.__name__}.{self._old} was renamed to {owner.__name__}.{new}")


class _VerbMethod:
    """The method of a verb, built when it is first used: a command line needs none of them."""

    def __init__(self, verb: str, *, of_pool: bool = False) -> None:
        self._verb = verb
        self._of_pool = of_pool
        self._function: Callable[..., pd.DataFrame] | None = None

    def __get__(self, instance: object | None, owner: type) -> Callable[..., pd.DataFrame]:
        if self._function is None:
            from batchimg_magics.session.signatures import build_method

            self._function = build_method(load_verb(self._verb), of_pool=self._of_pool)
        return self._function if instance is None else MethodType(self._function, instance)


for _name in renamed.METHODS:
    setattr(_Methods, _name, _RenamedMethod(_name))


class Verbs(_Methods, ABC):
    """Every verb as a method that returns a pandas DataFrame; docs/reference.md lists the columns."""


class PoolVerbs(_Methods, ABC):
    """Every verb about one pool as a method that returns a pandas DataFrame; docs/reference.md lists the columns."""


for _name in POOL_VERBS:
    setattr(PoolVerbs, _name.replace("-", "_"), _VerbMethod(_name, of_pool=True))
for _name in SESSION_VERBS:
    setattr(Verbs, _name.replace("-", "_"), _VerbMethod(_name))
