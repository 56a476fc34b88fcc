"""The spec of an existing pool: the settings that `create` needs to make the same pool again, without any secret.

A secret is written as `create` takes it: ``env:NAME``, the name of an environment variable.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import pools
from batchimg_magics.core.batch.secret_settings import SECRET_NAME, mask_command
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import mask_tokens
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.pool_document import read_pool_document
from batchimg_magics.pool_spec.start_task import StartTask

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from batchimg_magics.core.azure.documents import Json

__all__ = ["PoolSettings", "read_settings"]

_MACHINE = ("properties", "deploymentConfiguration", "virtualMachineConfiguration")
#: What the service shows for a pool that did not ask for it.
_SERVICE_DEFAULTS = {"node_fill": "spread", "job_order": "none"}
#: Fields of the last resize, which depend on how many nodes it added.
_OF_RESIZE = ("timeout",)
#: Tags whose value names a person. Source: the usual tags of Microsoft's naming and tagging guide, and of policies.
_PERSON = re.compile(r"(created|modified|requested)[-_ ]?by|.*(owner|author|contact|e-?mail|user)", re.IGNORECASE)
#: Kinds of mounts in a pool's document: the member with the secret, and the option for it.
_MOUNT_SECRETS = {
    "azureBlobFileSystemConfiguration": "accountKey",
    "azureFileShareConfiguration": "accountKey",
    "cifsMountConfiguration": "password",
}
_NO_SECRET = "Azure does not return it"  # noqa: S105 - a reason, not a secret


@dataclass(slots=True)
class PoolSettings:
    """The settings of a pool.

    Parameters
    ----------
    spec
        The fields of `PoolSpec` without those that have their default, as JSON; without the name.
    secrets
        Environment variable to the secret that it must contain.
    unknown
        Field to the reason why it is not in the spec, or not complete.
    """

    spec: Json = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def read_settings(pool: Json) -> PoolSettings:
    """Return the settings of a pool.

    Parameters
    ----------
    pool
        Its document in Azure Resource Manager.
    """
    found, name = PoolSettings(), str(pool["name"])
    document = copy.deepcopy(pool)
    _refer_to_hidden_secrets(document, found)
    _refer_to_shown_secrets(document, found)
    try:
        read = read_pool_document(
            {key: document[key] for key in ("properties", "tags", "identity") if key in document}, name
        )
    except SpecError as error:
        found.unknown["spec"] = error.message
        return found
    values, omitted = read or ({}, [])
    _leave_out_persons(values, found)
    values["vm_size"] = canonical_size(str(values.get("vm_size") or pool["properties"]["vmSize"]))
    if isinstance(task := values.get("start_task"), dict):
        values["start_task"] = _without_defaults(task, StartTask.model_fields)
    found.spec = _plain(_without_defaults(values, PoolSpec.model_fields))
    if pools.image_of(pool) is None:
        found.unknown["spec.from_version"] = "the pool is made from a Marketplace image, which `create` does not do"
    for one in omitted:
        if "--ttl" in one:
            found.unknown["spec.ttl"] = "the pool expires: give --ttl to create one that does"
        else:
            found.unknown[f"spec: {mask_tokens(one)}"] = "a setting that `create` does not have"
    return found


# -- secrets -----------------------------------------------------------------------------------------------------


def _variable(*words: object) -> str:
    """Return the name of an environment variable."""
    text = re.sub(r"\W+", "_", "_".join(map(str, words))).strip("_").upper()
    return text if text[:1].isalpha() else f"SECRET_{text}"


def _refer_to_hidden_secrets(pool: Json, found: PoolSettings) -> None:
    """Write a reference for each secret that the pool has and Azure does not return."""
    props = pool["properties"]
    for user in props.get("userAccounts") or []:
        if not user.get("password"):
            user["password"] = _refer(
                found, _variable("password", user.get("name")), f"password of user {user.get('name')}"
            )
    for mount in props.get("mountConfiguration") or []:
        for kind, member in _MOUNT_SECRETS.items():
            inner = mount.get(kind)
            if inner and not (inner.get(member) or inner.get("sasKey") or inner.get("identityReference")):
                path = inner.get("relativeMountPath")
                inner[member] = _refer(found, _variable("mount", path, "secret"), f"{member} of the mount {path}")
    for registry in dig(pool, *_MACHINE, "containerConfiguration", "containerRegistries") or []:
        if not registry.get("password") and not registry.get("identityReference"):
            server = registry.get("registryServer") or "docker.io"
            registry["password"] = _refer(found, _variable("registry", server, "password"), f"password of {server}")


def _refer(found: PoolSettings, variable: str, what: str) -> str:
    found.secrets[variable] = f"{what}: {_NO_SECRET}"
    return f"env:{variable}"


def _refer_to_shown_secrets(pool: Json, found: PoolSettings) -> None:
    """Write a reference in place of each secret of the start task that Azure returns."""
    task = pool["properties"].get("startTask") or {}
    for setting in task.get("environmentSettings") or []:
        name, value = str(setting.get("name")), str(setting.get("value") or "")
        if SECRET_NAME.search(name) or mask_tokens(value) != value:
            found.secrets[_variable(name)] = f"value of {name} of the start task"
            setting["value"] = f"env:{_variable(name)}"
    for place, file in enumerate(task.get("resourceFiles") or [], 1):
        for member in ("httpUrl", "storageContainerUrl"):
            url = str(file.get(member) or "")
            if mask_tokens(url) != url:
                variable = _variable("start_task_file", place)
                found.secrets[variable] = f"URL with a SAS token of {mask_tokens(url)}"
                file[member] = f"env:{variable}"
    command = str(task.get("commandLine") or "")
    if mask_command(command) != command:
        task["commandLine"] = mask_command(command)
        found.unknown["spec.start_task.command_line"] = "it contains a secret, which is masked: give --start-task"


def _leave_out_persons(values: dict[str, Any], found: PoolSettings) -> None:
    """Leave out the tags and metadata that name a person."""
    for key in ("tags", "metadata"):
        pairs: dict[str, str] = values.get(key) or {}
        named = [name for name, value in pairs.items() if _PERSON.fullmatch(name) or "@" in str(value)]
        for name in named:
            found.unknown[f"spec.{key}.{name}"] = "it names a person and is not stored"
        values[key] = {name: value for name, value in pairs.items() if name not in named}


# -- values ------------------------------------------------------------------------------------------------------


def _without_defaults(values: dict[str, Any], fields: dict[str, FieldInfo]) -> dict[str, Any]:
    """Return the values that differ from the defaults of a spec and of the service, in the order of the spec."""
    kept = {}
    for name, info in fields.items():
        if name in _OF_RESIZE:
            continue
        value = values.get(name)
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        if value in (None, "", (), [], {}, default) or _SERVICE_DEFAULTS.get(name) == value:
            continue
        kept[name] = value
    return kept


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a value as TOML can have it: without None, with texts as keys."""
    if isinstance(value, dict):
        return {str(name): "" if one is None else _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
