"""The start task: a command that each node runs before it accepts tasks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import IdentityId, RelativePath, SpecModel, Text
from batchimg_magics.pool_spec.secrets import EnvironmentValue, UrlOrSecret

if TYPE_CHECKING:
    from typing import Self


__all__ = ["ResourceFile", "StartTask", "StartTaskField"]

_MODE = re.compile(r"0?[0-7]{3,4}")


def _mode(value: object) -> object:
    # YAML parses 0755 as an octal number, 493.
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise SpecError("a file mode must be octal digits in quotes", hint='for example mode: "0755"')
    return value


class ResourceFile(SpecModel):
    """Files to download to the node before the start task; one of `url`, `container_url` and `container`.

    Parameters
    ----------
    url
        URL of one file; as ``env:NAME`` if it contains a SAS token.
    container_url
        URL of a blob container; as ``env:NAME`` if it contains a SAS token.
    container
        Blob container in the auto-storage account of the Batch account.
    path
        Target inside the task's working directory: required file name for `url`, otherwise a folder.
    prefix
        For a container: download only blobs whose names start with this.
    mode
        File mode on Linux, octal digits in quotes.
    identity
        Resource id of a managed identity with read access.
    """

    url: UrlOrSecret | None = None
    container_url: UrlOrSecret | None = None
    container: Text | None = None
    path: RelativePath | None = None
    prefix: Text | None = None
    mode: Annotated[str, BeforeValidator(_mode)] | None = None
    identity: IdentityId | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        """Check the rules of Batch. Source: Batch OpenAPI, ResourceFile."""
        if sum(one is not None for one in (self.url, self.container_url, self.container)) != 1:
            raise SpecError(
                "a resource file needs exactly one source", hint="specify one of url, container_url and container"
            )
        if self.url is not None and self.path is None:
            raise SpecError(
                "a resource file with a url needs a path", hint="add path: the name of the file on the node"
            )
        if self.url is not None and self.prefix is not None:
            raise SpecError("prefix can only be used with a container", hint="remove prefix, or use container_url")
        return self


class StartTask(SpecModel):
    """A command that each node runs before it accepts tasks.

    Parameters
    ----------
    command_line
        Run without a shell: use ``/bin/sh -c '...'`` if you need one.
    elevation
        ``admin`` or ``nonadmin``: elevation level of the user that runs it, unless `user` is set.
    user
        One of the pool's `user_accounts`.
    environment
        Environment variables; a value ``env:NAME`` is read from your environment and never shown.
    resource_files
        Files to download to the node first.
    retries
        Number of retries; -1: no limit.
    wait_for_success
        Whether a node accepts tasks only after success; if the start task fails, the node is unusable.
    """

    command_line: Text
    elevation: Literal["nonadmin", "admin"] = "nonadmin"
    user: Text | None = None
    environment: dict[Text, EnvironmentValue] = Field(default_factory=dict)
    resource_files: tuple[ResourceFile, ...] = ()
    retries: Annotated[int, Field(ge=-1, strict=True)] = 0
    wait_for_success: bool = True

    @model_validator(mode="after")
    def _one_user(self) -> Self:
        if self.user is not None and self.elevation == "admin":
            raise SpecError(
                "the start task has both user and elevation",
                hint="set the elevation of that user account instead",
            )
        return self


def _start_task(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    return {"command_line": value} if isinstance(value, str) else value


#: A command line, or a complete start task.
StartTaskField = Annotated[StartTask, BeforeValidator(_start_task)]
