"""VM extensions that Azure installs on each node, for example Key Vault for certificates."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import SpecModel, Text
from batchimg_magics.pool_spec.secrets import SecretReference

__all__ = ["NodeExtension"]


def _setting(value: object) -> object:
    """Check that a value is JSON: YAML has more types, such as dates."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, list):
        return [_setting(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _setting(one) for name, one in value.items()}
    raise SpecError("a setting of an extension must be text, a number, a list or a mapping", hint="quote it")


class NodeExtension(SpecModel):
    """A VM extension of the nodes.

    Parameters
    ----------
    name, publisher, type
        Its name on the nodes; publisher and type, as ``az vm extension image list`` shows them.
    version
        Version of the handler, for example ``3.0``.
    settings
        Its settings, which everyone who can read the pool sees.
    protected_settings
        Settings that Azure does not return: name to ``env:NAME``.
    auto_upgrade_minor_version, automatic_upgrade
        Whether newer minor versions are installed at the start of a node, and while it runs.
    after
        Names of extensions that are installed before this one.
    """

    name: Text
    publisher: Text
    type: Text
    version: Text | None = None
    settings: Annotated[dict[str, Any], BeforeValidator(_setting)] = Field(default_factory=dict)
    protected_settings: dict[str, SecretReference] = Field(default_factory=dict)
    auto_upgrade_minor_version: bool | None = None
    automatic_upgrade: bool | None = None
    after: tuple[Text, ...] = ()
