"""The commands `huiying verify`: checks without a server, a database or a secret.

They believe the keys and checkpoints that the caller gives, and nothing that stands in the checked file.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from services.apps.terminal import CannotDo, group, note, say

if TYPE_CHECKING:
    from services.kernel.sealed.trust import Trust
    from services.kernel.tlog.checkpoint import Checkpoint
    from services.kernel.tlog.note import Verifier

T = TypeVar("T")
SMALL = 2_000_000
"""A checkpoint, a proof, a key or an event has at most so many bytes."""

verify = group(
    "Check a file by itself, by the keys that you believe. Exit 0, or 1 with the first wrong place. No server is asked."
)

File = Annotated[Path, typer.Argument(resolve_path=True, help="The file.")]
Keys = Annotated[
    list[str],
    typer.Option("--key", help="The log's public key (name+number+key), or a file of such lines. You may repeat it."),
]
Witnesses = Annotated[
    list[str] | None,
    typer.Option("--witness", help="A witness' public key, or a file of such lines. You may repeat it."),
]
Needed = Annotated[
    int | None,
    typer.Option("--need", help="How many of the witnesses must have signed.", show_default="all that are given"),
]
Seen = Annotated[
    list[Path] | None,
    typer.Option(
        "--seen",
        resolve_path=True,
        help="A checkpoint that you kept from earlier, or got elsewhere. You may repeat it.",
    ),
]
Joined = Annotated[
    list[Path] | None,
    typer.Option(
        "--consistency",
        resolve_path=True,
        help="The log's proof that one size goes on from another. You may repeat it.",
    ),
]


@verify.command("event")
def verify_event(
    file: Annotated[Path, typer.Argument(resolve_path=True, help="The event's bytes, as audit gave them.")],
    proof: Annotated[Path, typer.Argument(resolve_path=True, help="Its proof (.tlog-proof).")],
    keys: Keys,
    witnesses: Witnesses = None,
    needed: Needed = None,
    seen: Seen = None,
    consistency: Joined = None,
) -> None:
    """Check that an event stands in the log, to the bit."""
    from services.kernel.sealed import one

    event, proof_ = _small(file), _small(proof)
    proofs = [_small(path) for path in consistency or ()]

    def checked(trust: "Trust") -> one.Proven:
        found = one.proven(event, proof_, trust)
        trust.must_include_seen(found.checkpoint, proofs)
        return found

    found, trust = _held(checked, keys, witnesses, needed, seen)
    said = found.event
    say(f"{said.type} {said.id}, version {said.version} of {said.stream}")
    say(f"by {said.actor}, unit {said.unit or '-'}, time {_local(said.time)}, recorded {_local(said.recorded)}")
    _say_log(trust, found.checkpoint, f"position {found.position}")


@verify.command("record")
def verify_record(
    file: File, keys: Keys, witnesses: Witnesses = None, needed: Needed = None, seen: Seen = None
) -> None:
    """Check the whole record (`huiying export`): every event in its place, every stream without a gap."""
    from services.kernel.sealed import record

    def checked(trust: "Trust") -> record.Held:
        with file.open("rb") as source:
            return record.verify(source, trust)

    found, trust = _held(checked, keys, witnesses, needed, seen)
    _say_log(trust, found.checkpoint, f"all {found.checkpoint.size} events of {found.streams} streams")


@verify.command("matter")
def verify_matter(
    file: File,
    keys: Keys,
    witnesses: Witnesses = None,
    needed: Needed = None,
    seen: Seen = None,
    consistency: Joined = None,
) -> None:
    """Check the record of a matter (`huiying export --incident`): every event in its place, no stream with a gap.

    That the newest events of a stream were left out shows only in the whole record.
    """
    from services.kernel.sealed import matter

    proofs = [_small(path) for path in consistency or ()]

    def checked(trust: "Trust") -> matter.Held:
        with file.open("rb") as source:
            found = matter.verify(source, trust)
        trust.must_include_seen(found.checkpoint, proofs)
        return found

    found, trust = _held(checked, keys, witnesses, needed, seen)
    hidden = f", {found.withheld} of them without their content" if found.withheld else ""
    _say_log(trust, found.checkpoint, f"{found.events} events of {found.streams} streams{hidden}")


@verify.command("archive")
def verify_archive(
    file: Annotated[Path, typer.Argument(resolve_path=True, help="The sealed archive of a matter (.zip).")],
    keys: Keys,
    witnesses: Witnesses = None,
    needed: Needed = None,
    seen: Seen = None,
    consistency: Joined = None,
) -> None:
    """Check the sealed archive of a matter: its seal in the log, every event, every word and file by its digest.

    What was erased after the sealing is told, with the erasure that the log holds.
    """
    from services.kernel.sealed import archive

    proofs = [_small(path) for path in consistency or ()]

    def checked(trust: "Trust") -> archive.Held:
        with file.open("rb") as source:
            found = archive.verify(source, trust)
        trust.must_include_seen(found.seal.checkpoint, proofs)
        return found

    found, trust = _held(checked, keys, witnesses, needed, seen)
    for path in found.gone:
        say(f"erased: {path}")
    if found.elsewhere:
        say(f"never in it: {found.elsewhere} files that its events name")
    if day := found.day:
        holes = f"{day.empty} hours in which nothing was recorded, {day.lacking} texts or files that were never in it"
        say(f"first 24 hours since {day.since}: {day.events} events, {holes}")
    event = found.seal.event
    say(f"{found.incident}, sealed by {event.actor}, unit {event.unit or '-'}, recorded {_local(event.recorded)}")
    parts = f"{found.events} events, {found.words} texts, {found.files} files, {len(found.gone)} erased"
    _say_log(trust, found.seal.checkpoint, f"sealed at position {found.seal.position}, with {parts},")


@verify.command("statement")
def verify_statement(
    file: Annotated[
        Path, typer.Argument(resolve_path=True, help="A statement that was saved from the bulletin (manifest.json).")
    ],
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys", resolve_path=True, help="The office's public keys.", show_default="huiying.json beside it"
        ),
    ] = None,
) -> None:
    """Check a statement that was saved from the bulletin, by the office's keys from /.well-known/huiying.json."""
    from services.apps import statements

    holds, said = statements.verify(file, keys or file.with_name(statements.KEYS))
    say(said)
    raise typer.Exit(not holds)


def _held(
    check: Callable[["Trust"], T],
    keys: Sequence[str],
    witnesses: Sequence[str] | None,
    needed: int | None,
    seen: Sequence[Path] | None,
) -> tuple[T, "Trust"]:
    """What a check found and rests on. Ends the command with 1 and the first wrong place if the file does not hold."""
    from services.kernel.sealed.trust import SplitView, Trust
    from services.kernel.tlog import Refused

    believed = [_small(path) for path in seen or ()]
    try:
        agreeing = _verifiers(witnesses or ())
        trust = Trust(_verifiers(keys), agreeing, len(agreeing) if needed is None else needed)
        for path, checkpoint in zip(seen or (), believed, strict=True):
            try:
                trust.see(checkpoint)
            except SplitView:
                raise
            except Refused as refused:
                raise CannotDo(f"{path}: {refused}") from None
    except SplitView as split:
        _end(str(split))
    except Refused as refused:
        raise CannotDo(str(refused)) from None
    try:
        return check(trust), trust
    except Refused as refused:
        _end(str(refused))


def _end(sentence: str) -> NoReturn:
    say(f"not proven: {sentence}")
    raise typer.Exit(1)


def _verifiers(named: Sequence[str]) -> tuple["Verifier", ...]:
    """The keys of texts and of files, each once."""
    from services.kernel.tlog.note import Verifier

    lines = [line for one in named for line in ([one] if "+" in one else _lines(one))]
    return tuple(dict.fromkeys(Verifier.parse(line.strip()) for line in lines if line.strip()))


def _lines(named: str) -> list[str]:
    """The lines of a file of keys."""
    if not Path(named).is_file():
        raise CannotDo(f"{named!r} is no key (name+number+key), and no file of such lines")
    try:
        return _small(Path(named)).decode().splitlines()
    except UnicodeDecodeError:
        raise CannotDo(f"{named} is no file of keys") from None


def _small(path: Path) -> bytes:
    with path.open("rb") as source:
        content = source.read(SMALL + 1)
    if len(content) > SMALL:
        raise CannotDo(f"{path} is too large to be what it is given as")
    return content


def _say_log(trust: "Trust", checkpoint: "Checkpoint", what: str) -> None:
    """Says what was proven, and by whom and by what else than the log's key."""
    from services.kernel.tlog.note import encoded

    root = encoded(checkpoint.root)
    say(f"proven: {what} in the log {checkpoint.origin} of {checkpoint.size} events, root {root}")
    signed = trust.signatures[checkpoint]
    for witness in trust.witnesses:
        if witness in signed:
            say(f"witness {witness.name} signed it at {_local(datetime.fromtimestamp(signed[witness].at, UTC))}")
        else:
            say(f"witness {witness.name} did not sign it")
    for size in sorted(trust.roots):
        joined = "is this one" if size == checkpoint.size else "and this one are of one log"
        say(f"the checkpoint of {size} events that you gave {joined}")
    if not trust.roots and not any(one in signed for one in trust.witnesses):
        note("the log signed this; whether others see the same log, witnesses and checkpoints seen elsewhere tell")


def _local(at: datetime) -> str:
    """A moment in UTC, and beside it by the clock of this machine if that is another and can show it."""
    try:
        here = at.astimezone()
    except (OverflowError, ValueError, OSError):
        here = at
    beside = f" ({here:%Y-%m-%d %H:%M:%S%z})" if here.utcoffset() else ""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC{beside}"
