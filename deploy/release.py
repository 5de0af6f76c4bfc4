"""Builds a release from a commit, so that the same commit gives the same bytes on any machine.

    python deploy/release.py [--to FOLDER] [--key FILE] [--image]
    python deploy/release.py --verify FOLDER --signers FILE

The folder gets the wheel, the source archive, the pinned packages with hashes, a bill of materials (CycloneDX), the
provenance (SLSA, in-toto), and `SHA256SUMS` over all of them. `--key` names a private key of OpenSSH, by which the sums
are signed; `ssh-keygen -Y verify` checks them. `--image` builds the container image, too, on a Docker engine.
"""

import argparse
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
NAMESPACE, SIGNER = "huiying-release", "release"
"""What a signature is for, and whom `--signers` lists for it."""


class ReleaseError(RuntimeError):
    """Nothing was released. The sentence says why and what to do."""


def _out(*command: str | Path, at: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=at,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"{command[0]} failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def version(source: Path) -> str:
    """The version of the project. The changelog must tell what it changes, and a tag of the commit must name it."""
    said = str(tomllib.loads((source / "pyproject.toml").read_text())["project"]["version"])
    if not re.fullmatch(r"\d+\.\d+\.\d+", said):
        raise ReleaseError(f"pyproject.toml names the version {said!r}; write three numbers, see CHANGELOG.md")
    if f"\n## {said}" not in (source / "CHANGELOG.md").read_text():
        raise ReleaseError(f"CHANGELOG.md says nothing of {said}; add a heading `## {said}` with what changed")
    return said


def build(to: Path, key: Path | None = None, *, image: bool = False) -> list[str]:
    """Writes the files of a release into an empty folder, and returns their names."""
    if _out("git", "status", "--porcelain"):
        raise ReleaseError("there are changes that are in no commit; commit them first")
    if to.exists() and any(to.iterdir()):
        raise ReleaseError(f"{to} is not empty; name a new folder for each release")
    commit, epoch = _out("git", "rev-parse", "HEAD"), _out("git", "log", "-1", "--format=%ct")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        archive = Path(folder, "source.tar")
        _out("git", "archive", "--output", archive, commit)
        with tarfile.open(archive) as tar:
            tar.extractall(source, filter="data")
        said = version(source)
        if (tags := _out("git", "tag", "--points-at", commit, "--list", "v*").split()) and f"v{said}" not in tags:
            raise ReleaseError(f"the commit has the tag {tags[0]}, and pyproject.toml names {said}; make them one")
        to.mkdir(parents=True, exist_ok=True)
        _packages(source, to, epoch)
        (to / f"huiying-{said}.requirements.txt").write_bytes((source / "requirements/run.txt").read_bytes())
        _materials(source, to / f"huiying-{said}.cdx.json", epoch)
        if image:
            _image(source, said, epoch, to)
        _provenance(to, said, commit, epoch)
    return _sums(to, key)


def _packages(source: Path, to: Path, epoch: str) -> None:
    """The source archive, and the wheel that is built from it. Neither knows when and where it was built."""
    old = os.umask(0o022)
    try:
        building = (BIN / "uv", "build", "--no-build-isolation", "--offline", "--python", sys.executable, "--quiet")
        with tempfile.TemporaryDirectory() as made:
            _out(*building, "--sdist", "--out-dir", made, at=source, SOURCE_DATE_EPOCH=epoch)
            (archive,) = Path(made).glob("*.tar.gz")
            _settle(archive, to / archive.name, int(epoch))
            _out(*building, "--wheel", "--out-dir", made, to / archive.name, at=source, SOURCE_DATE_EPOCH=epoch)
            (wheel,) = Path(made).glob("*.whl")
            (to / wheel.name).write_bytes(wheel.read_bytes())
    finally:
        os.umask(old)


def _settle(archive: Path, to: Path, epoch: int) -> None:
    """The same archive with one time, no owner, and its members in order of their names."""

    def settled(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = epoch
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        member.pax_headers = {}
        return member

    with (
        tarfile.open(archive) as reading,
        to.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as writing,
    ):
        for member in sorted(reading.getmembers(), key=lambda one: one.name):
            content = reading.extractfile(member) if member.isfile() else None
            writing.addfile(settled(member), content)


def _materials(source: Path, to: Path, epoch: str) -> None:
    """Every package that the product runs on, with its version and hashes."""
    _out(
        *(BIN / "cyclonedx-py", "requirements", "--pyproject", source / "pyproject.toml", "--output-reproducible"),
        *("--of", "JSON", "-o", to, source / "requirements/run.txt"),
        SOURCE_DATE_EPOCH=epoch,
    )


def _image(source: Path, said: str, epoch: str, to: Path) -> None:
    """The image, and its id. Debian's packages in it are those of the day, so its bytes differ from day to day."""
    name = f"huiying:{said}"
    _out("docker", "build", "--file", "deploy/Dockerfile", "--tag", name, ".", at=source, SOURCE_DATE_EPOCH=epoch)
    inside = _out("docker", "image", "inspect", "--format", "{{.Id}}", name)
    (to / f"huiying-{said}.image.txt").write_text(f"{inside}  {name}\n")
    image_materials(name, to / f"huiying-{said}.image.cdx.json", epoch)


def image_materials(name: str, to: Path, epoch: str) -> None:
    """Every package of Debian in an image. Those of Python are the pinned ones."""
    container = _out("docker", "create", name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            _out("docker", "export", "--output", f"{folder}/image.tar", container)
        finally:
            _out("docker", "rm", container)
        _out(
            *(BIN / "debsbom", "generate", "--sbom-type", "cdx"),
            *("--root", f"{folder}/image.tar", "--out", f"{folder}/x"),
            *("--distro-name", name, "--timestamp", datetime.fromtimestamp(int(epoch), UTC).isoformat()),
            *("--cdx-serialnumber", str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}@{epoch}"))),
        )
        to.write_bytes(Path(folder, "x.cdx.json").read_bytes())


def _provenance(to: Path, said: str, commit: str, epoch: str) -> None:
    """What was built from what, as an in-toto statement."""
    packages = (to / f"huiying-{said}.requirements.txt").read_bytes()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": digest(path)}} for path in sorted(to.iterdir())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:huiying:make-release:1",
                "externalParameters": {"version": said},
                "resolvedDependencies": [
                    {"name": "source", "digest": {"gitCommit": commit}},
                    {"name": "requirements/run.txt", "digest": {"sha256": hashlib.sha256(packages).hexdigest()}},
                ],
            },
            "runDetails": {
                "builder": {"id": "urn:huiying:deploy/release.py"},
                "metadata": {"startedOn": datetime.fromtimestamp(int(epoch), UTC).isoformat()},
            },
        },
    }
    (to / f"huiying-{said}.provenance.json").write_text(json.dumps(statement, indent=1) + "\n")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sums(to: Path, key: Path | None) -> list[str]:
    names = sorted(path.name for path in to.iterdir())
    (to / SUMS).write_text("".join(f"{digest(to / name)}  {name}\n" for name in names))
    if key is not None:
        _out("ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key.absolute(), to / SUMS)
    return [*names, SUMS, *([SIGNATURE] if key else [])]


def verify(folder: Path, signers: Path) -> list[str]:
    """The names of the files of a release whose sums hold and whose signature is of somebody on the list.

    The folder must hold nothing else, so that no file beside the signed ones passes for one of them.
    """
    try:
        with (folder / SUMS).open("rb") as sums:
            done = subprocess.run(
                ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", SIGNER, "-n", NAMESPACE, "-s", folder / SIGNATURE],
                stdin=sums,
                capture_output=True,
                text=True,
                check=False,
            )
        lines = (folder / SUMS).read_text().splitlines()
    except OSError as error:
        raise ReleaseError(f"{folder} holds no release: {error}") from None
    if done.returncode:
        raise ReleaseError(f"{SUMS} was changed, or signed by nobody in {signers}; use none of the files")
    told = {name: wanted for wanted, _, name in (line.partition("  ") for line in lines)}
    there = {path.name for path in folder.iterdir()} - {SUMS, SIGNATURE}
    for name in sorted(there ^ told.keys()):
        raise ReleaseError(f"{name} is {'not in ' + SUMS if name in there else 'missing'}; use none of the files")
    for name, wanted in told.items():
        if digest(folder / name) != wanted:
            raise ReleaseError(f"{name} is not the file that was released; use none of the files")
    return sorted(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--key", type=Path, metavar="FILE", help="a private key of OpenSSH")
    parser.add_argument("--image", action="store_true")
    parser.add_argument("--verify", type=Path, metavar="FOLDER")
    parser.add_argument("--signers", type=Path, metavar="FILE", help=f"lines such as `{SIGNER} ssh-ed25519 AAAA…`")
    asked = parser.parse_args()
    if asked.verify and not asked.signers:
        parser.error("name the file of those whose signature you believe: --signers FILE")
    try:
        names = verify(asked.verify, asked.signers) if asked.verify else build(asked.to, asked.key, image=asked.image)
    except ReleaseError as error:
        sys.exit(str(error))
    print("\n".join(names))


if __name__ == "__main__":
    main()
