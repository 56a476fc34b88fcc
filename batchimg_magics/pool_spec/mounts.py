"""File systems that are mounted on each node, under ``AZ_BATCH_NODE_MOUNTS_DIR``.

Source: Batch OpenAPI, MountConfiguration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import IdentityId, RelativePath, SpecModel, Text
from batchimg_magics.pool_spec.secrets import SecretReference

if TYPE_CHECKING:
    from typing import Self


__all__ = ["BlobMount", "CifsMount", "FilesMount", "Mount", "NfsMount"]


class _MountBase(SpecModel):
    path: RelativePath
    options: Text | None = None


class BlobMount(_MountBase):
    """A blob container, mounted with blobfuse.

    Parameters
    ----------
    type
        ``blob``.
    account, container
        The storage account and its container.
    path
        Path on the node, inside the folder of mounts.
    key, sas, identity
        One of them: the account key or a SAS token as ``env:NAME``, or the resource id of an identity.
    options
        Further options of blobfuse.
    """

    type: Literal["blob"]
    account: Text
    container: Text
    key: SecretReference | None = None
    sas: SecretReference | None = None
    identity: IdentityId | None = None

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if sum(one is not None for one in (self.key, self.sas, self.identity)) != 1:
            raise SpecError(
                f"the mount of container {self.container} needs exactly one credential",
                hint="specify one of key, sas and identity",
            )
        return self


class FilesMount(_MountBase):
    """A share of Azure Files.

    Parameters
    ----------
    type
        ``files``.
    account, url
        The storage account, and the URL of the share: ``https://ACCOUNT.file.core.windows.net/SHARE``.
    key
        The account key, as ``env:NAME``.
    path
        Path on the node, inside the folder of mounts; on Windows a drive letter.
    options
        Further options of ``mount`` or ``net use``.
    """

    type: Literal["files"]
    account: Text
    url: Text
    key: SecretReference


class NfsMount(_MountBase):
    """An NFS file system.

    Parameters
    ----------
    type
        ``nfs``.
    source
        Its network path.
    path
        Path on the node, inside the folder of mounts.
    options
        Further options of ``mount``.
    """

    type: Literal["nfs"]
    source: Text


class CifsMount(_MountBase):
    """A CIFS file system.

    Parameters
    ----------
    type
        ``cifs``.
    source
        Its network path.
    user, password
        Credentials; the password as ``env:NAME``.
    path
        Path on the node, inside the folder of mounts.
    options
        Further options of ``mount`` or ``net use``.
    """

    type: Literal["cifs"]
    source: Text
    user: Text
    password: SecretReference


Mount = Annotated[BlobMount | FilesMount | NfsMount | CifsMount, Field(discriminator="type")]
