"""The source of a pool's image: exactly one origin, and options to build the image from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import choice
from batchimg_magics.pool_spec.line import option_flag
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self

__all__ = ["ORIGIN_FIELDS", "ImageOriginSpec", "missing_origin_error", "stated_fact_errors"]

#: Source: Azure Compute Gallery limits, replicas per version.
MAX_REPLICAS = 100
#: Highest LUN of a data disk. Source: Azure's limit of 64 data disks per VM.
MAX_LUN = 63
#: The fields that specify the source of an image.
ORIGIN_FIELDS = ("from_vm", "from_vhd", "from_snapshot", "from_image", "from_version")
#: Host name of a blob endpoint, with Azure's rule for names of storage accounts.
_BLOB_HOST = re.compile(r"[a-z0-9]{3,24}\.blob\.[a-z0-9.]+")


def _normalize_region(name: str) -> str:
    return name.replace(" ", "").lower()


def _parse_blob_url(url: str) -> str:
    """Return the URL of a blob without its query: Azure reads the blob with the caller's permissions, not a token."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError as error:
        raise SpecError(
            "--from-vhd is not a URL", hint="expected https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.vhd"
        ) from error
    if (
        parts.scheme != "https"
        or not _BLOB_HOST.fullmatch(parts.netloc.lower())
        or not re.fullmatch(r"/[^/]+/.+\.vhd", parts.path, re.IGNORECASE)
    ):
        raise SpecError(
            f"{parts._replace(query='', fragment='').geturl()!r} is not the URL of a VHD blob",
            hint="expected https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.vhd (Azure does not support VHDX)",
        )
    if time_parameters := sorted({"snapshot", "versionid"} & {name.lower() for name in query}):
        raise SpecError(
            f"the URL is of a {time_parameters[0]} of the blob, from which an image cannot be created",
            hint="copy it to a new blob, and use the URL of that blob",
        )
    return parts._replace(query="", fragment="").geturl()


def _resource_id_parser(kind: str, option: str) -> Callable[[str], str]:
    """Return a parser for resource ids of one type."""

    def read(text: str) -> str:
        resource_id = ResourceId.parse(text)
        if resource_id.type.lower() != kind.lower():
            raise SpecError(f"{option} is the id of a {resource_id.type}", hint=f"expected the id of a {kind}")
        return str(resource_id)

    return read


Snapshot = Annotated[str, AfterValidator(_resource_id_parser("Microsoft.Compute/snapshots", "--from-snapshot"))]
Lun = Annotated[int, Field(ge=0, le=MAX_LUN)]


def missing_origin_error() -> SpecError:
    """Return the error of a spec without an image source."""
    known = ", ".join(option_flag(name) for name in ORIGIN_FIELDS[1:])
    return SpecError(
        "from_vm is missing",
        hint=f"specify --from-vm (`from_vm:` in a body), or another image source: {known}; "
        "optional: --vm-size (default: that of the VM), --nodes and --spot (default: 0)",
    )


class ImageOriginSpec(BaseModel):
    """The source of an image, and how the image is built from it.

    Exactly one of `from_vm`, `from_vhd`, `from_snapshot`, `from_image` and `from_version` is required.

    Parameters
    ----------
    from_vm
        The prepared VM: its name in the connection's resource group, or its resource id.
    from_vhd
        URL of a VHD blob in a storage account. A SAS token in it is ignored and never stored.
    from_snapshot, data_snapshots
        Resource id of the snapshot of an OS disk; LUN to resource id of the snapshots of data disks.
    from_image
        Resource id of a managed image.
    from_version
        Resource id of an existing gallery image version, which the pool uses unchanged.
    capture
        How to generalize a VM that is not generalized. ``copy``: a temporary copy of it; ``in-place``: the VM itself,
        which is irreversible.
    stop
        Whether to stop the VM for consistent snapshots, and restart it afterwards.
    copy_size
        VM size of the temporary copy. Default: a small size whose family has free cores.
    copy_subnet
        Resource id of the subnet of the temporary copy. Default: the VM's subnet.
    keep_users
        Whether to keep the user accounts and their home directories when the OS is generalized; keys and passwords are
        removed.
    generalized
        Asserts that the OS is generalized although Azure does not mark it so.
    new_image
        Whether to build a new image version if the VM or VHD may have changed since the last one.
    via
        ``snapshots``: build the gallery version from snapshots; ``managed-image``: from an intermediate managed image.
    direct
        Whether to create the pool directly from the managed image, without a gallery.
    gallery
        Resource id of an existing gallery. Default: a gallery of the Batch account.
    storage_account
        Resource id of the VHD's storage account, if it is not in the connection's resource group.
    os_type, generation, security_type, architecture
        Properties of the image, for a VHD or a snapshot for which Azure does not record them.
    node_agent_sku
        Id of the Batch node agent SKU, if it cannot be derived from a Marketplace image.
    replicas
        Region to number of replicas of the image version, in addition to those that the pool's region needs.
    """

    # Input is hidden in pydantic's errors, since it may contain a token.
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    from_vm: Annotated[str, Field(min_length=1)] | None = None
    from_vhd: Annotated[str, AfterValidator(_parse_blob_url)] | None = None
    from_snapshot: Snapshot | None = None
    data_snapshots: dict[Lun, Snapshot] = {}
    from_image: (
        Annotated[str, AfterValidator(_resource_id_parser("Microsoft.Compute/images", "--from-image"))] | None
    ) = None
    from_version: (
        Annotated[
            str, AfterValidator(_resource_id_parser("Microsoft.Compute/galleries/images/versions", "--from-version"))
        ]
        | None
    ) = None
    capture: Annotated[Literal["copy", "in-place"], choice("copy", "in-place")] = "copy"
    stop: bool = False
    copy_size: Annotated[str, Field(min_length=1)] | None = None
    copy_subnet: (
        Annotated[
            str, AfterValidator(_resource_id_parser("Microsoft.Network/virtualNetworks/subnets", "--copy-subnet"))
        ]
        | None
    ) = None
    keep_users: bool = False
    generalized: bool = False
    new_image: bool = False
    via: Annotated[Literal["snapshots", "managed-image"], choice("snapshots", "managed-image")] = "snapshots"
    direct: bool = False
    gallery: Annotated[str, AfterValidator(_resource_id_parser("Microsoft.Compute/galleries", "--gallery"))] | None = (
        None
    )
    storage_account: (
        Annotated[str, AfterValidator(_resource_id_parser("Microsoft.Storage/storageAccounts", "--storage-account"))]
        | None
    ) = None
    os_type: Annotated[Literal["Linux", "Windows"], choice("Linux", "Windows")] | None = None
    generation: Annotated[Literal["V1", "V2"], choice("V1", "V2", also={"1": "V1", "2": "V2"})] | None = None
    security_type: (
        Annotated[
            Literal["Standard", "TrustedLaunch", "ConfidentialVM"],
            choice("Standard", "TrustedLaunch", "ConfidentialVM"),
        ]
        | None
    ) = None
    architecture: Annotated[Literal["x64", "Arm64"], choice("x64", "Arm64")] | None = None
    node_agent_sku: str | None = None
    replicas: dict[
        Annotated[str, AfterValidator(_normalize_region)], Annotated[int, Field(ge=1, le=MAX_REPLICAS, strict=True)]
    ] = {}

    @property
    def origin_field(self) -> str:
        """The field of `ORIGIN_FIELDS` that is set."""
        return next(name for name in ORIGIN_FIELDS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        self._check_one_origin()
        given = self.model_fields_set & {name for name, value in self if value not in (None, False, {}, ())}
        for name, origins, why in _ORIGINS_OF_OPTION:
            if name in given and self.origin_field not in origins:
                raise SpecError(
                    f"{option_flag(name)} cannot be used with {option_flag(self.origin_field)}: {why}",
                    hint=f"remove {option_flag(name)}",
                )
        for one, other, why in _EXCLUSIVE_OPTIONS:
            if {one, other} <= given:
                raise SpecError(
                    f"{option_flag(one)} cannot be used with {option_flag(other)}: {why}", hint="remove one of them"
                )
        self._check_stated_facts()
        self._check_copy_options()
        return self

    def _check_one_origin(self) -> None:
        options = [option_flag(name) for name in ORIGIN_FIELDS if getattr(self, name) is not None]
        if len(options) > 1:
            raise SpecError(
                f"{' and '.join(options)} cannot be used together", hint="an image has one source: remove one of them"
            )
        if not options:
            raise missing_origin_error()

    def _check_copy_options(self) -> None:
        """Refuse options of the temporary copy, and of generalizing, where there is neither."""
        for name in ("copy_size", "copy_subnet", "keep_users"):
            if getattr(self, name) and self.generalized:
                raise SpecError(
                    f"{option_flag(name)} cannot be used with --generalized: nothing is generalized",
                    hint="remove one of them",
                )
        for name in ("copy_size", "copy_subnet"):
            if getattr(self, name) and self.capture == "in-place":
                raise SpecError(
                    f"{option_flag(name)} cannot be used with --capture in-place: there is no copy",
                    hint="remove one of them",
                )

    def _check_stated_facts(self) -> None:
        if found := stated_fact_errors(dict(self)):
            raise SpecError("; ".join(one.message for one in found), hint="; ".join(one.hint for one in found))


def stated_fact_errors(values: Mapping[str, Any]) -> list[SpecError]:
    """Return the facts that Azure does not record and that values do not state. Ask, never assume.

    Parameters
    ----------
    values
        The fields of a spec: their names and values.
    """
    found = []
    source = next((name for name in ("from_vhd", "from_snapshot") if values.get(name) is not None), "")
    if source and not values.get("generalized"):
        found.append(
            SpecError(
                f"Azure does not record whether the OS of {option_flag(source)} is generalized",
                hint="if it is, add --generalized; if it is not, the nodes would be unusable, and billed",
            )
        )
    if source == "from_vhd" and not (values.get("os_type") and values.get("generation")):
        found.append(
            SpecError(
                "Azure does not record the OS type and generation of a VHD",
                hint="add --os-type Linux or Windows, and --generation V1 (BIOS) or V2 (UEFI)",
            )
        )
    return found


#: Options that can be used with some origins only: which ones, and why.
_ORIGINS_OF_OPTION = (
    ("capture", ("from_vm",), "only a VM can be captured"),
    ("stop", ("from_vm",), "only a VM can be stopped"),
    ("copy_size", ("from_vm",), "only a VM is copied"),
    ("copy_subnet", ("from_vm",), "only a VM is copied"),
    ("keep_users", ("from_vm",), "only a VM is generalized"),
    ("new_image", ("from_vm", "from_vhd"), "its content never changes"),
    ("data_snapshots", ("from_snapshot",), "its data disks are included"),
    ("storage_account", ("from_vhd",), "only a VHD is in a storage account"),
    ("os_type", ("from_vhd", "from_snapshot"), "it is known from the source"),
    ("generation", ("from_vhd", "from_snapshot"), "it is known from the source"),
    ("security_type", ("from_vhd", "from_snapshot"), "it is known from the source"),
    ("architecture", ("from_vhd", "from_snapshot"), "it is known from the source"),
    ("via", ("from_vm", "from_vhd", "from_snapshot"), "the source is an image already"),
    ("direct", ("from_vm", "from_vhd", "from_snapshot", "from_image"), "the image is in a gallery already"),
    ("gallery", ("from_vm", "from_vhd", "from_snapshot", "from_image"), "the image is in a gallery already"),
    ("replicas", ("from_vm", "from_vhd", "from_snapshot", "from_image"), "the version is not managed by this tool"),
)
#: Options that exclude each other, and why.
_EXCLUSIVE_OPTIONS = (
    ("direct", "gallery", "a direct pool uses no gallery"),
    ("direct", "replicas", "only gallery image versions have replicas"),
    ("direct", "new_image", "a managed image has no versions; use another pool name"),
)
