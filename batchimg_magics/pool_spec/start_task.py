"""The start task: what each node runs before it takes tasks."""

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
    # YAML reads 0755 as a number, and not as the one that it looks like.
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise SpecError("a file mode is octal digits in quotes", hint='write it as mode: "0755"')
    return value


class ResourceFile(SpecModel):
    """Files that Batch puts on the node before the start task runs; one of `url`, `container_url` and `container`.

    Parameters
    ----------
    url
        One file's address; ``env:NAME`` where it has a SAS token.
    container_url
        A blob container's address; ``env:NAME`` where it has a SAS token.
    container
        A blob container in the account's own storage.
    path
        Where to, below the task's folder; a file's name for `url`, which needs it, else a folder.
    prefix
        Of a container: only the blobs whose names begin so.
    mode
        File mode on Linux, octal digits in quotes.
    identity
        Resource id of the identity that may read it.
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
        """Hold to what Batch wants. Source: Batch OpenAPI, ResourceFile."""
        if sum(one is not None for one in (self.url, self.container_url, self.container)) != 1:
            raise SpecError(
                "a resource file has one source", hint="give one of url, container_url and container in each"
            )
        if self.url is not None and self.path is None:
            raise SpecError("a resource file with a url needs a path", hint="give path: the name that it gets")
        if self.url is not None and self.prefix is not None:
            raise SpecError("a prefix is of a container", hint="leave prefix out, or give container_url")
        return self


class StartTask(SpecModel):
    """What each node runs before it takes tasks.

    Parameters
    ----------
    command_line
        Not run by a shell: write ``/bin/sh -c '...'`` where you need one.
    elevation
        ``admin`` or ``nonadmin``: as whom it runs, unless `user` is given.
    user
        One of the pool's `user_accounts`.
    environment
        Variables; a value ``env:NAME`` is taken from your own environment and never shown.
    resource_files
        Files that are put on the node first.
    retries
        How often it is tried again; -1: without end.
    wait_for_success
        Whether a node takes tasks only when it has succeeded; if it fails, the node is of no use then.
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
                "the start task has a user and an elevation",
                hint="give the elevation with the user account of that name",
            )
        return self


def _start_task(value: Any) -> Any:  # noqa: ANN401 - anything that YAML can say
    return {"command_line": value} if isinstance(value, str) else value


#: A command line, or all of a start task.
StartTaskField = Annotated[StartTask, BeforeValidator(_start_task)]
