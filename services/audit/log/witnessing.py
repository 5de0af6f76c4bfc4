"""Witnesses: others cosign our checkpoints, so that no county rewrites its log alone; and we cosign theirs.

A witness holds the newest checkpoint that it cosigned of each log, as events on a stream of its own. So two requests
at once meet at the stream's version, a kill leaves both or neither, and after a restore it comes back from the topic.
"""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.checkpoints import CheckpointCosigned, CheckpointLogKnown
from services.audit.log import growing, keys
from services.audit.views import CHECKPOINTS, COSIGNATURES, WITNESSED
from services.kernel.between.post import trust
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import derived
from services.kernel.core.problems import Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.logging import Lasting, brief
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.settings import Settings
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.kernel.tasks import side_by_side
from services.kernel.tlog import Refused, note, tree
from services.kernel.tlog.note import Note, Verifier
from services.kernel.tlog.witness import Declined, Held, Request, asked, configured_in, must_follow, origin_of

PATIENCE = 10.0
"""Seconds that a witness has for its answer."""
REST, LONG_REST = 1.0, 30.0
"""Seconds between two looks for a new checkpoint, and after a witness that gave none."""
PATIENT = 3
"""Tries without an answer after which operators are told."""
MOST = 10**12
"""No log of ours or of a neighbour comes near this size, and events count no further."""
logger = structlog.get_logger()


class Witness(NamedTuple):
    """A witness that is asked."""

    address: str
    """The address below which it takes `add-checkpoint`."""
    key: Verifier


class Said(NamedTuple):
    """What a witness answered."""

    status: int
    kind: str
    body: bytes


# As a log ------------------------------------------------------------------------------------------------------------


def configured(settings: Settings) -> list[Witness]:
    """The witnesses of the settings. Raises `ValueError` with what is wrong and what to write."""
    return [Witness(*one) for one in configured_in(settings.witnesses)]


async def cosigned(connection: AsyncConnection, size: int, raw: bytes) -> bytes:
    """A signed note with the cosignatures that witnesses gave for its size."""
    chosen = select(COSIGNATURES.c.line).where(COSIGNATURES.c.size == size).order_by(COSIGNATURES.c.witness)
    found = (await connection.execute(chosen)).scalars().all()
    lines = [line for one in found for line in note.lines(one.encode())]
    return Note.parse(raw).signed_by(*lines).written if lines else raw


async def run(runtime: Runtime) -> None:
    """The loop of the leader: each witness is asked for each new checkpoint, and a slow one delays no other."""
    await side_by_side(_keep_asking(runtime, witness) for witness in configured(runtime.settings))
    await asyncio.Event().wait()


async def _keep_asking(runtime: Runtime, witness: Witness) -> None:
    try:
        await _ask_on(runtime, witness)
    finally:
        # The next leader asks anew.
        runtime.alarms.pop(_silent(witness), None)
        runtime.alarms.pop(_contradicts(witness), None)


def _silent(witness: Witness) -> str:
    return f"{witness.address} {witness.key.vkey} waits"


def _contradicts(witness: Witness) -> str:
    return f"{witness.address} {witness.key.vkey} contradicts"


async def _ask_on(runtime: Runtime, witness: Witness) -> None:
    named = {"witness": witness.key.name, "address": witness.address}
    waits, failed, silent = Lasting("witness.waits", service=runtime.service.name, **named), 0, _silent(witness)
    while True:
        rest = REST
        try:
            await ask(runtime, witness)
            waits.over()
            runtime.alarms.pop(silent, None)
            failed = 0
        except (Refused, Problem, DBAPIError, OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            waits.told(brief(error))
            rest, failed = LONG_REST, failed + 1
            if failed >= PATIENT:
                runtime.alarms[silent] = (
                    f"the witness {witness.key.name} gives no cosignature at {witness.address} ({brief(error)}); look "
                    "at the address in HUIYING_WITNESSES, and ask whoever runs it"
                )
        await asyncio.sleep(rest)


async def ask(runtime: Runtime, witness: Witness) -> bool:
    """Asks a witness to cosign the newest checkpoint. Returns whether it holds it then.

    What contradicts our log is told to operators. Raises `Refused` for an answer that proves nothing.
    """
    async with runtime.database.read() as connection:
        row = (await connection.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.size.desc()).limit(1))).first()
        mine = COSIGNATURES.c.witness == witness.key.name
        old = (await connection.execute(select(func.max(COSIGNATURES.c.size)).where(mine))).scalar() or 0
    if row is None or row.size == old:
        return row is not None
    said = await _asked(runtime, witness, old, row)
    if said.status == 409 and said.kind == "text/x.tlog.size":
        held = _size(said.body)
        if held > row.size:
            _alarm(runtime, witness, f"cosigned {held} events of our log, which has {row.size} signed: it was put back")
            return False
        said = await _asked(runtime, witness, held, row)
    if said.status in (409, 422):
        _alarm(runtime, witness, f"cosigned another log under our name: it answers {said.status} to size {row.size}")
        return False
    if said.status != 200:
        raise Refused(f"{witness.key.name} answers {said.status}")
    found = Note.parse(bytes(row.note)).signed_by(*note.lines(said.body))
    line = found.known([witness.key]).get(witness.key)
    if line is None:
        raise Refused(f"{witness.key.name} answers without its cosignature")
    new = {"size": row.size, "witness": witness.key.name, "line": line.line}
    async with runtime.database.transaction() as connection:
        await sql.upsert(connection, COSIGNATURES, [new])
    runtime.alarms.pop(_contradicts(witness), None)
    return True


async def _asked(runtime: Runtime, witness: Witness, old: int, row: Any) -> Said:
    async with runtime.database.read() as connection:
        path = await growing.hashes(connection, tree.consistency(old, row.size))
    body = Request(old, tuple(path), bytes(row.note)).written
    return await post(f"{witness.address}/add-checkpoint", body, runtime.settings.peers_ca)


async def post(address: str, body: bytes, authority: Path | None = None) -> Said:
    """Sends a body to a witness. Raises `httpx.HTTPError`."""
    trusted: Any = trust(authority)
    async with httpx.AsyncClient(verify=trusted, trust_env=False, timeout=PATIENCE, follow_redirects=False) as client:
        answer = await client.post(address, content=body, headers={"Content-Type": "text/plain; charset=utf-8"})
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Said(answer.status_code, kind, answer.content[: note.MAX_BYTES])


def _size(body: bytes) -> int:
    text = body.decode("ascii", "replace").strip()
    if not text.isdigit() or len(text) > 18:
        raise Refused("the witness names no size")
    return int(text)


def _alarm(runtime: Runtime, witness: Witness, what: str) -> None:
    sentence = f"the witness {witness.key.name} {what}. Run `huiying check`, and ask the witness for what it holds"
    if runtime.alarms.get(_contradicts(witness)) != sentence:
        logger.critical("log.contradicted", error=sentence)
    runtime.alarms[_contradicts(witness)] = sentence


# As a witness --------------------------------------------------------------------------------------------------------


async def known(connection: AsyncConnection) -> list[dict[str, Any]]:
    """The logs of others that this deployment cosigns: `origin`, `keys`, `size`, `root`."""
    chosen = select(WITNESSED).where(WITNESSED.c["keys"] != "").order_by(WITNESSED.c.origin)
    return [dict(row) for row in (await connection.execute(chosen)).mappings()]


async def know(runtime: Runtime, caller: Caller, origin: str, public: tuple[str, ...]) -> None:
    """Makes this deployment a witness for a log by these public keys, or ends it without any.

    What it cosigned stays known. So it never cosigns another log under this name, also after it knew it no more.
    """

    async def act(session: Session, ctx: Ctx) -> Answer:
        stream = stream_of(origin)
        await session.load_head(stream)
        session.append(stream, [CheckpointLogKnown(origin=origin, keys=public)], ctx)
        return Answer({})

    await transact(runtime, caller, act)


async def cosign(runtime: Runtime, body: bytes) -> bytes:
    """The lines of this witness's cosignatures on the checkpoint in the body of `add-checkpoint`. Raises `Declined`.

    What it holds is durable before it answers.
    """
    origin = origin_of(body)
    stream = stream_of(origin)
    async with runtime.database.read() as connection:
        # Only a log that we know may make us write.
        asked(body, _keys_of(origin, await _row(connection, stream)))

    async def act(session: Session, ctx: Ctx) -> Answer:
        # The stream is read first: whoever cosigns meanwhile takes its next version, and this is decided anew.
        await session.load_head(stream)
        row = await _row(session.connection, stream)
        this = asked(body, _keys_of(origin, row))
        assert row is not None, "the log is known"
        if this.checkpoint.size > MOST:
            raise Declined(400, "no log has so many events")
        before = Held(row["size"], bytes.fromhex(row["root"]))
        held = must_follow(this, before)
        # Checkpoints are public, so anybody may show us the one that we hold: signing it again writes nothing.
        if held != before:
            said = CheckpointCosigned(origin=origin, size=held.size, root=held.root.hex())
            session.append(stream, [said], ctx)
        signers = await keys.signers(runtime, session.connection, "witness")
        at = int(ctx.now.timestamp())
        return Answer({"lines": "".join(signer.sign(this.note.text, at).line for signer in signers)})

    return str((await transact(runtime, Caller(), act)).body["lines"]).encode()


def stream_of(origin: str) -> str:
    """The stream of what this witness knows of a log."""
    return f"checkpoint-{derived('witnessed', origin)}"


async def _row(connection: AsyncConnection, stream: str) -> Any:
    return (await connection.execute(select(WITNESSED).where(WITNESSED.c.stream_id == stream))).mappings().first()


def _keys_of(origin: str, row: Any) -> list[Verifier] | None:
    if row is None or not row["keys"]:
        return None
    return [Verifier(origin, bytes.fromhex(key)) for key in row["keys"].split(",")]
