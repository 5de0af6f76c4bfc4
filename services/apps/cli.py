"""The command line, `huiying`. Each command imports its modules when it runs, so that it starts fast.

Results go to standard output, everything else to standard error. Exit codes: 0 done; 1 a check found something; 2 the
command failed, with one sentence that says why.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from services.apps import callers, offline, rehearsing, repairs, status
from services.apps.addressbook import addresses
from services.apps.backups import commands as backups
from services.apps.terminal import (
    CannotDo,
    Data,
    Json,
    Unit,
    group,
    listed,
    must_be_a_service,
    note,
    note_strays,
    progress,
    quiet,
    run,
    say,
    settings_of,
)

if TYPE_CHECKING:
    from services.kernel.core.units import LoadedPack
    from services.kernel.settings import Settings

app = group(
    "Accountable answers to what people report.", name="huiying", add_completion=False, pretty_exceptions_enable=False
)
policies = group("The files of the policy folder: packs, units, lists.")
app.add_typer(callers.keys, name="keys")
app.add_typer(callers.users, name="users")
app.add_typer(callers.witness, name="witness")
app.add_typer(addresses, name="addresses")
app.add_typer(policies, name="policy")
app.add_typer(rehearsing.drill, name="drill")
app.add_typer(offline.verify, name="verify")
app.command()(status.status)
app.add_typer(backups.backup, name="backup")
for repair in (backups.restore, repairs.resend, repairs.redrive, repairs.recover):
    app.command()(repair)


def _version(asked: bool) -> None:
    if asked:
        say(f"huiying {version('huiying')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Accountable answers to what people report."""


@app.command()
def up(
    data: Data = None, port: Annotated[int | None, typer.Option(help="The HTTP port.", show_default="8400")] = None
) -> None:
    """Run everything in one process, until Ctrl-C."""
    from services.apps import embedded, web
    from services.apps import up as behind

    settings = settings_of(data, port)
    note_strays()
    if not settings.embedded:
        raise CannotDo("HUIYING_DATABASE is set: `up` is embedded; run `huiying serve <service>` or unset it")

    async def serve() -> None:
        with web.bound(settings.host, settings.port or embedded.PORT) as socket:
            known = settings.reached_at(web.address_of(socket))
            async with embedded.running(known) as system, behind.served(system, socket) as address:
                say(f"Console: {address}/console/")
                if code := await system.first_code():
                    say(f"No account yet: the console asks for the set-up code {code}")
                say(f"Huiying answers at {address}, bulletin {known.link('bulletin/')}, data in {known.data}")
                sys.stdout.flush()
                await behind.until_ended(system)

    run(serve())


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="ingest, triage, escalation, publish, audit or console.")],
    part: Annotated[str | None, typer.Option(help="api or consumer. Without it, both run, supervised.")] = None,
    data: Data = None,
) -> None:
    """Run one service over PostgreSQL and Kafka, or the console of staff over PostgreSQL.

    HUIYING_DATABASE (with {service} in it) and HUIYING_KAFKA name them. HUIYING_SECRET is the same for all services.
    """
    from services.apps import serve as one

    if service != "console":
        must_be_a_service(service)
    if part is not None and part not in one.PARTS:
        raise CannotDo(f"no part {part!r}; there are {', '.join(one.PARTS)}")
    settings = settings_of(data)
    note_strays()
    if not settings.database or not settings.kafka:
        raise CannotDo("set HUIYING_DATABASE (with {service} in it) and HUIYING_KAFKA, or run `huiying up`")
    if service == "console":
        from services.apps import console

        console.main(settings)
        return
    if part is not None:
        one.main(service, part, settings)
        return
    one.supervise(service, settings)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, XLSX, or lines of JSON.", exists=True, dir_okay=False)],
    mapping: Annotated[str, typer.Option("--map", help="A file with a mapping, or hotline, message-board, reports.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only try the file: nothing is kept.")] = False,
    refused: Annotated[Path | None, typer.Option("--refused", help="Write refused rows to this CSV file.")] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="The unit that receives the reports.", show_default="the key's own")
    ] = None,
    source: Annotated[str | None, typer.Option(help="The sending system.", show_default="that of the mapping")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="The address of the deployment.", show_default="the one of --data")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="A file with the key; else HUIYING_KEY has it.")] = None,
    data: Data = None,
) -> None:
    """Send a file of reports. If it breaks off, or rows were corrected, run it again: nothing is doubled.

    Prints the counts. Exit 0, or 1 if rows were refused.
    """
    from services.apps import imports

    key = (key_file.read_text() if key_file else os.environ.get("HUIYING_KEY", "")).strip()
    if not key:
        raise CannotDo("set HUIYING_KEY to the key of the integration, or name a file with it: --key-file")
    sending = imports.Sending(file, mapping, unit, source, dry_run, key, at)
    lines = run(imports.send(quiet(settings_of(data)), sending, progress("bytes"), _took()))
    ended = lines[-1]["ended"]
    if lines[0]["began"]["dropped"] or ended["dropped"]:
        note(f"not kept: {', '.join(ended['dropped'])}")
    if refused is not None and not ended["refused"]:
        note(f"no row was refused, so {refused} was not written")
    elif refused is not None:
        note(f"{imports.write_refused(lines, refused)} refused rows in {refused}")
        if ended["left_off"]:
            note(f"{ended['left_off']:,} more were refused; correct these first, and send the file again")
    else:
        for line in (line["refused"] for line in lines if "refused" in line):
            note(f"line {line['line']}: {line['problem']['detail']}")
    counts = ", ".join(f"{ended[name]:,} {name}" for name in ("rows", "received", "repeated", "refused"))
    say(f"{'would be: ' if dry_run else ''}{counts}")
    if ended["state"] != "done":
        raise CannotDo(f"{ended['problem']['detail']}; {imports.AGAIN}")
    raise typer.Exit(1 if ended["refused"] else 0)


def _took() -> Callable[[int], None]:
    tell = progress("rows")
    return lambda rows: tell(rows, rows)


@app.command()
def probe(
    once: Annotated[
        bool, typer.Option("--once", help="One round. Prints each site, and exits with 1 if one is bad.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", resolve_path=True, help="What the probe remembers.", show_default="probe.json in the data folder"
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", resolve_path=True, help="The office's public keys (huiying.json) to believe."),
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option("--log-key", help="A public key of the log to believe. You may repeat it.")
    ] = None,
    data: Data = None,
) -> None:
    """Look at HUIYING_PUBLIC_URL from outside, as readers do, and tell ingest of outages. It may run on any machine.

    The first round believes the keys that are shown, if none is given. Later it believes no other, until --keys or
    --log-key names them anew.
    """
    from services.probe import loop, memory

    settings = settings_of(data)
    note_strays()
    if "public_url" not in settings.model_fields_set:
        raise CannotDo("set HUIYING_PUBLIC_URL to the address that is probed")
    path = state or settings.data / "probe.json"
    try:
        if keys or log:
            memory.believe(path, keys, log or ())
        well = run(loop.run(settings, path, once=once, say=say))
    except memory.Unreadable as error:
        raise CannotDo(str(error)) from None
    raise typer.Exit(0 if well else 1)


@app.command()
def check(
    wait: Annotated[float, typer.Option(help="Seconds to wait for outboxes and consumers.")] = 30.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print each fault, too.")] = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Prove that no event was lost, doubled or altered.

    Every accepted event must be in its store and in audit exactly once, in order and unaltered, and on its topic with
    the same bytes. Every service must have taken in all events before its offsets. Exit 0, or 1 with each cause as a
    sentence that says what to do.
    """
    from services.apps import operate

    report = run(operate.check(quiet(settings_of(data)), wait))
    if as_json:
        causes = [{"sentence": cause.sentence(), "faults": cause.count} for cause in report.causes.values()]
        found = {"clean": report.ok, "counts": report.counts, "causes": causes, "faults": report.faults}
        say(json.dumps(found, ensure_ascii=False))
    for line in () if as_json else operate.told(report, verbose=verbose):
        say(line)
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def replay(
    service: Annotated[
        str | None,
        typer.Argument(help="Only `audit`: its tables are put in place.", show_default=False),
    ] = None,
    data: Data = None,
) -> None:
    """Rebuild all views from the topics, and compare. Or rebuild the tables of audit, and use them from then on.

    Without a service: exit 0, or 1 with each row that differs. Nothing is changed.
    `huiying replay audit` builds beside the present tables, also while the system runs, and exchanges the two at once
    when the new ones hold the same events at the same positions and the roots that were signed.
    """
    from services.apps import operate

    if service is not None:
        if service != "audit":
            raise CannotDo(f"only audit's tables can be built anew, not those of {service!r}")
        built = run(operate.rebuild(quiet(settings_of(data)), progress("events")))
        say(f"{built.events:,} events built anew in {built.seconds:.1f} s; the new tables are in place")
        return
    differences = run(operate.replay(quiet(settings_of(data))))
    for line in differences:
        say(line)
    say(f"{len(differences)} differences" if differences else "every view agrees with the topics")
    raise typer.Exit(1 if differences else 0)


@policies.command("list")
def policy_list(as_json: Json = False, data: Data = None) -> None:
    """List the packs of the record, each with the units to which it is assigned now.

    Before the first start these are the packs of the policy folder.
    """
    from services.apps import records
    from services.kernel.rules.packs import load_packs

    settings = quiet(settings_of(data))
    offices = run(records.offices(settings))
    if not offices.packs:
        note(f"no record yet; the packs of {settings.policies}:")
    found = (offices.packs or load_packs(settings.policies)).values()
    units = {pack.ref: [unit for unit, ref in sorted(offices.assigned.items()) if ref == pack.ref] for pack in found}
    rows = [{"policy": pack.ref, "title": pack.model.title, "units": units[pack.ref]} for pack in found]
    listed(rows if as_json else [{**row, "units": ", ".join(row["units"]) or "-"} for row in rows], as_json)


@policies.command("show")
def policy_show(
    name: Annotated[str, typer.Argument(metavar="PACK", help="A pack: id, id@version, or a file.")],
    data: Data = None,
) -> None:
    """Show a pack's levels, kinds of answer, limits, reports, ladder and approvals, each with its clause.

    A pack is looked for in the record. Before the first start it is looked for in the policy folder.
    """
    settings = quiet(settings_of(data))
    _show(_chosen(name, settings, lambda: _recorded(settings) or _of_folder(settings)))


def _chosen(name: str, settings: "Settings", *places: Callable[[], Mapping[str, "LoadedPack"]]) -> "LoadedPack":
    """A pack by its name. Ends the command with the faults of a file that is no pack."""
    from services.apps import policy
    from services.kernel.rules.documents import DocumentError

    try:
        return policy.chosen(name, *(places or (lambda: _of_folder(settings), lambda: _recorded(settings))))
    except DocumentError as error:
        note(str(error))
        raise typer.Exit(1) from None


def _recorded(settings: "Settings") -> Mapping[str, "LoadedPack"]:
    from services.apps import records

    return run(records.offices(settings)).packs


def _of_folder(settings: "Settings") -> Mapping[str, "LoadedPack"]:
    from services.kernel.rules.packs import load_packs

    return load_packs(settings.policies)


def _show(pack: "LoadedPack") -> None:
    from schemas.pack.values import open_places
    from services.apps import policy

    model = pack.model
    say(f"{pack.ref}\n{model.title}, from {model.effective_from}, {model.timezone}")
    for title, rows in policy.rows(model).items():
        say(f"\n{title}")
        for row in rows:
            say(f"  {row.name:<26} {row.title:<12} {row.value:<18} [{row.source.kind}] {row.clause}")
    if places := open_places(model):
        say("\nopen; nothing runs by these until an office sets them with `huiying policy set-value`")
        say("\n".join(f"  {place}" for place in places))


@policies.command("check")
def policy_check(
    file: Annotated[Path, typer.Argument(resolve_path=True, help="A pack, units.yaml, or a list of the deployment.")],
    data: Data = None,
) -> None:
    """Check a file of the policy folder. Prints each fault with its line. Exit 0 or 1.

    A pack that names a post or body which the folder's units.yaml does not have can be used, and this is told.
    """
    from services.apps import policy
    from services.kernel.rules.documents import DocumentError

    try:
        what, remarks = policy.read(file), policy.remarks(file, settings_of(data).policies)
    except DocumentError as error:
        note(str(error))
        raise typer.Exit(1) from None
    for remark in remarks:
        note(f"{file}: {remark}")
    say(f"{file}: {what} can be used")


@policies.command("evaluate")
def policy_evaluate(
    name: Annotated[str, typer.Argument(metavar="PACK", help="A pack: id, id@version, or a file.")],
    facts: Annotated[Path, typer.Argument(metavar="FACTS.json", help="The facts of a matter; - reads standard input.")],
    data: Data = None,
) -> None:
    """What a pack's rules say of a matter: level, approval, reports, limits and ladder, as JSON.

    The same facts give the same bytes. Facts that cannot be used are told one by one. A pack is looked for in the
    policy folder, and then in the record. docs/packs.md shows the facts. Exit 0 or 1.
    """
    from services.apps import facts as of_a_matter
    from services.escalation.trying.evaluate import evaluate
    from services.escalation.trying.facts import Unfit

    pack = _chosen(name, quiet(settings_of(data)))
    try:
        answer = evaluate(pack, of_a_matter.read(facts))
    except Unfit as error:
        note(str(error))
        raise typer.Exit(1) from None
    say(json.dumps(answer, ensure_ascii=False, indent=2))


@policies.command("explain")
def policy_explain(
    incident: Annotated[str, typer.Argument(help="The matter's number or id.")],
    data: Data = None,
) -> None:
    """Why a matter owes what it owes, in Chinese: each rule, what it looked at, its clause and its quotation.

    Limits that began under a pack which the matter has left are told as well.
    """
    from services.apps import records
    from services.escalation.trying import explain

    async def told() -> list[str]:
        async with records.reader(quiet(settings_of(data))) as reader:
            return list(explain.lines((await reader.matter(incident)).matter, incident))

    say("\n".join(run(told())))


@policies.command("dry-run")
def policy_dry_run(
    name: Annotated[str, typer.Argument(metavar="PACK", help="A pack: id, id@version, or a file.")],
    since: Annotated[str, typer.Option(help="From when on matters were opened, with its offset.")],
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Count what would have differed if the matters since a time had been judged by a pack. Nothing is recorded.

    A pack is looked for in the record, and then in the policy folder. Values that offices set count as if the pack had
    been in force. A matter that moved to another pack is compared with what it owed under one pack after the other.
    """
    from services.apps import dry_run, records
    from services.escalation.trying.dry_run import Result
    from services.escalation.trying.dry_run import lines as lines_of

    settings, at = quiet(settings_of(data)), dry_run.instant_of(since)
    pack = _chosen(name, settings, lambda: _recorded(settings), lambda: _of_folder(settings))

    async def judged() -> tuple[Result, list[str]]:
        async with records.reader(settings) as reader:
            result = await dry_run.judge(reader, pack, at)
            return result, list(lines_of(result, pack))

    result, lines = run(judged())
    if as_json:
        say(json.dumps(result.told(), ensure_ascii=False, indent=2))
        return
    one = result.matters == 1
    of = f"{result.matters} matter{'' if one else 's'}"
    say(
        "\n".join(
            (f"{of} since {since}, by {pack.name} instead of {'its own pack' if one else 'their own packs'}", *lines)
        )
    )


@policies.command("test")
def policy_test(
    names: Annotated[list[str] | None, typer.Argument(metavar="[PACK]...", help="Packs; by default all.")] = None,
    data: Data = None,
) -> None:
    """Run the cases that packs carry. Prints what the rules say otherwise. Exit 0 or 1.

    The cases of a pack stand in `cases/<its id>.json` beside its file.
    """
    from services.apps import cases, policy
    from services.escalation.trying.cases import faults as faults_of
    from services.escalation.trying.facts import Unfit
    from services.kernel.rules.documents import DocumentError

    settings = settings_of(data)
    folder, faulty = settings.policies, False

    def here() -> Mapping[str, "LoadedPack"]:
        return _of_folder(settings)

    try:
        packs = [(pack, folder) for pack in here().values()] if not names else []
        packs += [(policy.chosen(name, here), policy.beside(name, folder)) for name in names or ()]
        for pack, where in packs:
            found = cases.read(pack, where)
            faults = [f"{case.title}: {fault}" for case in found for fault in faults_of(pack, case)]
            faulty = faulty or bool(faults)
            say("\n".join(f"{pack.name}: {told}" for told in faults or [_held(len(found))]))
    except (DocumentError, Unfit) as error:
        note(str(error))
        raise typer.Exit(1) from None
    raise typer.Exit(faulty)


def _held(count: int) -> str:
    return "1 case holds" if count == 1 else f"{count} cases hold" if count else "it has no cases"


@policies.command("load")
def policy_load(
    file: Annotated[Path, typer.Argument(resolve_path=True, help="A pack.")],
    lesson: Annotated[list[int] | None, typer.Option(help="A lesson that it answers; may be repeated.")] = None,
    data: Data = None,
) -> None:
    """Bring a pack into the record. No unit works by it before `assign`.

    A changed pack needs a new version. A file with a fault loads nothing: each fault is printed with its line and
    column. Exit 0 or 1.
    """
    from services.apps import packs
    from services.kernel.rules.documents import DocumentError
    from services.kernel.rules.packs import load_pack

    try:
        pack = load_pack(file)
    except DocumentError as error:
        note(str(error))
        raise typer.Exit(1) from None
    is_new = run(packs.load(quiet(settings_of(data)), pack, lesson or ()))
    say(f"{pack.ref} {'is loaded' if is_new else 'was loaded before'}")
    note(f"to put it in force: huiying policy assign {pack.name} --unit <unit>")


@policies.command("assign")
def policy_assign(
    pack: Annotated[str, typer.Argument(help="A loaded pack as id@version.")],
    unit: Unit,
    since: Annotated[str | None, typer.Option(help="When it begins, with its offset.", show_default="now")] = None,
    data: Data = None,
) -> None:
    """Let a unit, and the units below it without a pack of their own, work by a pack.

    Matters that were opened before keep theirs.
    """
    from services.apps import packs, records
    from services.kernel.rules.packs import unanswered

    settings = quiet(settings_of(data))
    run(packs.assign(settings, unit=unit, pack=pack, since=since))
    offices = run(records.offices(settings))
    entries = [entry for at in offices.above(unit) for entry in offices.posts.get(at, {}).values()]
    for found in (one for one in offices.packs.values() if one.name == pack):
        for remark in unanswered(found.model, entries):
            note(f"{unit}: {remark}; add it to units.yaml, and restart")
    say(f"{unit} works by {pack} from {since or 'now'} on")


@policies.command("set-value")
def policy_set_value(
    pack: Annotated[str, typer.Argument(help="A loaded pack as id@version.")],
    place: Annotated[str, typer.Argument(help="The open place, such as clocks.explanation.limit.")],
    value: Annotated[str, typer.Argument(help="The value as a pack writes it; a limit as JSON.")],
    unit: Unit,
    reason: Annotated[str, typer.Option(help="Who decided so, and why.")],
    since: Annotated[
        str | None, typer.Option(help="When it begins, with its offset; now at the earliest.", show_default="now")
    ] = None,
    data: Data = None,
) -> None:
    """Set a value that a pack leaves open, for a unit and the units below it. Nothing runs by it before."""
    from schemas.fields import parse_instant
    from services.apps import packs

    try:
        said = {"limit": json.loads(value)} if value.startswith("{") else {"value": value}
    except ValueError as error:
        raise CannotDo(f"the limit is no JSON: {error}") from None
    named = {"unit": unit, "pack": pack, "place": place, "since": since, "reason": reason}
    run(packs.set_value(quiet(settings_of(data)), **named, **said))
    begins = "now" if since is None or parse_instant(since) <= datetime.now(UTC) else since
    say(f"{unit} works by {place} = {value} of {pack} from {begins} on")


@app.command()
def export(
    to: Annotated[Path, typer.Option("--to", resolve_path=True, help="The file to write.")],
    incident: Annotated[
        str | None, typer.Option("--incident", help="Only this incident: its number or id.", show_default="everything")
    ] = None,
    data: Data = None,
) -> None:
    """Write the whole record, or that of an incident, with what proves it, for `huiying verify`.

    It holds what the newest checkpoint of the log covers: events of the last moments may be missing.
    """
    from services.apps import access, client
    from services.apps import export as files

    settings = quiet(settings_of(data))

    async def write() -> files.Written:
        async with client.api(settings, "audit") as audit:
            token = access.operator(settings)
            if incident is None:
                return await files.write_record(audit, token, to)
            return await files.write_matter(audit, token, incident, to)

    written = run(write())
    say(f"{written.events} events in {to}, of a log of {written.size} events\nSHA-256 {written.sha256}")


@app.command()
def peer(data: Data = None) -> None:
    """Print the entry of this deployment for the lists of other deployments (`peers.yaml` there)."""
    import yaml

    from services.apps import access

    settings = quiet(settings_of(data))
    say(yaml.safe_dump([run(access.as_peer(settings))], allow_unicode=True, sort_keys=False, width=200).rstrip())


@app.command()
def purge(
    incident: Annotated[str, typer.Argument(help="The matter's id.")],
    token_file: Annotated[
        Path, typer.Option("--token-file", help="A file with the token of an administrator or chief.")
    ],
    data: Data = None,
) -> None:
    """Delete the words and files of a matter when the years of its archive are over.

    Events, digests, proofs and what was said in public stay. Who may not decide alone asks by it; another person of a
    unit above then runs it again.
    """
    from services.apps import purge as purging

    done = run(purging.purge(quiet(settings_of(data)), incident, token_file.read_text().strip()))
    say(f"{incident} was kept until {done.until}: the words of {done.erased} records are erased")
    if done.asked:
        note(f"for {done.asked} records another person of a unit above must run the same command")


def execute(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code."""
    try:
        app(list(arguments), prog_name="huiying")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # The user gets a sentence, not a trace.
        if os.environ.get("HUIYING_LOG_LEVEL", "").lower() == "debug":
            raise
        note(f"huiying: {_sentence(error)}")
        return 2
    return 0


def _sentence(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(getattr(error, "detail", "") or getattr(error, "orig", "") or error).split())
    expected = type(error).__module__.startswith("services.") or isinstance(error, OSError | ValueError)
    return text if text and expected else f"{type(error).__name__}: {text}; HUIYING_LOG_LEVEL=debug shows where"


def main() -> NoReturn:
    """The program, with the commands of other packages (`huiying.commands` in their metadata)."""
    for command in entry_points(group="huiying.commands"):
        app.command(command.name)(command.load())
    sys.exit(execute(sys.argv[1:]))


if __name__ == "__main__":
    main()
