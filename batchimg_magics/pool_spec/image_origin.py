"""Where the image that a pool's nodes are made from comes from: exactly one origin, and the road from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.line import option_flag
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["ORIGIN_FIELDS", "ImageOriginSpec"]

#: Source: Azure Compute Gallery limits, replicas a version.
MAX_REPLICAS = 100
#: Highest LUN of a data disk. Source: Azure's limit of 64 data disks a VM.
MAX_LUN = 63
#: The fields that say where an image comes from.
ORIGIN_FIELDS = ("from_vm", "from_vhd", "from_snapshot", "from_image", "from_version")
#: Azure's rule for the names of storage accounts.
_BLOB_HOST = re.compile(r"[a-z0-9]{3,24}\.blob\.[a-z0-9.]+")


def _normalize_region(name: str) -> str:
    return name.replace(" ", "").lower()


def _parse_blob_url(url: str) -> str:
    """Return the address of a blob without its query: Azure reads the blob as the caller, and needs no token."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError as error:
        raise SpecError(
            "--from-vhd is no URL", hint="it reads https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.vhd"
        ) from error
    if (
        parts.scheme != "https"
        or not _BLOB_HOST.fullmatch(parts.netloc.lower())
        or not re.fullmatch(r"/[^/]+/.+\.vhd", parts.path, re.IGNORECASE)
    ):
        raise SpecError(
            f"{parts._replace(query='', fragment='').geturl()!r} is no VHD in a storage account",
            hint="it reads https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.vhd (Azure takes no VHDX)",
        )
    if time_parameters := sorted({"snapshot", "versionid"} & {name.lower() for name in query}):
        raise SpecError(
            f"the URL names a {time_parameters[0]} of the blob, which no image can be made of",
            hint="copy it to a blob of its own and give that one's URL",
        )
    return parts._replace(query="", fragment="").geturl()


def _resource_id_parser(kind: str, option: str) -> Callable[[str], str]:
    """Return what reads the id of a resource of one type."""

    def read(text: str) -> str:
        found = ResourceId.parse(text)
        if found.type.lower() != kind.lower():
            raise SpecError(f"{option} is the id of a {found.type}", hint=f"give the id of a {kind}")
        return str(found)

    return read


def _choice_validator(*words: str, also: dict[str, str] | None = None) -> BeforeValidator:
    """Return what takes a word in any case and spells it as Azure does."""
    known = {word.lower(): word for word in words} | (also or {})
    return BeforeValidator(lambda value: known.get(str(value).strip().lower(), value))


Snapshot = Annotated[str, AfterValidator(_resource_id_parser("Microsoft.Compute/snapshots", "--from-snapshot"))]
Lun = Annotated[int, Field(ge=0, le=MAX_LUN)]


class ImageOriginSpec(BaseModel):
    """What an image is made from, and by which road.

    Exactly one of `from_vm`, `from_vhd`, `from_snapshot`, `from_image` and `from_version` is given.

    Parameters
    ----------
    from_vm
        The prepared VM: its name in the connection's resource group, or its resource id.
    from_vhd
        The address of a VHD in a storage account. A token in it is neither kept nor needed.
    from_snapshot, data_snapshots
        Resource id of the snapshot of an OS disk; LUN to id of those of data disks.
    from_image
        Resource id of a managed image.
    from_version
        Resource id of a gallery image version, which the pool is then made from as it is.
    capture
        For a VM that nobody deprovisioned. ``copy``: a throwaway copy of it is; ``in-place``: the VM itself is.
    stop
        Whether the VM is stopped for the time its disks are copied, so that they agree with each other.
    generalized
        The researcher's word that the system was deprovisioned, where Azure has no mark of it.
    new_image
        Whether a VM or VHD that has changed since its image was made makes a new version.
    via
        ``snapshots``: straight into a gallery version; ``managed-image``: through a managed image.
    direct
        Whether the pool is made straight from the managed image, without a gallery.
    gallery
        Resource id of a gallery that is there already; otherwise the account has one of its own.
    storage_account
        Resource id of the VHD's storage account, where it is not in the connection's resource group.
    os_type, generation, security_type, architecture
        What the image is, where nothing else tells: of a VHD, and of snapshots that do not say.
    node_agent_sku
        The Batch node agent that fits the system; needed only when the Marketplace image under it is not known.
    replicas
        Region to number of replicas of the image version, beside what the pool's own region needs.
    """

    # An error of pydantic's own never quotes what was given: it may have a token in it.
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
    capture: Annotated[Literal["copy", "in-place"], _choice_validator("copy", "in-place")] = "copy"
    stop: bool = False
    generalized: bool = False
    new_image: bool = False
    via: Annotated[Literal["snapshots", "managed-image"], _choice_validator("snapshots", "managed-image")] = "snapshots"
    direct: bool = False
    gallery: Annotated[str, AfterValidator(_resource_id_parser("Microsoft.Compute/galleries", "--gallery"))] | None = (
        None
    )
    storage_account: (
        Annotated[str, AfterValidator(_resource_id_parser("Microsoft.Storage/storageAccounts", "--storage-account"))]
        | None
    ) = None
    os_type: Annotated[Literal["Linux", "Windows"], _choice_validator("Linux", "Windows")] | None = None
    generation: Annotated[Literal["V1", "V2"], _choice_validator("V1", "V2", also={"1": "V1", "2": "V2"})] | None = None
    security_type: (
        Annotated[
            Literal["Standard", "TrustedLaunch", "ConfidentialVM"],
            _choice_validator("Standard", "TrustedLaunch", "ConfidentialVM"),
        ]
        | None
    ) = None
    architecture: Annotated[Literal["x64", "Arm64"], _choice_validator("x64", "Arm64")] | None = None
    node_agent_sku: str | None = None
    replicas: dict[
        Annotated[str, AfterValidator(_normalize_region)], Annotated[int, Field(ge=1, le=MAX_REPLICAS, strict=True)]
    ] = {}

    @property
    def origin_field(self) -> str:
        """Which of `ORIGINS` is given."""
        return next(name for name in ORIGIN_FIELDS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        self._check_one_origin()
        given = self.model_fields_set & {name for name, value in self if value not in (None, False, {}, ())}
        for name, origins, why in _ORIGINS_OF_OPTION:
            if name in given and self.origin_field not in origins:
                raise SpecError(
                    f"{option_flag(name)} does not go with {option_flag(self.origin_field)}: {why}", hint="leave it out"
                )
        for one, other, why in _EXCLUSIVE_OPTIONS:
            if {one, other} <= given:
                raise SpecError(
                    f"{option_flag(one)} does not go with {option_flag(other)}: {why}", hint="leave one out"
                )
        self._check_stated_facts()
        return self

    def _check_one_origin(self) -> None:
        options = [option_flag(name) for name in ORIGIN_FIELDS if getattr(self, name) is not None]
        if len(options) > 1:
            raise SpecError(f"{' and '.join(options)} are two origins", hint="an image comes from one: leave one out")
        if not options:
            known = ", ".join(option_flag(name) for name in ORIGIN_FIELDS[1:])
            raise SpecError(
                "from_vm is missing", hint=f"give --from-vm, or `from_vm:` in the body; or another origin: {known}"
            )

    def _check_stated_facts(self) -> None:
        """Refuse what is not said where nobody else can know it. Source: FACTS 1.10, ask and never assume."""
        if self.origin_field in ("from_vhd", "from_snapshot") and not self.generalized:
            raise SpecError(
                f"nothing tells whether the system on {option_flag(self.origin_field)} was deprovisioned",
                hint="nodes from one that was not would be unusable, and billed; if it was, say so with --generalized",
            )
        if self.from_vhd and not (self.os_type and self.generation):
            raise SpecError(
                "nothing tells what is on the VHD",
                hint="say --os-type Linux or Windows, and --generation V1 or V2 (V2 boots by UEFI)",
            )


#: Options that go with some origins only: which, and why.
_ORIGINS_OF_OPTION = (
    ("capture", ("from_vm",), "only a VM can be captured"),
    ("stop", ("from_vm",), "only a VM can be stopped"),
    ("new_image", ("from_vm", "from_vhd"), "what it names never changes"),
    ("data_snapshots", ("from_snapshot",), "data disks come with their VM or image"),
    ("storage_account", ("from_vhd",), "only a VHD is in one"),
    ("os_type", ("from_vhd", "from_snapshot"), "the origin tells it"),
    ("generation", ("from_vhd", "from_snapshot"), "the origin tells it"),
    ("security_type", ("from_vhd", "from_snapshot"), "the origin tells it"),
    ("architecture", ("from_vhd", "from_snapshot"), "the origin tells it"),
    ("via", ("from_vm", "from_vhd", "from_snapshot"), "it is an image already"),
    ("direct", ("from_vm", "from_vhd", "from_snapshot", "from_image"), "it is in a gallery"),
    ("gallery", ("from_vm", "from_vhd", "from_snapshot", "from_image"), "it is in a gallery"),
    ("replicas", ("from_vm", "from_vhd", "from_snapshot", "from_image"), "the version is not this tool's to change"),
)
#: Options that exclude each other, and why.
_EXCLUSIVE_OPTIONS = (
    ("direct", "gallery", "one is without a gallery"),
    ("direct", "replicas", "replicas are a gallery's"),
    ("direct", "new_image", "a managed image tells no time; choose another name for the pool"),
)
