"""The commands for those who call: `huiying keys` of integrations, and `huiying users` of staff."""

from typing import Annotated

import typer

from services.apps.terminal import ROLES, Data, Json, Unit, group, listed, note, quiet, run, say, settings_of

keys = group("Keys of integrations.")
users = group("Tokens of staff, and the keys that sign them.")


@keys.command("create")
def keys_create(
    unit: Unit,
    scope: Annotated[str, typer.Option(help="What the key is for.")] = "ingest",
    name: Annotated[
        str | None,
        typer.Option(help="The integration; a further key of the same name is one of the same integration."),
    ] = None,
    data: Data = None,
) -> None:
    """Make a key for an integration; prints the key alone, and its id beside it. Only its digest is kept."""
    from services.apps import access

    made = run(access.make_key(quiet(settings_of(data)), unit, scope, name))
    say(made["key"])
    note(f"to end it: huiying keys revoke {made['id']}")


@keys.command("list")
def keys_list(as_json: Json = False, data: Data = None) -> None:
    """Every key with its id, unit, integration, when it was made and revoked; never the key itself."""
    from services.apps import access

    columns = ("id", "unit", "name", "scope", "made_at", "revoked_at")
    rows = run(access.list_keys(quiet(settings_of(data))))
    listed([{column: row[column] or None for column in columns} for row in rows], as_json)
    note(f"{len(rows)} keys")


@keys.command("revoke")
def keys_revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")], data: Data = None
) -> None:
    """End a key; nobody needs to know the key itself."""
    from services.apps import access

    run(access.revoke_key(quiet(settings_of(data)), id_))
    say(f"{id_} was revoked")


@users.command("token")
def users_token(
    unit: Unit,
    person: Annotated[str, typer.Option(help="Who signs in: keeps two people apart, and is never stored.")],
    role: Annotated[list[str] | None, typer.Option("--role", help=f"A role, may be given again: {ROLES}.")] = None,
    post: Annotated[
        str | None, typer.Option(help="A post of the unit.", show_default="the post of the first role")
    ] = None,
    data: Data = None,
) -> None:
    """Make a staff token for a working day; prints the token alone, and its id beside it."""
    from services.apps import access

    token, said = run(access.staff_token(quiet(settings_of(data)), unit, role or [], person, post))
    say(token)
    note(f"{said.post}@{said.unit}, for 12 hours; to end it before: huiying users revoke {said.jti}")


@users.command("revoke")
def users_revoke(
    named: Annotated[str, typer.Argument(metavar="ID", help="The token's id, or the token itself.")], data: Data = None
) -> None:
    """End a staff token before its time; every service follows within seconds."""
    from services.apps import access

    say(f"{run(access.revoke_token(quiet(settings_of(data)), named))} was revoked")


@users.command("rotate")
def users_rotate(
    if_none: Annotated[bool, typer.Option("--if-none", help="Only where there is no key yet.")] = False,
    data: Data = None,
) -> None:
    """Make a new signing key; prints the public keys that services are to believe (HUIYING_TOKEN_KEYS).

    Tokens of the former key stay valid until they expire, or until its key is dropped.
    """
    from services.apps import access
    from services.kernel.access import signing

    settings = quiet(settings_of(data))
    say(access.rotate(settings, if_none=if_none))
    note(f"signing key in {signing.signing_key_file(settings)}, public keys in {signing.key_set_file(settings)}")


@users.command("drop")
def users_drop(
    kid: Annotated[str, typer.Argument(help="The key's id, as its `kid` in the public keys says it.")],
    data: Data = None,
) -> None:
    """End all tokens of one signing key; prints the public keys that are left."""
    from services.kernel.access import signing

    say(signing.drop(quiet(settings_of(data)), kid))
