"""The differences between an existing pool and the requested one, as text.

Both are documents of Azure Resource Manager. Defaults that the service sets are added before the comparison. Secrets
are not compared: the service never shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import machine_settings
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.pool_spec.node import RESERVED_PREFIX
from batchimg_magics.pool_spec.package_task import without_package_list
from batchimg_magics.pool_spec.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchimg_magics.core.azure.documents import Json

_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")
#: The property of a pool's document that has its node counts or its formula.
SCALE = "scaleSettings"


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting in which two pools differ.

    Parameters
    ----------
    label
        The name of the setting.
    existing, wanted
        The values, as far as they can be shown.
    group
        The property of the pool's document that has the setting.
    removes
        Whether the whole property would have to be removed.
    """

    label: str
    existing: str
    wanted: str
    group: str
    removes: bool

    def __str__(self) -> str:
        if self.existing == self.wanted:
            return f"{self.label} has other values"
        return f"{self.label} is {self.existing or 'none'}, wanted {self.wanted or 'none'}"


@dataclass(frozen=True, slots=True)
class ComparedSetting:
    """One setting to compare.

    Parameters
    ----------
    label
        The name of the setting.
    group
        The property of the pool's document that has the setting.
    read
        Returns the value of a document.
    show
        Returns the text of a value.
    exact
        Whether the comparison is case-sensitive.
    """

    label: str
    group: str
    read: Callable[[Json], Any]
    show: Callable[[Any], str] = str
    exact: bool = False

    def compare(self, found: Json, wanted: Json) -> Difference | None:
        """Return the difference between two documents in this setting; None for no difference."""
        existing, expected = self.read(found), self.read(wanted)
        if self.group == "tags":  # others may add tags, and a connection may have more: those are left alone
            named = {one.partition("=")[0].lower() for one in expected}
            existing = tuple(one for one in existing if one.partition("=")[0].lower() in named)
        if self._key(existing) == self._key(expected):
            return None
        return Difference(
            self.label,
            self._shown(existing),
            self._shown(expected),
            self.group,
            removes=_group_value(wanted, self.group) is None,
        )

    def _shown(self, value: Any) -> str:  # noqa: ANN401 - whatever `read` makes
        return "" if value in (None, "", ()) else self.show(value)

    def _key(self, value: Any) -> str:  # noqa: ANN401 - whatever `read` makes
        text = "" if value is None else str(value)
        return text if self.exact else text.lower()


def _group_value(document: Json, group: str) -> Any:  # noqa: ANN401 - JSON
    return document.get(group) if group in ("tags", "identity") else dig(document, "properties", group)


def differences(found: Json, wanted: Json) -> list[Difference]:
    """Return the differences between an existing pool and the requested one; node counts are not compared.

    An autoscale formula is compared only where one is requested: otherwise it was set after the pool was created.
    """
    formulas = FORMULA_SETTINGS if machine_settings.formula(wanted) is not None else ()
    compared = (*COMPARED_SETTINGS, *formulas)
    found, wanted = _without_package_list(found), _without_package_list(wanted)
    return [one for topic in compared if (one := topic.compare(found, wanted)) is not None]


def _without_package_list(document: Json) -> Json:
    """Return a document with the start task of its user: the part for the list of packages does not count."""
    props = document["properties"]
    task = without_package_list(props.get("startTask"))
    others = {name: value for name, value in props.items() if name != "startTask"}
    return {**document, "properties": {**others, **({"startTask": task} if task else {})}}


# -- reading values ----------------------------------------------------------------------------------------------


def _value_reader(*path: str, default: object = None) -> Callable[[Json], Any]:
    def read(document: Json) -> Any:  # noqa: ANN401 - JSON
        value = dig(document, "properties", *path)
        return default if value is None else value

    return read


def _list_reader(*path: str) -> Callable[[Json], list[Json]]:
    def read(document: Json) -> list[Json]:
        return dig(document, "properties", *path) or []

    return read


def _joined_words(value: Iterable[object]) -> str:
    return ", ".join(str(one) for one in value)


def _names(pairs: Iterable[tuple[Any, ...]]) -> str:
    return _joined_words(pair[0] for pair in pairs)


def _login_ports(document: Json) -> tuple[tuple[Any, ...], ...]:
    path = ("properties", "networkConfiguration", "endpointConfiguration", "inboundNatPools")
    keys = ("name", "protocol", "backendPort", "frontendPortRangeStart", "frontendPortRangeEnd")
    return tuple(
        sorted(
            (
                *(port.get(key) for key in keys),
                tuple(
                    (rule["access"], rule["sourceAddressPrefix"])
                    for rule in port.get("networkSecurityGroupRules") or ()
                ),
            )
            for port in dig(document, *path) or []
        )
    )


def _ports_shown(ports: Iterable[tuple[Any, ...]]) -> str:
    return _joined_words(f"{port[0]} {port[2]} at {port[3]}-{port[4]}" for port in ports)


def _start_task_user(document: Json) -> str | None:
    task = dig(document, "properties", "startTask")
    if task is None:
        return None
    identity = task.get("userIdentity") or {}
    # Source: the service's defaults, as recorded on start tasks without a user identity.
    automatic = {"scope": "Pool", "elevationLevel": "NonAdmin"} | (identity.get("autoUser") or {})
    return str(identity.get("userName") or f"{automatic['elevationLevel']} of {automatic['scope']}")


def _value_of(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else value


def _environment(document: Json) -> tuple[tuple[str, Any], ...]:
    rows = _list_reader("startTask", "environmentSettings")(document)
    return tuple(sorted((str(one["name"]), _value_of(one.get("value"))) for one in rows))


def _resource_files(document: Json) -> tuple[tuple[Any, ...], ...]:
    """Return sources and targets of a start task's resource files, without SAS tokens in the URLs."""

    def source(file: Json) -> str:
        url = str(_value_of(file.get("httpUrl") or file.get("storageContainerUrl") or ""))
        parts = urlsplit(url)
        return f"{parts.netloc}{parts.path}" if url else str(file.get("autoStorageContainerName"))

    rest = ("filePath", "blobPrefix", "fileMode")
    files = _list_reader("startTask", "resourceFiles")(document)
    return tuple(sorted((source(file), *(file.get(key) or "" for key in rest)) for file in files))


def _mounts(document: Json) -> tuple[tuple[Any, ...], ...]:
    keys = ("containerName", "accountName", "azureFileUrl", "source", "userName", "blobfuseOptions", "mountOptions")
    found = [one for row in _list_reader("mountConfiguration")(document) for one in row.values() if one]
    return tuple(sorted((str(one.get("relativeMountPath")), *(one.get(key) or "" for key in keys)) for one in found))


def _registries(document: Json) -> tuple[str, ...]:
    found = _list_reader(*_MACHINE, "containerConfiguration", "containerRegistries")(document)
    return tuple(
        sorted(
            f"{one.get('registryServer') or 'docker.io'} as "
            f"{one.get('username') or str(dig(one, 'identityReference', 'resourceId')).rpartition('/')[2]}"
            for one in found
        )
    )


def _users(document: Json) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        sorted(
            (
                str(one["name"]),
                one.get("elevationLevel") or "NonAdmin",
                str(dig(one, "linuxUserConfiguration", "uid")),
                str(dig(one, "linuxUserConfiguration", "gid")),
                # Source: the service's default for VMs, as recorded; it shows it for Windows alone.
                dig(one, "windowsUserConfiguration", "loginMode") or "Batch",
            )
            for one in _list_reader("userAccounts")(document)
        )
    )


def _packages(document: Json) -> tuple[str, ...]:
    found = _list_reader("applicationPackages")(document)
    return tuple(sorted(f"{str(one['id']).rpartition('/')[2]}={one.get('version') or 'default'}" for one in found))


def _own_pairs(pairs: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(f"{name}={value}" for name, value in pairs if not name.lower().startswith(RESERVED_PREFIX)))


def _metadata(document: Json) -> tuple[str, ...]:
    return _own_pairs((str(one["name"]), one.get("value")) for one in _list_reader("metadata")(document))


def _tags(document: Json) -> tuple[str, ...]:
    return _own_pairs((document.get("tags") or {}).items())


def _identities(document: Json) -> tuple[str, ...]:
    found = dig(document, "identity", "userAssignedIdentities") or {}
    return tuple(sorted(name.lower() for name in found))


def _images(document: Json) -> tuple[str, ...]:
    return tuple(sorted(dig(document, "properties", *_MACHINE, "containerConfiguration", "containerImageNames") or ()))


def _retries(document: Json) -> int | None:
    return (
        None
        if dig(document, "properties", "startTask") is None
        else int(_value_reader("startTask", "maxTaskRetryCount", default=0)(document))
    )


def _waits(document: Json) -> str | None:
    task = dig(document, "properties", "startTask")
    return None if task is None else "no" if task.get("waitForSuccess") is False else "yes"


def _vm_size(document: Json) -> str | None:
    size = dig(document, "properties", "vmSize")
    return None if size is None else canonical_size(str(size))


_DEPLOYMENT, _NETWORK = "deploymentConfiguration", "networkConfiguration"
#: The settings that are compared, in the order of the text.
COMPARED_SETTINGS: tuple[ComparedSetting, ...] = (
    ComparedSetting("VM size", "vmSize", _vm_size),
    ComparedSetting("image", _DEPLOYMENT, _value_reader(*_MACHINE, "imageReference", "id")),
    ComparedSetting("node agent", _DEPLOYMENT, _value_reader(*_MACHINE, "nodeAgentSkuId")),
    ComparedSetting("security type", _DEPLOYMENT, _value_reader(*_MACHINE, "securityProfile", "securityType")),
    ComparedSetting("OS disk size in GiB", _DEPLOYMENT, _value_reader(*_MACHINE, "osDisk", "diskSizeGB")),
    ComparedSetting("OS disk type", _DEPLOYMENT, machine_settings.os_disk_type),
    ComparedSetting("OS disk caching", _DEPLOYMENT, machine_settings.os_disk_caching),
    ComparedSetting("placement of the ephemeral OS disk", _DEPLOYMENT, machine_settings.placement_of_os_disk),
    ComparedSetting("list of data disks", _DEPLOYMENT, machine_settings.data_disks, _joined_words),
    ComparedSetting("license type", _DEPLOYMENT, _value_reader(*_MACHINE, "licenseType")),
    ComparedSetting(
        "automatic Windows updates",
        _DEPLOYMENT,
        _value_reader(*_MACHINE, "windowsConfiguration", "enableAutomaticUpdates", default=True),
    ),
    ComparedSetting(
        "encryption at host",
        _DEPLOYMENT,
        _value_reader(*_MACHINE, "securityProfile", "encryptionAtHost", default=False),
    ),
    ComparedSetting("list of encrypted disks", _DEPLOYMENT, machine_settings.disk_encryption, _joined_words),
    ComparedSetting("disk encryption set", _DEPLOYMENT, machine_settings.encryption_set),
    ComparedSetting(
        "OS disk encryption",
        _DEPLOYMENT,
        _value_reader(*_MACHINE, "osDisk", "managedDisk", "securityProfile", "securityEncryptionType"),
    ),
    ComparedSetting(
        "node placement",
        _DEPLOYMENT,
        _value_reader(*_MACHINE, "nodePlacementConfiguration", "policy", default="Regional"),
    ),
    ComparedSetting("list of extensions", _DEPLOYMENT, machine_settings.extensions, _names),
    ComparedSetting("container type", _DEPLOYMENT, machine_settings.container_type),
    ComparedSetting("list of container images", _DEPLOYMENT, _images, _joined_words),
    ComparedSetting("list of container registries", _DEPLOYMENT, _registries, _joined_words),
    ComparedSetting("subnet", _NETWORK, _value_reader(_NETWORK, "subnetId")),
    ComparedSetting(
        "kind of public addresses",
        _NETWORK,
        _value_reader(_NETWORK, "publicIPAddressConfiguration", "provision", default="BatchManaged"),
    ),
    ComparedSetting("list of public addresses", _NETWORK, machine_settings.public_addresses, _joined_words),
    ComparedSetting("list of IP families", _NETWORK, machine_settings.ip_families, _joined_words),
    ComparedSetting("list of IP tags", _NETWORK, machine_settings.ip_tags, _joined_words),
    ComparedSetting(
        "accelerated networking", _NETWORK, _value_reader(_NETWORK, "enableAcceleratedNetworking", default=False)
    ),
    ComparedSetting("list of login ports", _NETWORK, _login_ports, _ports_shown),
    ComparedSetting("start task", "startTask", _value_reader("startTask", "commandLine"), exact=True),
    ComparedSetting("start task's user", "startTask", _start_task_user),
    ComparedSetting("start task's environment", "startTask", _environment, _names, exact=True),
    ComparedSetting("start task's list of files", "startTask", _resource_files, _names, exact=True),
    ComparedSetting("start task's number of retries", "startTask", _retries),
    ComparedSetting("wait for the start task's success", "startTask", _waits),
    ComparedSetting("number of task slots", "taskSlotsPerNode", _value_reader("taskSlotsPerNode", default=1)),
    ComparedSetting(
        "inter-node communication",
        "interNodeCommunication",
        _value_reader("interNodeCommunication", default="Disabled"),
    ),
    ComparedSetting(
        "node fill type",
        "taskSchedulingPolicy",
        _value_reader("taskSchedulingPolicy", "nodeFillType", default="Spread"),
    ),
    ComparedSetting(
        "order of jobs",
        "taskSchedulingPolicy",
        _value_reader("taskSchedulingPolicy", "jobDefaultOrder", default="None"),
    ),
    ComparedSetting("upgrade policy", "upgradePolicy", machine_settings.upgrade_policy, _joined_words),
    ComparedSetting("display name", "displayName", _value_reader("displayName"), exact=True),
    ComparedSetting("list of mounts", "mountConfiguration", _mounts, _names, exact=True),
    ComparedSetting("list of user accounts", "userAccounts", _users, _names),
    ComparedSetting("list of application packages", "applicationPackages", _packages, _joined_words),
    ComparedSetting("list of identities", "identity", _identities, _joined_words),
    ComparedSetting("metadata", "metadata", _metadata, _joined_words, exact=True),
    ComparedSetting("tags", "tags", _tags, _joined_words, exact=True),
)
#: The settings of a formula, which can change while a pool has nodes.
FORMULA_SETTINGS: tuple[ComparedSetting, ...] = (
    ComparedSetting("autoscale formula", SCALE, machine_settings.formula, exact=True),
    ComparedSetting("formula interval in seconds", SCALE, machine_settings.formula_interval),
)
