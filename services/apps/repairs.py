"""The commands that repair: `huiying resend`, `redrive` and `recover`."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.apps.terminal import (
    CannotDo,
    Data,
    Json,
    listed,
    must_be_a_service,
    note,
    progress,
    quiet,
    run,
    say,
    settings_of,
)

if TYPE_CHECKING:
    from services.apps.operate import Settled


def resend(
    service: Annotated[str | None, typer.Argument(help="The service that owns the events, or reads the topic.")] = None,
    stream: Annotated[
        list[str] | None, typer.Option("--stream", help="Only this stream, by id or number. You may repeat the option.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All events of the service, or of all services.")] = False,
    rewind: Annotated[
        str | None, typer.Option("--rewind", help="Set the service back to the beginning of this topic.")
    ] = None,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost", help="After a loss of topics: write all events of their owners, and set all readers back."
        ),
    ] = False,
    data: Data = None,
) -> None:
    """Write stored events and their words to their topics again.

    Consumers drop events that they have already.
    """
    from services.apps import operate
    from services.apps.folder import folder_owner

    settings = quiet(settings_of(data))
    if sum((bool(stream), everything, rewind is not None, lost)) != 1:
        raise CannotDo("say what to do with one of --stream ID, --all, --rewind TOPIC, --lost")
    must_be_a_service(service)
    if rewind is not None and service is None:
        raise CannotDo("name the service that is to go back: `huiying resend SERVICE --rewind TOPIC`")

    async def work() -> None:
        if (lost or rewind is not None) and settings.embedded and folder_owner(settings.data) is not None:
            raise CannotDo(f"a server works in {settings.data}; stop it before you set a consumer back")
        async with operate.stores(settings) as found:
            if rewind is not None:
                count = await operate.rewind(found, service or "", rewind.removeprefix(f"{settings.prefix}."))
                say(f"{service} goes back to the beginning of {rewind} in {count} partitions")
                return
            if lost:
                for name, count in (sent := await operate.resend_lost(found, service)).items():
                    say(f"{name}: {count} events to be sent again, and all readers go back to the beginning")
                if not sent:
                    say("no topic is known to be lost; name the service whose topics are to be written again")
                return
            ids = [await operate.named(found, one) for one in stream or ()]
            for name in [service] if service else await _owners(found, ids):
                mine = [id_ for id_ in ids if service or await operate.owner_of(found, id_) == name]
                say(f"{name}: {await operate.resend(found.runtimes[name], mine or None)} events to be sent again")

    run(work())


async def _owners(found: Any, streams: Sequence[str] | None) -> list[str]:
    from services.apps import operate

    if not streams:
        return list(found.runtimes)
    return list(dict.fromkeys([await operate.owner_of(found, stream) for stream in streams]))


def redrive(
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="One record, as `--list` shows it.")] = None,
    service: Annotated[str | None, typer.Option(help="The service that has the dead letter.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All records, of the service or of all services.")] = False,
    cause: Annotated[
        str | None, typer.Option(help="Only dead letters with this reason: fork, poison, unknown_type, ...")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream, by id or number.")] = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="Only this event type, for example report.received.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="The reason. It becomes part of the record.")] = None,
    discard: Annotated[bool, typer.Option("--discard", help="Set the records aside for good.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the dead letters.")] = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Repair dead letters.

    Gives records to their service again, or sets them aside for good. Exit 0, or 1 if some fail as before.
    """
    from services.apps import operate

    settings = quiet(settings_of(data))
    must_be_a_service(service)
    filters = (everything, cause, stream, type_)
    if bool(id_) == (listing or any(filters)):
        raise CannotDo("give --list, an ID, or which records: --all, --cause, --stream, --type")
    if id_ and not service:
        raise CannotDo("name the service that has the dead letter, with --service")
    if not listing and not (reason or "").strip():
        raise CannotDo("say why, with --reason; it becomes part of the record")

    async def work() -> None:
        async with operate.stores(settings) as found:
            if id_:
                await operate.settle_record(found, str(service), id_, str(reason), discard=discard)
                say(f"{id_} was {'discarded' if discard else 'redriven'}")
                return
            chosen = operate.Chosen(service, cause, stream and await operate.named(found, stream), type_)
            rows = await operate.dead_letters(found, chosen)
            if listing:
                listed(rows, as_json)
                note(f"{len(rows)} dead letters")
                return
            done = await operate.settle_records(found, rows, str(reason), discard=discard, tell=progress("records"))
            _tell_settled(done, as_json, discard=discard)
            raise typer.Exit(1 if done.failed else 0)

    run(work())


def _tell_settled(done: "Settled", as_json: bool, *, discard: bool) -> None:
    verb = "discarded" if discard else "redriven"
    if as_json:
        say(json.dumps({verb: done.settled, "failed": done.failed}, ensure_ascii=False, indent=2))
    else:
        listed(done.failed, as_json)
    failed = f"; {len(done.failed)} fail as before" if done.failed else ""
    (note if as_json else say)(f"{len(done.settled)} records were {verb}{failed}")


def recover(
    service: Annotated[str, typer.Option(help="The service whose topics hold events that its store lacks.")],
    reason: Annotated[str, typer.Option(help="The reason. It becomes part of the record.")],
    stream: Annotated[
        list[str] | None, typer.Option("--stream", help="Only this stream, by id or number. You may repeat the option.")
    ] = None,
    data: Data = None,
) -> None:
    """Take in events that a service's own topics hold and its store lacks.

    After `huiying restore` the service does so by itself. Without a restore, it holds the streams until you decide. If
    the events are its own, for example because the database lost its last transactions, use this command. If they are
    forged, discard them with `huiying redrive ID --discard`.
    """
    from services.apps import operate

    settings = quiet(settings_of(data))
    must_be_a_service(service)

    async def work() -> None:
        async with operate.stores(settings) as found:
            ids = [await operate.named(found, one) for one in stream or ()]
            taken = await operate.recover(found.runtimes[service], ids, reason)
            say(f"{len(taken)} events of {len({event.stream for event in taken})} streams were taken in")

    run(work())
