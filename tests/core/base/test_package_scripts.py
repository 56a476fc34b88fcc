"""The script that lists packages, run by real shells: it has what the package managers' own lists have."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.base.package_list import Package, PackageList
from batchimg_magics.core.base.package_scripts import ListReport, list_script, read_report

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = ("/bin/sh", "/bin/bash")
CONDA = """\
# packages in environment at /opt/conda:
#
# Name                    Version                   Build  Channel
_libgcc_mutex             0.1                 conda_forge    conda-forge
numpy                     1.26.4          py311h64a7726_0    conda-forge
tqdm                      4.66.1                   pypi_0    pypi
zlib                      1.2.13               h5eee18b_1
"""


def own_list(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def run(text: str, shell: str = SHELLS[0], path: str = "") -> ListReport:
    environment = {**os.environ, **({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})}
    result = subprocess.run([shell, "-c", text], capture_output=True, text=True, check=True, env=environment)
    report = read_report(result.stdout)
    assert report is not None, result
    assert len(result.stdout) < 4096
    assert result.stdout.splitlines()[-1].startswith("batchimg: packages ")
    return report


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def test_the_list_is_that_of_the_package_managers_of_this_machine(tmp_path: Path) -> None:
    target = tmp_path / "new" / "packages.tsv"
    report = run(" ".join(list_script("Linux", str(target))))
    content = target.read_bytes()
    found = PackageList.parse(content)
    assert content == found.text.encode()
    assert report == ListReport(found.count, hashlib.sha256(content).hexdigest())
    rows = [
        one.split("\t")
        for one in own_list("dpkg-query", "-W", "-f=${db:Status-Abbrev}\t${binary:Package}\t${Version}\n")
    ]
    assert {(one.name, one.version) for one in found.packages if one.manager == "dpkg"} == {
        (name, version) for status, name, version in rows if status[1] not in "nc"
    }
    lines = [one.partition("==") for one in own_list("/usr/bin/python3", "-m", "pip", "list", "--format=freeze")]
    of_system = {(one.name, one.version) for one in found.packages if one.manager == "pip" and not one.source}
    assert of_system >= {(name, version) for name, _, version in lines}
    assert [one.manager for one in found.packages].count("os") == 1


def made_up_machine(tmp_path: Path) -> str:
    """Make programs that print what package managers print; return the script that runs them."""
    root = tmp_path / "opt"
    (root / "conda/conda-meta").mkdir(parents=True)
    (root / "conda/envs/a&b|c/conda-meta").mkdir(parents=True)
    (root / "mamba/conda-meta").mkdir(parents=True)
    for name in ("python_abi-3.11-5_cp311", "scipy-1.11.0-py311_0", "history"):
        write(root / f"mamba/conda-meta/{name}.json", "{}")
    write(root / "conda/bin/conda", f"#!/bin/sh\ncat <<'EOF'\n{CONDA}EOF\n")
    write(root / "venv/bin/python3", "#!/bin/sh\nprintf 'numpy==2.1.0\\nodd===1=2\\nevil\\033[2J==1\\r\\n'")
    write(root / "apps/x/bin/python3", "#!/bin/sh\ncase $2 in pip) exit 1;; esac\necho requests==2.32.0\n")
    write(root / "broken/bin/python3", "#!/bin/sh\nexit 3\n")
    write(root / "slow/bin/python3", "#!/bin/sh\necho partial==1\nexec sleep 60\n")
    write(
        root / "R/4.4/bin/Rscript",
        "#!/bin/sh\nprintf 'r\\tBiobase\\t2.62\\tBioconductor\\nr\\tdplyr\\t1.1.4\\tCRAN\\nnoise\\n'",
    )
    lines = ["noarch\\ttzdata\\t2024a-1.el9", "i686\\tglibc\\t2.34-100.el9", "(none)\\tgpg-pubkey\\t8483c65d-5ccc5b19"]
    lines += [f"{os.uname().machine}\\tglibc\\t2.34-100.el9", f"{os.uname().machine}\\tperl\\t4:5.32.1-481.el9"]
    write(tmp_path / "bin/rpm", "#!/bin/sh\nprintf '" + "\\n".join(lines) + "\\n'\n")
    write(
        tmp_path / "bin/dpkg-query", "#!/bin/sh\nprintf 'installed\\tbash\\t5.2\\nconfig-files\\told\\t1\\n'\nexit 2\n"
    )
    text = " ".join(list_script("Linux", str(tmp_path / "list.tsv"))).replace("/opt/", f"{root}/")
    assert text.count("timeout -k 5 60") == 6
    return text.replace("timeout -k 5 60", "timeout -k 5 0.2").replace("/usr/bin/python3", "/none/python3")


@pytest.mark.parametrize("shell", SHELLS)
def test_all_managers_are_read_and_what_fails_or_hangs_is_a_line(tmp_path: Path, shell: str) -> None:
    text = made_up_machine(tmp_path)
    report = run(text, shell, path=str(tmp_path / "bin"))
    root = f"{tmp_path}/opt"
    found = PackageList.parse((tmp_path / "list.tsv").read_bytes())
    assert report.sha256 == found.sha256
    assert [one for one in found.packages if one.manager not in ("os", "unreadable")] == [
        Package("conda", "_libgcc_mutex", "0.1", "conda-forge"),
        Package("conda", "_libgcc_mutex", "0.1", f"conda-forge {root}/conda/envs/a&b|c"),
        Package("conda", "numpy", "1.26.4", "conda-forge"),
        Package("conda", "numpy", "1.26.4", f"conda-forge {root}/conda/envs/a&b|c"),
        Package("conda", "python_abi", "3.11", f"{root}/mamba"),
        Package("conda", "scipy", "1.11.0", f"{root}/mamba"),
        Package("conda", "zlib", "1.2.13", ""),
        Package("conda", "zlib", "1.2.13", f"{root}/conda/envs/a&b|c"),
        Package("dpkg", "bash", "5.2"),
        Package("pip", "evil?[2J", "1?", f"{root}/venv"),
        Package("pip", "numpy", "2.1.0", f"{root}/venv"),
        Package("pip", "odd", "1=2", f"{root}/venv"),
        Package("pip", "partial", "1", f"{root}/slow"),
        Package("pip", "requests", "2.32.0", f"{root}/apps/x"),
        Package("pip", "tqdm", "4.66.1", f"{root}/conda"),
        Package("pip", "tqdm", "4.66.1", f"{root}/conda/envs/a&b|c"),
        Package("r", "Biobase", "2.62", "Bioconductor"),
        Package("r", "dplyr", "1.1.4", "CRAN"),
        Package("rpm", "glibc", "2.34-100.el9"),
        Package("rpm", "glibc.i686", "2.34-100.el9"),
        Package("rpm", "gpg-pubkey", "8483c65d-5ccc5b19"),
        Package("rpm", "perl", "4:5.32.1-481.el9"),
        Package("rpm", "tzdata", "2024a-1.el9"),
    ]
    unread = {one.name: one.source for one in found.packages if one.manager == "unreadable"}
    assert unread == {
        "dpkg": "exit code 2",
        f"pip {root}/broken": "exit code 3",
        f"pip {root}/slow": "timed out after 60 s",
        "some lines": "not in the form of the list",
    }
    assert set(report.not_read) == {f"{name}: {why}" for name, why in unread.items()}


def test_many_failures_leave_the_report_short_and_complete(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / f"opt/environment-with-a-long-name-{number}/bin/python3", "#!/bin/sh\nexit 3\n")
    text = " ".join(list_script("Linux", str(tmp_path / "list.tsv"))).replace("/opt/*/bin", f"{tmp_path}/opt/*/bin")
    report = run(text)
    found = PackageList.parse((tmp_path / "list.tsv").read_bytes())
    assert (report.count, report.sha256, len(report.not_read)) == (found.count, found.sha256, 15)
    assert sum(one.manager == "unreadable" for one in found.packages) == 40


def test_a_list_that_cannot_be_written_is_no_failure() -> None:
    result = subprocess.run(
        ["/bin/sh", "-c", " ".join(list_script("Linux", "/proc/none/packages.tsv"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, read_report(result.stdout)) == (0, None)


def test_what_a_script_printed_is_read_with_suspicion() -> None:
    line = f"batchimg: packages 12 {'a' * 64}\n"
    assert read_report(f"Enable succeeded: \n[stdout]\nnoise\n{line}\n[stderr]\n") == ListReport(12, "a" * 64)
    for bad in ("", line[:-2], line.replace("a", "g"), f"x{line}", line.replace("12", "1" * 8)):
        assert read_report(bad) is None
    found = read_report(f"batchimg: not read: pip \x1b[2J: exit code 1\n{line}")
    assert found is not None
    assert found.not_read == ("pip \\x1b[2J: exit code 1",)
    assert found.tag == f"12:{'a' * 64}"
