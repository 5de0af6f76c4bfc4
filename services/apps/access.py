"""Tokens and keys on the command line: staff tokens, the keys that sign them, and keys of integrations.

The command line holds the signing key, and acts as the deployment's operator.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from services.apps.backups.folder import REVOKED, Revoked, revoked, to_revoke
from services.apps.client import Refused, api, ask, pages
from services.kernel.access import signing, tokens
from services.kernel.access.keys import Keys, deployment_secret
from services.kernel.access.signing import SigningKey
from services.kernel.access.tokens import Claims
from services.kernel.between.signed import Signing
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.core.problems import Malformed, NotFound, Unauthenticated
from services.kernel.core.units import Offices, Post, Unit
from services.kernel.serving.commands import Caller
from services.kernel.settings import Settings

if TYPE_CHECKING:
    from services.apps.embedded import Embedded

SHORT = timedelta(minutes=5)
ENCODED = "eyJ"
"""Every JSON Web Token begins with this: `{"` in its encoding."""


def operator(settings: Settings) -> str:
    """A token for the command line itself."""
    said = tokens.claims(settings.deployment, person="operator", life=SHORT)
    return tokens.sign(_signing_key(settings), said)


async def staff_token(
    settings: Settings, unit: str, roles: Sequence[str], person: str, post: str | None = None
) -> tuple[str, Claims]:
    """A token for a post of the directory, and its claims.

    Raises `Refused` if the directory does not have the post or role.

    By default it is the post for the first role. A post of the unit must have each further role.
    """
    if unknown := sorted(set(roles) - set(STAFF_ROLES)):
        raise Refused(f"no such role: {', '.join(unknown)}; roles of staff are {', '.join(STAFF_ROLES)}")
    if not person.strip():
        raise Refused("name the person with --person: it keeps two people apart, and is never stored")
    key = _signing_key(settings)
    try:
        offices = await directory(settings)
        offices.unit(unit)
        if post is None:
            post = _post_for(offices, unit, roles)
        named = offices.post(f"{post}@{unit}")
    except Malformed as problem:
        raise Refused(problem.detail) from None
    if named.members:
        raise Refused(f"{post}@{unit} is a body; name one of its members, {', '.join(named.members)}")
    said = tokens.claims(
        settings.deployment, person=person.strip(), unit=unit, post=post, roles=roles or sorted(named.roles)
    )
    return tokens.sign(key, said), said


def post_token(settings: Settings, offices: Offices, unit: str, role: str, person: str) -> str:
    """A token for the post of a unit with this role. Raises `Refused` if the unit has none."""
    try:
        offices.unit(unit)
    except Malformed as problem:
        raise Refused(problem.detail) from None
    post = _post_for(offices, unit, [role])
    said = tokens.claims(settings.deployment, person=person, unit=unit, post=post, roles=[role], life=SHORT)
    return tokens.sign(_signing_key(settings), said)


def _post_for(offices: Offices, unit: str, roles: Sequence[str]) -> str:
    if not roles:
        raise Refused("name a role with --role, or a post with --post")
    posts = [offices.with_role(unit, role) for role in roles]
    if missing := [role for role, post in zip(roles, posts, strict=True) if post is None]:
        has = ", ".join(sorted(offices.roles_in(unit))) or "none"
        raise Refused(f"no post of {unit} has the role {', '.join(missing)}; its posts have {has}")
    return str(posts[0])


async def directory(settings: Settings) -> Offices:
    """The present units and posts of triage."""
    _must_exist(settings)
    async with api(settings, "triage") as triage:
        items: list[dict[str, Any]] = (await ask(triage, "GET", "/triage/v1/units", operator(settings)))["items"]
    return Offices(
        units={item["unit"]: Unit(item["unit"], item["kind"], item["name"], item["parent"]) for item in items},
        posts={
            item["unit"]: {
                post["post"].partition("@")[0]: Post(
                    post["post"].partition("@")[0],
                    post["title"],
                    frozenset(post["roles"]),
                    post["head"],
                    tuple(post["members"]),
                    post["duty_post"],
                    tuple(post["serves"]),
                )
                for post in item["posts"]
            }
            for item in items
        },
    )


async def revoke_token(settings: Settings, named: str) -> str:
    """Ends a staff token, by its id or by the token itself. Returns the id. Raises `Refused`."""
    _must_exist(settings)
    id_ = _id_of(settings, named) if named.startswith(ENCODED) else named
    async with api(settings, "triage") as triage:
        await ask(triage, "POST", f"/triage/v1/tokens/{quote(id_, safe='')}/revoke", operator(settings))
    return id_


def _id_of(settings: Settings, token: str) -> str:
    """The id of a token that is valid now."""
    try:
        return tokens.read(token, signing.public_keys(settings), settings.deployment, datetime.now(UTC)).jti
    except Unauthenticated as problem:
        raise Refused(f"{problem.detail.partition(';')[0]}; there is nothing to revoke") from None


async def make_key(settings: Settings, unit: str, scope: str, name: str | None) -> dict[str, str]:
    """A new key for an integration of this unit: `key`, `id`, `integration`, `name`."""
    async with api(settings, "ingest") as ingest:
        body = {"unit": unit, "scope": scope, "name": name}
        made: dict[str, str] = await ask(ingest, "POST", "/ingest/v1/keys", operator(settings), json=body)
        return made


async def list_keys(settings: Settings) -> list[dict[str, Any]]:
    """Every key, oldest first, without the key itself."""
    _must_exist(settings)
    async with api(settings, "ingest") as ingest:
        return [key async for page in pages(ingest, "/ingest/v1/keys", operator(settings)) for key in page["items"]]


async def revoke_key(settings: Settings, id_: str) -> None:
    """Ends a key by its id."""
    _must_exist(settings)
    async with api(settings, "ingest") as ingest:
        await ask(ingest, "POST", f"/ingest/v1/keys/{quote(id_, safe='')}/revoke", operator(settings))


async def revoke_again(system: "Embedded") -> list[str]:
    """Ends keys and tokens again that were revoked before a restore and are valid after it. Returns their ids."""
    from services.apps import operate
    from services.audit.log import keys as of_log
    from services.publish.verifying import keys as of_statements
    from services.publish.verifying import post_keys as of_posts

    data = system.settings.data
    if (known := to_revoke(data)) is None:
        return []
    lost = Revoked(*(before - now for before, now in zip(known, revoked(data), strict=True)))
    own, valid = operator(system.settings), set[str]()
    async with system.client() as client:
        async for page in pages(client, "/ingest/v1/keys", own):
            valid |= {key["id"] for key in page["items"]}
        # A key that was made after the backup is unknown now.
        paths = {key: f"/ingest/v1/keys/{key}/revoke" for key in sorted(lost.keys & valid)}
        paths |= {token: f"/triage/v1/tokens/{token}/revoke" for token in sorted(lost.tokens)}
        for path in paths.values():
            await ask(client, "POST", path, own)
    publish, audit, by = system.runtimes["publish"], system.runtimes["audit"], Caller(actor=operate.OPERATOR)
    why = "revoked before the restore"
    # A key of a post, the bulletin or the log is unknown for the same reason, and counts for nothing anyway.
    for kid in sorted(lost.statement_keys):
        with suppress(NotFound):
            await of_statements.revoke(publish, by, kid, why)
    for kid in sorted(lost.post_keys):
        with suppress(NotFound):
            await of_posts.revoke(publish, by, kid, why)
    for key in sorted(lost.log_keys):
        with suppress(NotFound):
            await of_log.revoke(audit, by, key, why)
    await system.settle()
    (data / REVOKED).unlink()
    return [*paths, *sorted(lost.statement_keys), *sorted(lost.post_keys), *sorted(lost.log_keys)]


async def statement_keys(settings: Settings) -> list[dict[str, Any]]:
    """Every key of the bulletin, oldest first."""
    from services.apps import operate
    from services.publish.verifying import keys

    async with operate.stores(settings) as found, found.runtimes["publish"].database.read() as connection:
        return await keys.every(connection)


async def rotate_statement_key(settings: Settings) -> str:
    """Makes a new key of the bulletin. Returns its id."""
    from services.apps import operate
    from services.publish.verifying import keys

    async with operate.stores(settings) as found:
        return await keys.rotate(found.runtimes["publish"], Caller(actor=operate.OPERATOR))


async def revoke_statement_key(settings: Settings, kid: str, reason: str) -> None:
    """Ends a key of the bulletin. Raises `NotFound`."""
    from services.apps import operate
    from services.publish.verifying import keys

    async with operate.stores(settings) as found:
        await keys.revoke(found.runtimes["publish"], Caller(actor=operate.OPERATOR), kid, reason)


async def post_keys(settings: Settings, post: str | None = None) -> list[dict[str, Any]]:
    """Every key of posts, or of one post, oldest first."""
    from services.apps import operate
    from services.publish.verifying import post_keys

    async with operate.stores(settings) as found:
        return [one for one in await post_keys.every(found.runtimes["publish"]) if post in (None, one["post"])]


async def create_post_key(settings: Settings, post: str, *, anew: bool = False) -> str:
    """Makes a key of a post if it has none, or `anew`. Returns the id of the one that signs. Raises `Malformed`."""
    from services.apps import operate
    from services.publish.verifying import post_keys

    make = post_keys.rotate if anew else post_keys.create
    async with operate.stores(settings) as found:
        return await make(found.runtimes["publish"], Caller(actor=operate.OPERATOR), post)


async def revoke_post_key(settings: Settings, kid: str, reason: str, post: str | None = None) -> None:
    """Ends a key of a post. Raises `NotFound`."""
    from services.apps import operate
    from services.publish.verifying import post_keys

    async with operate.stores(settings) as found:
        await post_keys.revoke(found.runtimes["publish"], Caller(actor=operate.OPERATOR), kid, reason, post)


async def log_keys(settings: Settings) -> list[dict[str, Any]]:
    """Every key of the log and of the witness, oldest first."""
    from services.apps import operate
    from services.audit.log import keys

    async with operate.stores(settings) as found, found.runtimes["audit"].database.read() as connection:
        return await keys.every(connection)


async def as_peer(settings: Settings) -> dict[str, Any]:
    """The entry of this deployment for the lists of others, without what each of them decides by itself."""
    rows = await log_keys(settings)
    public = Signing(Keys(deployment_secret(settings)), settings.message_key).public
    titled = {"title": settings.deployment, "title_en": settings.deployment}
    return {
        "name": settings.deployment,
        **titled,
        "address": settings.public_url.rstrip("/"),
        "log": [str(row["vkey"]) for row in rows if row["use"] == "log" and row["revoked_at"] is None],
        "keys": [public],
    }


async def rotate_log_key(settings: Settings, use: Literal["log", "witness"]) -> str:
    """Makes a new key of the log or of the witness. Returns it as others write it down."""
    from services.apps import operate
    from services.audit.log import keys

    async with operate.stores(settings) as found:
        return await keys.rotate(found.runtimes["audit"], Caller(actor=operate.OPERATOR), use)


async def revoke_log_key(settings: Settings, vkey: str, reason: str) -> None:
    """Ends a key of the log or of the witness. Raises `NotFound`."""
    from services.apps import operate
    from services.audit.log import keys

    async with operate.stores(settings) as found:
        await keys.revoke(found.runtimes["audit"], Caller(actor=operate.OPERATOR), vkey, reason)


async def witness_log(settings: Settings, vkeys: Sequence[str]) -> tuple[str, str]:
    """Makes this deployment a witness for the log with these keys. Returns where and under which key it cosigns.

    Raises `Refused`.
    """
    from services.apps import operate
    from services.audit.log import keys, witnessing
    from services.kernel import tlog
    from services.kernel.tlog.note import ED25519, Verifier

    try:
        known = [Verifier.parse(vkey) for vkey in vkeys]
    except tlog.Refused as refused:
        raise Refused(f"this is no key of a log: {refused}") from None
    if len({one.name for one in known}) != 1 or any(one.kind != ED25519 for one in known):
        raise Refused("give keys of one log, as its `huiying keys log list` says them")
    async with operate.stores(settings) as found:
        audit = found.runtimes["audit"]
        public = tuple(one.public.hex() for one in known)
        await witnessing.know(audit, Caller(actor=operate.OPERATOR), known[0].name, public)
        async with audit.database.read() as connection:
            own = await keys.believed(connection, "witness")
    return settings.link("witness"), own[-1].vkey


async def witnessed_logs(settings: Settings) -> list[dict[str, Any]]:
    """The logs that this deployment cosigns."""
    from services.apps import operate
    from services.audit.log import witnessing

    async with operate.stores(settings) as found, found.runtimes["audit"].database.read() as connection:
        return await witnessing.known(connection)


async def drop_log(settings: Settings, origin: str) -> None:
    """Ends being a witness for a log. Raises `Refused`."""
    from services.apps import operate
    from services.audit.log import witnessing

    async with operate.stores(settings) as found:
        audit = found.runtimes["audit"]
        async with audit.database.read() as connection:
            known = {row["origin"] for row in await witnessing.known(connection)}
        if origin not in known:
            raise Refused(f"this deployment is no witness of {origin}; `huiying witness list` shows of which it is")
        await witnessing.know(audit, Caller(actor=operate.OPERATOR), origin, ())


def rotate(settings: Settings, *, if_none: bool = False) -> str:
    """Makes a new signing key; with `if_none`, only if there is none. Returns the public keys."""
    _must_exist(settings)
    path = signing.key_set_file(settings)
    return path.read_text() if if_none and path.exists() else signing.rotate(settings)


def _signing_key(settings: Settings) -> SigningKey:
    _must_exist(settings)
    return SigningKey.read(signing.signing_key_file(settings))


def _must_exist(settings: Settings) -> None:
    if settings.embedded and not (settings.data / "triage.sqlite").exists():
        raise Refused(f"{settings.data} holds no data; start with `huiying up --data {settings.data}`")
