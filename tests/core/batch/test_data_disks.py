"""Data disks that nodes mount: the start task that does it, and the script itself, in a shell with made-up disks."""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.data_disks import mount_script, start_task_to_paste
from batchimg_magics.pool_spec.node import build_start_task
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.ui.line_parser import parse_line, split_line

if TYPE_CHECKING:
    from pathlib import Path

#: Commands of the node, which write down what they are asked for.
TOOLS = {
    "lsblk": 'for one in "$3" "$3"-part1; do [ -e "$one" ] && echo "$one"; done',
    "blkid": 'cat "$5.type" 2>/dev/null',
    "mount": 'echo "$1 $2" >> "$LOG"; touch "$2/.mounted"',
    "mountpoint": '[ -e "$2/.mounted" ]',
    "sleep": "exit 0",
}


class Node:
    """A folder with the device files and the commands of a node."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.devices = folder, folder / "log", folder / "dev"
        (folder / "bin").mkdir()
        for name, body in TOOLS.items():
            tool = folder / "bin" / name
            tool.write_text(f"#!/bin/sh\n{body}\n")
            tool.chmod(0o755)

    def attach(self, name: str, kind: str = "", part: str = "") -> None:
        """Attach a disk: the name under /dev/disk/azure, and the types of its file system and of its partition."""
        disk = self.devices / "disk/azure" / name
        disk.parent.mkdir(parents=True, exist_ok=True)
        for path, of in ((disk, kind), (disk.with_name(f"{disk.name}-part1"), part)):
            if path == disk or of:
                path.touch()
                path.with_name(f"{path.name}.type").write_text(of)

    def run(self, command: str, shell: str = "bash") -> subprocess.CompletedProcess[str]:
        here = command.replace("/dev/disk/azure", f"{self.devices}/disk/azure").replace(
            "/sys/block", f"{self.folder}/b"
        )
        environment = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "LOG": str(self.log)}
        return subprocess.run([shell, "-c", here], env=environment, capture_output=True, text=True, check=False)

    @property
    def mounts(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_partitions_and_file_systems_are_mounted_by_lun_and_only_once(node: Node) -> None:
    node.attach("scsi1/lun0", part="ext4")
    node.attach("data/by-lun/3", kind="xfs")
    node.attach("scsi1/lun5")
    for luns in ((0, 3, 5), ()):
        done = node.run(mount_script("Linux", f"{node.folder}/my data", luns))
        assert done.returncode == 0, done.stderr
        assert "the data disk at LUN 5 is empty" in done.stderr
    azure, home = f"{node.devices}/disk/azure", f"{node.folder}/my"
    assert [one[:2] for one in node.mounts] == [[f"{azure}/scsi1/lun0-part1", home], [f"{azure}/data/by-lun/3", home]]


@pytest.mark.parametrize(
    ("kind", "luns", "said"),
    [("LVM2_member", (1,), "LUN 1 has LVM2_member"), ("ext4", (2,), "there is no data disk at LUN 2")],
)
def test_a_disk_that_cannot_be_mounted_fails_the_start_task(node: Node, kind: str, luns: Any, said: str) -> None:
    node.attach("scsi1/lun1", kind=kind)
    done = node.run(f"{mount_script('Linux', f'{node.folder}/m', luns)} && echo own")
    assert done.returncode == 1
    assert said in done.stderr
    assert "own" not in done.stdout


def spec(**options: Any) -> PoolSpec:
    return PoolSpec.build("p", from_vm="vm", vm_size="Standard_D4s_v5", **options)


def test_it_comes_before_the_user_s_command_whose_quotes_are_kept(node: Node) -> None:
    own = """/bin/sh -c 'echo "it'\\''s $1 ready"'"""
    task = build_start_task(spec(mount_data_disks=f"{node.folder}/d", start_task=own, check_command="echo ok"), "Linux")
    assert task is not None
    assert (task.elevation, task.wait_for_success) == ("admin", True)
    shell, dash_c, script = shlex.split(task.command_line)
    assert (shell, dash_c) == ("/bin/bash", "-c")
    node.attach("scsi1/lun0", kind="ext4")
    assert node.run(script).stdout == "it's  ready\nok\n"
    assert len(node.mounts) == 1
    pasted = shlex.split(start_task_to_paste("Linux", [0]))
    assert pasted[:2] == ["/bin/bash", "-c"]
    assert node.run(pasted[2].replace("/mnt", f"{node.folder}/p")).returncode == 0
    assert len(node.mounts) == 2


def test_windows_needs_no_quotes() -> None:
    task = build_start_task(spec(mount_data_disks=True, start_task="setup.cmd"), "windows", [0])
    assert task is not None
    head, _, tail = task.command_line.partition(" -EncodedCommand ")
    encoded, _, own = tail.partition(" && ")
    assert head == 'cmd /c "powershell -NoProfile -NonInteractive'
    assert own == 'setup.cmd"'
    assert "Set-Disk -IsOffline $false" in base64.b64decode(encoded).decode("utf-16-le")
    assert len(task.command_line) < 8191  # the limit of cmd


def test_what_the_option_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P", "secret")
    for words, path in (
        ("create p --mount-data-disks", "/mnt"),
        ("create --mount-data-disks p --nodes 1", "/mnt"),
        ("create p --mount-data-disks /data/x --nodes 1", "/data/x"),
    ):
        parsed = parse_line(split_line(words)).options
        assert (parsed["name"], parsed["mount_data_disks"]) == ("p", path)
    assert spec(mount_data_disks=False).mount_data_disks is None
    for wrong in ("data", "/a b", "/$(x)", "/../etc", "/"):
        with pytest.raises(SpecError, match="is not a folder for data disks"):
            spec(mount_data_disks=wrong)
    user = {"start_task": {"command_line": "a", "user": "me"}, "user_accounts": [{"name": "me", "password": "env:P"}]}
    with pytest.raises(SpecError, match="runs as me, who cannot mount data disks"):
        spec(mount_data_disks=True, **user)
