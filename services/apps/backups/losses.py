"""What a restore brought back, what comes back by itself, and what is lost, in words."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from schemas import catalogue
from schemas.envelope import Event
from services.apps.backups import files
from services.apps.backups.folder import CONSOLE
from services.apps.backups.held import Manifest
from services.kernel.delivery import own_topics, recovery
from services.kernel.delivery.log import EventLog, Partition, TopicsMissing
from services.kernel.delivery.runtime import Runtime
from services.kernel.sealed import archive
from services.kernel.settings import Settings

SHOWN = 3
Counts = Mapping[str, int | None]
"""Service -> the number of events in its store; None if it cannot be read."""


class Coming(NamedTuple):
    """What a service's topics hold beyond its store."""

    events: int
    named: archive.Named
    lost: tuple[str, ...]
    """Topics that end before the store does, or are not there."""


async def counted(runtimes: Mapping[str, Runtime]) -> dict[str, int | None]:
    """The events of the stores at hand."""
    found: dict[str, int | None] = {}
    for name, runtime in runtimes.items():
        try:
            async with runtime.database.read() as connection:
                found[name] = (
                    await connection.execute(select(func.count()).select_from(runtime.tables["events"]))
                ).scalar()
        except (DBAPIError, OSError):
            found[name] = None
    return found


async def told(
    settings: Settings,
    runtimes: Mapping[str, Runtime],
    services: Sequence[str],
    before: Counts,
    manifest: Manifest | None = None,
    forgotten: int = 0,
) -> list[str]:
    """The report on a restore of these services, whose processes do not run yet. `manifest` is the backup's.

    `before` are the events before the restore, and `forgotten` the texts that the backup held and that were erased
    since. Raises `LogGone`.
    """
    lines = [f"the backup was made at {manifest.made_at}, {_age(manifest.made)} ago"] if manifest else []
    now, lost, named = await counted(runtimes), 0, archive.Named()
    ends = manifest.told.get("ends", {}) if manifest else {}
    for name in (service for service in services if service != CONSOLE):
        coming = await _coming(runtimes[name], ends)
        named.files |= coming.named.files
        named.erased |= coming.named.erased
        if coming.events:
            lines.append(
                f"{name}: {_events(coming.events)} came later and stand on its topics; it takes them back at its start"
            )
        if coming.lost:
            lines.append(
                f"{name}: its topics {', '.join(coming.lost)} were lost, and what came after the backup with them; "
                "after the start, `huiying resend --lost` fills them again"
            )
        had = before.get(name)
        if had is None:
            lines.append(
                f"{name}: its store could not be read before, so nobody can count what had not reached its topics: "
                "at most what it took in during its last seconds"
            )
        elif (gone := had - (now[name] or 0) - coming.events) > 0:
            lost += gone
            lines.append(f"{name}: {_events(gone)} that the store held before are lost; no topic has them")
    if lost and "audit" in services:
        lines.append(
            "audit: others may have seen checkpoints of the log over events that are lost; tell the witnesses, and "
            "whoever keeps exports"
        )
    if forgotten:
        lines.append(f"{forgotten} texts of the backup were erased after it was made; they stay erased")
    lines += await _files(settings, runtimes, named)
    if CONSOLE in services:
        lines.append("accounts: people, passwords and rights are those of the backup; all sign in again")
    lines += [f"the backup never held {what}" for what in (manifest.lacks if manifest else ())]
    return lines


async def _coming(runtime: Runtime, ends: Mapping[str, int]) -> Coming:
    name, places, named, lost = runtime.service.name, set[tuple[str, int]](), archive.Named(), set[str]()
    for topic in catalogue.event_topics(name):
        try:
            here = await runtime.log.ends([topic])
            progress = await own_topics.look(runtime)
            begins = await runtime.log.begins([topic])
        except TopicsMissing:
            lost.add(topic)
            continue
        for partition, end in here.items():
            if partition in progress.lost or end < ends.get(place_of(partition), 0):
                lost.add(topic)
                start = begins[partition]
            else:
                known = progress.taken.get(partition)
                start = max(begins[partition], known.next if known else 0)
            async for records in runtime.log.read(partition, start, end):
                found = [event for record in records if (event := recovery.own(record))]
                for event in await _not_there(runtime, found):
                    places.add((event.stream, event.version))
                    archive.note(event, named)
    return Coming(len(places), named, tuple(sorted(lost)))


async def _not_there(runtime: Runtime, events: Sequence[Event]) -> list[Event]:
    async with runtime.database.read() as connection:
        stored = await recovery.stored_under(runtime, connection, events)
    return [event for event in events if (event.stream, event.version) not in stored]


async def _files(settings: Settings, runtimes: Mapping[str, Runtime], named: archive.Named) -> list[str]:
    try:
        found, _ = await files.lacking(settings, runtimes)
    except DBAPIError:
        # A store that was not restored is not there, or one of an earlier version has no such table yet.
        return []
    gone = {folder: set(names) - named.erased for folder, names in found.items()}
    reached = [place for folder in files.NEEDED if (place := files.folder_of(settings, folder))]
    if len(reached) == len(files.NEEDED):
        later = set(named.files) - named.erased
        gone["later events"] = {token for token in later if not any((place / token).exists() for place in reached)}
    return [_of_files(folder, names) for folder, names in gone.items() if names]


def _of_files(folder: str, names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    count = "1 file is" if len(names) == 1 else f"{len(names)} files are"
    return f"{folder}: {count} in no folder: {shown}{more}; another backup may have them (`restore --files`)"


def place_of(partition: Partition) -> str:
    """A partition as the manifest writes it."""
    return f"{partition.topic}/{partition.number}"


async def ends(log: EventLog) -> dict[str, int]:
    """The ends of all topics, as the manifest keeps them. Raises `LogGone`."""
    topics = [topic for name in catalogue.SERVICES for topic in own_topics.of(name)]
    return {place_of(partition): end for partition, end in sorted((await log.ends(topics)).items())}


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _age(made: datetime) -> str:
    age = max(datetime.now(UTC) - made, timedelta())
    hours, minutes = divmod(int(age.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    return f"{days} days and {hours} hours" if days else f"{hours} hours and {minutes} minutes"
