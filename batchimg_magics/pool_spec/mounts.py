"""File systems that are mounted on each node.

Source: Batch OpenAPI, MountConfiguration: all of them lie below ``AZ_BATCH_NODE_MOUNTS_DIR``.
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
    """A blob container, by blobfuse.

    Parameters
    ----------
    type
        ``blob``.
    account, container
        The storage account and its container.
    path
        Where on the node, below the mounts' folder.
    key, sas, identity
        One of them: ``env:NAME`` of the account's key or of a SAS token, or the resource id of an identity.
    options
        Further words for blobfuse.
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
                f"the mount of container {self.container} has one way in", hint="give one of key, sas and identity"
            )
        return self


class FilesMount(_MountBase):
    """A share of Azure Files.

    Parameters
    ----------
    type
        ``files``.
    account, url
        The storage account, and the share's address: ``https://ACCOUNT.file.core.windows.net/SHARE``.
    key
        ``env:NAME`` of the account's key.
    path
        Where on the node, below the mounts' folder; on Windows a drive letter.
    options
        Further words for ``mount`` or ``net use``.
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
        Its address.
    path
        Where on the node, below the mounts' folder.
    options
        Further words for ``mount``.
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
        Its address.
    user, password
        Who may; the password as ``env:NAME``.
    path
        Where on the node, below the mounts' folder.
    options
        Further words for ``mount`` or ``net use``.
    """

    type: Literal["cifs"]
    source: Text
    user: Text
    password: SecretReference


Mount = Annotated[BlobMount | FilesMount | NfsMount | CifsMount, Field(discriminator="type")]
