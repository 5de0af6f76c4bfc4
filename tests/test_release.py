"""A release: the same bytes from the same commit, whole, signed, and enough to run."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from deploy import release
from deploy.native import LOOPBACK, free_port
from tests.kit.stack import until

GIT = ("git", "-c", "user.name=release", "-c", "user.email=release@example.org")


class Released(NamedTuple):
    source: Path
    folder: Path
    signers: Path
    key: Path


def make(source: Path, to: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(source / "deploy/release.py"), "--to", str(to), *map(str, more)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def commit(source: Path) -> None:
    subprocess.run([*GIT, "add", "--all"], cwd=source, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", "state"], cwd=source, check=True)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """A release of the files as they stand here, from a repository of their own."""
    place = tmp_path_factory.mktemp("release")
    source = place / "source"
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    told = subprocess.run(listed, cwd=release.ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, told.split("\0")):
        if (release.ROOT / name).is_file() and not name.startswith(("docs/guide/", "tests/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(release.ROOT / name, source / name)
    subprocess.run([*GIT, "init", "--quiet"], cwd=source, check=True)
    commit(source)
    key = place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers = place / "signers"
    signers.write_text(f"{release.SIGNER} {key.with_suffix('.pub').read_text()}")
    done = make(source, place / "one", "--key", key)
    assert done.returncode == 0, done.stderr
    return Released(source, place / "one", signers, key)


def test_the_same_commit_gives_the_same_bytes(released: Released, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    subprocess.run(["git", "clone", "--quiet", released.source, elsewhere], check=True)
    for file in elsewhere.rglob("*"):
        if file.is_file() and ".git" not in file.parts:
            file.chmod(0o600 | file.stat().st_mode & 0o100)
    done = make(elsewhere, tmp_path / "two", "--key", released.key)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in released.folder.iterdir()}
    assert names == {path.name for path in (tmp_path / "two").iterdir()}
    for name in names:
        assert (released.folder / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_it_holds_every_file_of_the_product_and_names_all_that_it_runs_on(released: Released) -> None:
    (wheel,), (source,) = released.folder.glob("*.whl"), released.folder.glob("*.tar.gz")
    tracked = {
        str(path.relative_to(released.source))
        for top in ("services", "schemas", "policies")
        for path in (released.source / top).rglob("*")
        if path.is_file()
    } - {"schemas/golden/SHA256SUMS"}
    assert tracked <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(source) as archive:
        assert {f"{source.name.removesuffix('.tar.gz')}/pyproject.toml"} <= set(archive.getnames())
    (bill,), (pinned,) = released.folder.glob("*.cdx.json"), released.folder.glob("*.requirements.txt")
    wanted = set(re.findall(r"^([a-z0-9.\-]+)(?:\[.*\])?==", pinned.read_text(), re.MULTILINE))
    assert len(wanted) > 50
    assert {one["name"] for one in json.loads(bill.read_text())["components"]} == wanted
    (told,) = released.folder.glob("*.provenance.json")
    subjects = {one["name"]: one["digest"]["sha256"] for one in json.loads(told.read_text())["subject"]}
    assert subjects[wheel.name] == release.digest(wheel)


def test_a_release_is_believed_whole_or_not_at_all(released: Released, tmp_path: Path) -> None:
    def judged(folder: Path, signers: Path = released.signers) -> str:
        try:
            return f"{len(release.verify(folder, signers))} files"
        except release.ReleaseError as error:
            return str(error)

    def copy(name: str) -> Path:
        return Path(shutil.copytree(released.folder, tmp_path / name))

    assert judged(released.folder) == "5 files"
    changed = copy("changed")
    (wheel,) = changed.glob("*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    assert judged(changed).startswith(f"{wheel.name} is not the file that was released")
    wheel.unlink()
    assert judged(changed).startswith(f"{wheel.name} is missing")
    more = copy("more")
    (more / "setup.exe").touch()
    assert judged(more).startswith("setup.exe is not in SHA256SUMS")
    forged = copy("forged")
    (forged / release.SUMS).write_text((forged / release.SUMS).read_text().replace("0", "1", 1))
    assert judged(forged).startswith("SHA256SUMS was changed, or signed by nobody in")
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    strangers = tmp_path / "strangers"
    strangers.write_text(f"{release.SIGNER} {other.with_suffix('.pub').read_text()}")
    assert judged(released.folder, strangers).startswith("SHA256SUMS was changed, or signed by nobody in")
    unsigned = copy("unsigned")
    (unsigned / release.SIGNATURE).unlink()
    assert judged(unsigned).startswith("SHA256SUMS was changed, or signed by nobody in")


def test_what_is_in_no_commit_or_without_a_word_in_the_changelog_is_not_released(
    released: Released, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", released.source, source], check=True)
    project = source / "pyproject.toml"
    project.write_text(re.sub(r"^version = .*$", 'version = "9.0.0"', project.read_text(), flags=re.MULTILINE))
    assert "changes that are in no commit" in make(source, tmp_path / "one").stderr
    commit(source)
    assert "CHANGELOG.md says nothing of 9.0.0" in make(source, tmp_path / "one").stderr
    assert not (tmp_path / "one").exists()
    subprocess.run([*GIT, "reset", "--quiet", "--hard", "HEAD~1"], cwd=source, check=True)
    subprocess.run([*GIT, "tag", "v8.0.0"], cwd=source, check=True)
    assert "the commit has the tag v8.0.0" in make(source, tmp_path / "one").stderr


def test_the_wheel_alone_serves_everything_with_its_units_and_packs(released: Released, tmp_path: Path) -> None:
    (wheel,) = released.folder.glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "wheel", "zip")
    address = f"http://{LOOPBACK}:{(port := free_port())}"
    command = [sys.executable, "-P", "-c", "from services.apps.cli import main; main()", "up", "--port", str(port)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "wheel")}
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--data", "data"], cwd=tmp_path, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: answers(f"{address}/readyz"), log.read_text)
        assert answers(f"{address}/bulletin/")
        assert {"policies", "services"} <= {path.name for path in (tmp_path / "wheel").iterdir()}
        assert httpx.get(f"{address}/console/", follow_redirects=True).status_code == 200
    finally:
        process.terminate()
        process.wait(30)


def answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False
