"""A folder of backups: each in a folder named by its time, and which of them stay."""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from schemas.fields import instant
from services.apps.backups import BackupError
from services.apps.backups.held import MANIFEST, Held, Manifest
from services.kernel.files import private_file

LAST = "last.json"
"""Deployment -> its newest whole backup, for whoever watches over them: `folder`, `made_at`, `files`, `encrypted`,
`lacks`, `verified_at`."""
NAMED = "%Y%m%dT%H%M%SZ"


class Keep(NamedTuple):
    """How many days, weeks and months, by UTC, keep their newest backup. Without any, everything stays."""

    daily: int = 0
    weekly: int = 0
    monthly: int = 0


def kept(made: Sequence[datetime], keep: Keep) -> set[datetime]:
    """The times of the backups that stay. The newest always stays."""
    if not any(keep) or not made:
        return set(made)
    newest = sorted(made, reverse=True)
    stay = {newest[0]}
    rules: tuple[tuple[int, Callable[[datetime], tuple[int, ...]]], ...] = (
        (keep.daily, lambda at: (at.year, at.month, at.day)),
        (keep.weekly, lambda at: tuple(at.isocalendar())[:2]),
        (keep.monthly, lambda at: (at.year, at.month)),
    )
    for count, span in rules:
        first: dict[tuple[int, ...], datetime] = {}
        for at in newest:
            first.setdefault(span(at), at)
        stay.update(list(first.values())[:count])
    return stay


def backups(place: Path) -> list[Held]:
    """The backups of a folder, oldest first. What has no readable manifest is none."""
    found = []
    for path in place.iterdir() if place.is_dir() else ():
        if (path / MANIFEST).is_file() and not path.name.endswith(".partial"):
            try:
                found.append(Held.at(path))
            except BackupError:
                continue
    return sorted(found, key=lambda held: held.manifest.made)


def newest(place: Path, deployment: str = "") -> Held:
    """The backup in this folder, or the newest one if it is a folder of backups. Raises `BackupError`.

    Of the backups of several deployments it is the newest one of `deployment`.

    The newest one is that which was made last. Its time alone would say so only if the clock was always right.
    """
    if (place / MANIFEST).exists():
        return Held.at(place)
    found = backups(place)
    if len(names := {str(held.told.get("deployment")) for held in found}) > 1:
        found = [held for held in found if held.told.get("deployment") == deployment]
        if not found:
            raise BackupError(
                f"{place} holds backups of {', '.join(sorted(names))}, and this deployment is {deployment or 'none'}; "
                "name the folder of one backup, or set HUIYING_DEPLOYMENT"
            )
    last = _last(place)
    found.sort(key=lambda held: held.folder.name == last.get(str(held.told.get("deployment")), {}).get("folder"))
    return found[-1] if found else Held.at(place)


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Holds the folder, so that no two backups clear what the other one makes. Clears what a killed one left."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with private_file(place / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupError(f"another backup is being made in {place}") from None
        for left in place.glob("*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        yield


class Kept(NamedTuple):
    """A new backup, and what became of the earlier ones."""

    new: Held
    gone: list[str]
    """The names of those that went."""
    later: str | None
    """One that says it was made later. Then the clock was wrong once, and none goes."""


def keep_new(place: Path, make: Callable[[Path, Held | None], Manifest], keep: Keep) -> Kept:
    """Makes a backup in a folder of backups, and reads it again. Then earlier ones go that need not stay.

    Those of other deployments stay. Raises `BackupError`; then all earlier ones are still there.
    """
    with alone(place):
        before = backups(place)
        to = place / datetime.now(UTC).strftime(NAMED)
        make(to, before[-1] if before else None)
        held = Held.at(to)
        _say(place, held, instant(datetime.now(UTC)))
        present = [one for one in backups(place) if _whose(one) == _whose(held)]
        if present[-1].folder != held.folder:
            return Kept(held, [], present[-1].folder.name)
        stay = kept([one.manifest.made for one in present], keep)
        gone = [one for one in present if one.manifest.made not in stay]
        for one in gone:
            # By this name it is no backup any more, and the next one clears it if this deletion does not end.
            shutil.rmtree(one.folder.rename(one.folder.with_name(f"{one.folder.name}.partial")), ignore_errors=True)
        return Kept(held, [one.folder.name for one in gone], None)


def _whose(held: Held) -> tuple[str, object]:
    return held.manifest.kind, held.told.get("deployment")


def _last(place: Path) -> dict[str, dict[str, Any]]:
    """What the file says. Nothing of a deployment that it does not name, or if nobody can read it."""
    with suppress(OSError, ValueError):
        told = json.loads((place / LAST).read_bytes())
        if isinstance(told, dict):
            return {name: one for name, one in told.items() if isinstance(one, dict)}
    return {}


def _say(place: Path, held: Held, verified: str) -> None:
    told = {
        "folder": held.folder.name,
        "made_at": held.manifest.made_at,
        "files": len(held.manifest.files),
        "encrypted": bool(held.manifest.keys),
        "lacks": held.manifest.lacks,
        "verified_at": verified,
    }
    partial = private_file(place / f"{LAST}.new")
    partial.write_text(json.dumps(_last(place) | {str(held.told.get("deployment")): told}) + "\n")
    partial.replace(place / LAST)
