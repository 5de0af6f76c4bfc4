"""The commands `huiying backup` and `huiying restore`."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.apps.terminal import CannotDo, Data, group, must_be_a_service, note, quiet, run, say, settings_of

if TYPE_CHECKING:
    from services.apps.backups.held import Held, Manifest
    from services.kernel.settings import Settings

BROKERS = 20.0
"""Seconds in which the brokers must answer."""
backup = group("Copies of all stores, files and keys, encrypted for keys whose private half is elsewhere.")
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="The file of the private key.", resolve_path=True, show_default=False)
]
From = Annotated[Path, typer.Argument(metavar="DIR", help="A backup, or a folder of backups.", resolve_path=True)]


@backup.callback(invoke_without_command=True)
def make(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option("--to", resolve_path=True, help="A new folder.")] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", resolve_path=True, help="A folder of backups; each gets a folder named by its time."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--to-key", help="A public key (age1…), besides HUIYING_BACKUP_KEYS. You may repeat the option."),
    ] = None,
    daily: Annotated[int, typer.Option(min=0, help="With --into: keep the newest of so many days.")] = 0,
    weekly: Annotated[int, typer.Option(min=0, help="With --into: keep the newest of so many weeks.")] = 0,
    monthly: Annotated[int, typer.Option(min=0, help="With --into: keep the newest of so many months.")] = 0,
    data: Data = None,
) -> None:
    """Copy all stores, files and keys into a new folder, also while everything runs.

    With --into and one of --daily, --weekly, --monthly, earlier backups go once the new one is there and was read
    again. A backup without keys is not encrypted.
    """
    if context.invoked_subcommand is not None:
        return
    from services.apps.backups import keeping, sealing

    settings = quiet(settings_of(data))
    keep = keeping.Keep(daily, weekly, monthly)
    if (to is None) == (into is None):
        raise CannotDo("name a new folder with --to, or a folder of backups with --into")
    if into is None and any(keep):
        raise CannotDo("--daily, --weekly and --monthly are for a folder of backups; name it with --into")
    keys = [*sealing.keys_of(settings.backup_keys), *(key or ())]
    sealing.recipients(keys)
    done: keeping.Kept | None = None
    if into is not None:
        done = keeping.keep_new(into, lambda at, before: _made(settings, at, keys, before), keep)
        manifest, to = done.new.manifest, done.new.folder
    else:
        assert to is not None
        manifest = _made(settings, to, keys)
    for what in manifest.lacks:
        note(f"the backup lacks {what}")
    if not keys:
        note("the backup is not encrypted; `huiying backup key FILE` makes a key, and --to-key encrypts for it")
    say(f"{len(manifest.files)} files in {to}")
    if done and done.later and any(keep):
        note(f"{done.later} says it was made later, so the clock was wrong once; move it away. Until then none goes")
    for name in done.gone if done else ():
        say(f"{name} went")


def _made(settings: "Settings", to: Path, keys: list[str], before: "Held | None" = None) -> "Manifest":
    from services.apps.backups import databases, fitting, folder

    told, secret = fitting.told(settings), fitting.secret_at_hand(settings)
    if before and not (secret and before.is_made_under(secret)):
        # Files are linked from the earlier backup, so somebody else must not have made it.
        before = None
    if settings.embedded:
        return folder.back_up(settings.data, to, keys, before, told, secret)
    return databases.back_up(settings, to, keys, before, {**told, **run(_topics(settings))})


async def _topics(settings: "Settings") -> Mapping[str, Any]:
    """Where the topics end. A backup is made without the brokers, too."""
    from services.apps import operate
    from services.apps.backups import losses

    async with operate.stores(settings) as found:
        try:
            async with asyncio.timeout(BROKERS):
                return {"ends": await losses.ends(found.log)}
        except Exception as error:  # noqa: BLE001 - without the brokers, a backup matters all the more
            why = " ".join(str(error).split()) or f"the brokers gave no answer within {BROKERS:.0f} s"
            return {"lacks": [f"the ends of the topics: {why}"]}


@backup.command("key")
def key(
    file: Annotated[
        Path, typer.Argument(help="A new file. Keep it away from the machine that backs up. - prints both keys.")
    ],
) -> None:
    """Make a key pair for backups. Prints the public key, for HUIYING_BACKUP_KEYS or --to-key."""
    from services.apps.backups import sealing

    if str(file) == "-":
        say(sealing.new_identity()[1].rstrip())
        return
    say(sealing.keep_identity(file))
    note(f"{file} is the only thing that opens these backups; print it, or keep two copies of it in different places")


@backup.command("verify")
def verify(
    source: From,
    key_file: KeyFile = None,
    check: Annotated[
        bool, typer.Option("--check", help="Restore it into a scratch folder, too, and run `huiying check` on it.")
    ] = False,
) -> None:
    """Read a backup, or the newest of a folder, and say whether it is whole.

    Without the private key, digests are compared; with it, each file is decrypted as well. If HUIYING_SECRET is set, a
    deployment with this secret must have made it. Exit 0, 1 if the check found something, or 2 if the backup is not
    whole.
    """
    from services.apps.backups import fitting, folder, keeping

    settings = quiet(settings_of(None))
    held = keeping.newest(source, settings.deployment)
    held.must_be_whole()
    held.unlock(key_file)
    secret = settings.secret.get_secret_value().encode() or None
    if secret or key_file or not held.manifest.keys:
        fitting.must_be_made_here(held, secret)
    if not held.manifest.keys:
        opened = "it is not encrypted"
    else:
        opened = "each opens" if key_file else "encrypted, not opened without --key-file"
    say(f"{held.folder}: whole, {len(held.manifest.files)} files of {held.manifest.made_at}, {opened}")
    for what in held.manifest.lacks:
        say(f"it lacks {what}")
    if not check:
        return
    if held.manifest.kind != folder.KIND:
        raise CannotDo("--check is for backups of an embedded system; restore this one into databases of their own")
    faults = run(_checked(held, key_file))
    say("\n".join(faults))
    raise typer.Exit(0 if faults[-1] == "clean" else 1)


async def _checked(held: "Held", key_file: Path | None) -> list[str]:
    import tempfile

    from services.apps import operate
    from services.apps.backups import fitting, folder
    from services.kernel.settings import Settings

    with tempfile.TemporaryDirectory(prefix="huiying-verify-") as scratch:
        told = {name: value for name, value in held.told.items() if name in fitting.NAMES}
        settings = Settings(**told).model_copy(update={"data": Path(scratch), "database": "", "kafka": ""})
        folder.restore(settings.data, held.folder, log=True, identity=key_file)
        return operate.told(await operate.check(quiet(settings), 30.0))


@backup.command("secret")
def secret(source: From, key_file: KeyFile = None) -> None:
    """Print the secret of a backup (HUIYING_SECRET), for a deployment that is made anew."""
    from services.apps.backups import keeping
    from services.apps.backups.held import Held
    from services.kernel.access.keys import SECRET_FILE

    found = keeping.newest(source, quiet(settings_of(None)).deployment)
    held = Held.open(found.folder, found.manifest.kind, key_file)
    if SECRET_FILE not in held:
        raise CannotDo(f"{held.folder} holds no secret")
    say(held.content(SECRET_FILE).decode())


def restore(
    source: Annotated[
        Path | None, typer.Option("--from", resolve_path=True, help="A backup, or a folder of backups: the newest.")
    ] = None,
    key_file: KeyFile = None,
    service: Annotated[
        list[str] | None, typer.Option("--service", help="Only this service. You may repeat the option.")
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Put the event log back, too, and lose all later events.")] = False,
    only_files: Annotated[
        bool, typer.Option("--files", help="Only files that are missing, also while everything runs.")
    ] = False,
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="Somebody else put the databases back, such as to a point in time."),
    ] = False,
    over: Annotated[
        str | None,
        typer.Option(metavar="DEPLOYMENT", help="Replace the data of this deployment by that of another one."),
    ] = None,
    data: Data = None,
) -> None:
    """Put stores back from a backup. Says what comes back by itself, and what is lost.

    Erased words stay erased, and revoked keys and tokens stay revoked. Later events come back from the event log. The
    accounts of staff go back only if they are missing, or with `--service console`; then all sign in again.
    """
    from schemas.catalogue import SERVICES
    from services.apps.backups import fitting, keeping
    from services.apps.backups.folder import CONSOLE

    settings = quiet(settings_of(data))
    for name in service or ():
        if name != CONSOLE:
            must_be_a_service(name)
    services = tuple(service or SERVICES)
    if (source is None) != in_place:
        raise CannotDo("name the backup with --from, or say --in-place if somebody else put the databases back")
    if log and not settings.embedded:
        raise CannotDo("--log is for the embedded log; Kafka's topics are never rolled back")
    if source is None:
        _in_place(settings, services)
        return
    held = keeping.newest(source, settings.deployment)
    if only_files:
        _files(settings, held, key_file)
        return
    if over is None:
        fitting.must_be_named(held, settings)
    if settings.embedded:
        _folder(settings, held, services, key_file, over, log=log)
    else:
        _databases(settings, held, services, key_file, over)


def _folder(
    settings: "Settings",
    held: "Held",
    services: tuple[str, ...],
    key_file: Path | None,
    over: str | None,
    *,
    log: bool,
) -> None:
    from services.apps import operate
    from services.apps.backups import fitting, folder
    from services.apps.folder import FolderLock

    if fitting.secret_at_hand(settings) is None:
        note("no secret is here, so nobody can tell who made the backup; HUIYING_SECRET may give it")
    lock = FolderLock(settings.data)
    lock.take()
    try:
        erased = run(operate.erased(settings, log_goes_back=log))
        before = folder.events(settings.data)
        done = folder.restore(
            settings.data,
            held.folder,
            services,
            log=log,
            erased=erased,
            identity=key_file,
            ours=fitting.told(settings),
            over=over,
            secret=settings.secret.get_secret_value().encode() or None,
        )
    finally:
        lock.release()
    say(f"restored {', '.join(done.names)}")
    lines = run(_losses(settings, services, before, held.manifest, done.forgotten))
    if (settings.data / folder.REVOKED).exists():
        for id_ in run(_revoked_again(settings)):
            say(f"{id_} was revoked again")
    _report(lines)


async def _revoked_again(settings: "Settings") -> list[str]:
    """Any process that starts in the folder does it first, and ends with it if this one does not come to it."""
    from services.apps import embedded
    from services.apps.folder import InUse

    try:
        async with embedded.running(settings) as system:
            return system.revoked_again
    except InUse:
        note("a process that started meanwhile revokes again what was revoked since the backup")
        return []


def _databases(
    settings: "Settings", held: "Held", services: tuple[str, ...], key_file: Path | None, over: str | None
) -> None:
    from schemas.catalogue import SERVICES
    from services.apps import operate
    from services.apps.backups import databases, folder

    whole = set(services) == set(SERVICES)
    if whole and f"{folder.CONSOLE}.dump" in held and not databases.has_accounts(settings):
        services = (*services, folder.CONSOLE)
    before = run(_stopped(settings, services))
    done = databases.restore(settings, held.folder, services, run(operate.erased(settings)), key_file, over)
    say(f"restored {', '.join(done.names)}")
    _report(run(_losses(settings, services, before, held.manifest, done.forgotten)))


def _in_place(settings: "Settings", services: tuple[str, ...]) -> None:
    from schemas.catalogue import SERVICES
    from services.apps import operate
    from services.apps.backups import databases, folder

    if settings.embedded:
        raise CannotDo("--in-place is for databases; an embedded system is restored with --from")
    if set(services) == set(SERVICES) and databases.has_accounts(settings):
        services = (*services, folder.CONSOLE)
    before = run(_stopped(settings, services))
    done = databases.mark_restored(settings, services, run(operate.erased(settings)))
    say(f"{', '.join(done.names)} will take later events back")
    _report(run(_losses(settings, services, before, None, done.forgotten)))


async def _stopped(settings: "Settings", services: tuple[str, ...]) -> Mapping[str, int | None]:
    """The events of the stores. Raises `Refused` while one of the services runs."""
    from services.apps import operate
    from services.apps.backups import losses
    from services.apps.backups.folder import CONSOLE

    async with operate.stores(settings) as found:
        for name in set(services) - {CONSOLE}:
            await operate.hold_leadership(found.runtimes[name])
        return await losses.counted(found.runtimes)


async def _losses(
    settings: "Settings",
    services: tuple[str, ...],
    before: Mapping[str, int | None],
    manifest: "Manifest | None",
    forgotten: int,
) -> list[str]:
    from services.apps import operate
    from services.apps.backups import losses

    async with operate.stores(settings) as found:
        return await losses.told(settings, found.runtimes, services, before, manifest, forgotten)


def _files(settings: "Settings", held: "Held", key_file: Path | None) -> None:
    from services.apps import operate
    from services.apps.backups import files, fitting
    from services.apps.backups.folder import put_files
    from services.apps.backups.held import Held

    async def look() -> dict[str, list[str]]:
        async with operate.stores(settings) as found:
            return (await files.lacking(settings, found.runtimes))[0]

    held, lacking, done = Held.open(held.folder, held.manifest.kind, key_file), run(look()), 0
    fitting.must_be_made_here(held, fitting.secret_at_hand(settings))
    for folder in files.NEEDED:
        place = files.folder_of(settings, folder)
        if place is None:
            note(f"{folder} is out of reach; name the data folders of the services in HUIYING_SERVICE_DATA")
        else:
            done += put_files(held, folder, place, lacking.get(folder, ()))
    say(f"{done} of {sum(map(len, lacking.values()))} missing files were put back")


def _report(lines: list[str]) -> None:
    for line in lines:
        say(line)
    say("next: start the services, then run `huiying check`")
