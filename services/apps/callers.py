"""The commands on callers: `huiying keys` for integrations, and `huiying users` for staff."""

from typing import Annotated

import typer

from services.apps.terminal import ROLES, Data, Json, Unit, group, listed, note, quiet, run, say, settings_of

keys = group("Keys of integrations, of posts, of the log, and the bulletin's own.")
bulletin = group("The keys with which the bulletin signs statements.")
keys.add_typer(bulletin, name="bulletin")
posts = group("The keys with which posts sign what they decide on statements.")
keys.add_typer(posts, name="post")
log = group("The keys with which the log of all events is signed, and that of the witness.")
keys.add_typer(log, name="log")
witness = group("This deployment as a witness of other logs: it cosigns what only grows.")
users = group("Tokens of staff, and the keys that sign them.")


@keys.command("create")
def keys_create(
    unit: Unit,
    scope: Annotated[str, typer.Option(help="The purpose of the key.")] = "ingest",
    name: Annotated[
        str | None,
        typer.Option(help="The integration. A second key with the same name belongs to the same integration."),
    ] = None,
    data: Data = None,
) -> None:
    """Make a key for an integration.

    Prints the key, with its id on standard error. Only a digest of the key is kept.
    """
    from services.apps import access

    made = run(access.make_key(quiet(settings_of(data)), unit, scope, name))
    say(made["key"])
    note(f"to end it: huiying keys revoke {made['id']}")


@keys.command("list")
def keys_list(as_json: Json = False, data: Data = None) -> None:
    """List every key: id, unit, integration, times of making and revoking. It never shows the key itself."""
    from services.apps import access

    columns = ("id", "unit", "name", "scope", "made_at", "revoked_at")
    rows = run(access.list_keys(quiet(settings_of(data))))
    listed([{column: row[column] or None for column in columns} for row in rows], as_json)
    note(f"{len(rows)} keys")


@keys.command("revoke")
def keys_revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id, see `keys list`.")], data: Data = None
) -> None:
    """End a key. Nobody needs the key itself for this."""
    from services.apps import access

    run(access.revoke_key(quiet(settings_of(data)), id_))
    say(f"{id_} was revoked")


@bulletin.command("list")
def bulletin_list(as_json: Json = False, data: Data = None) -> None:
    """List every key that signs or signed statements: id, times of making and revoking."""
    from services.apps import access

    rows = run(access.statement_keys(quiet(settings_of(data))))
    listed([{name: row[name] for name in ("kid", "made_at", "revoked_at")} for row in rows], as_json)
    note(f"{len(rows)} keys; statements are signed by the newest that was not revoked")


@bulletin.command("rotate")
def bulletin_rotate(data: Data = None) -> None:
    """Make a new key that signs statements from now on. Prints its id. What former keys signed stays valid."""
    from services.apps import access

    say(run(access.rotate_statement_key(quiet(settings_of(data)))))


@bulletin.command("revoke")
def bulletin_revoke(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id, see `keys bulletin list`.")],
    reason: Annotated[str, typer.Option(help="The reason. It becomes part of the record.")],
    data: Data = None,
) -> None:
    """End a key: what it signed counts for nothing. Statements are signed by another one at once."""
    from services.apps import access

    run(access.revoke_statement_key(quiet(settings_of(data)), kid, reason))
    say(f"{kid} was revoked")


@log.command("list")
def log_list(as_json: Json = False, data: Data = None) -> None:
    """List every key of the log and of the witness: key, use, times of making and revoking."""
    from services.apps import access

    rows = run(access.log_keys(quiet(settings_of(data))))
    listed([{name: row[name] for name in ("vkey", "use", "made_at", "revoked_at")} for row in rows], as_json)
    note(f"{len(rows)} keys; give them to whoever checks the log")


Witness = Annotated[bool, typer.Option("--witness", help="The key with which this deployment cosigns other logs.")]


@log.command("rotate")
def log_rotate(witness: Witness = False, data: Data = None) -> None:
    """Make a new key that signs checkpoints from now on. Prints it. One checkpoint more carries both keys."""
    from services.apps import access

    say(run(access.rotate_log_key(quiet(settings_of(data)), "witness" if witness else "log")))


@log.command("revoke")
def log_revoke(
    vkey: Annotated[str, typer.Argument(metavar="KEY", help="The key, see `keys log list`.")],
    reason: Annotated[str, typer.Option(help="The reason. It becomes part of the record.")],
    data: Data = None,
) -> None:
    """End a key: its signatures count for nothing. The newest checkpoint is signed anew with another key."""
    from services.apps import access

    run(access.revoke_log_key(quiet(settings_of(data)), vkey, reason))
    say(f"{vkey} was revoked")


@witness.command("add")
def witness_add(
    vkeys: Annotated[
        list[str], typer.Argument(metavar="KEY...", help="The keys of the log, as its `keys log list` says.")
    ],
    data: Data = None,
) -> None:
    """Become a witness for the log of another deployment. Prints what it needs: the address and the key of this one."""
    from services.apps import access

    settings = quiet(settings_of(data))
    address, key = run(access.witness_log(settings, vkeys))
    say(f"{address} {key}")
    note("the other deployment adds this line to HUIYING_WITNESSES")
    if "public_url" not in settings.model_fields_set:
        note(
            "HUIYING_PUBLIC_URL is not set, so the line has an address of this machine alone: set it to the address "
            "under which others reach this deployment, and run the command again"
        )


@witness.command("list")
def witness_list(as_json: Json = False, data: Data = None) -> None:
    """List the logs that this deployment cosigns: origin, and the size that it cosigned last."""
    from services.apps import access

    rows = run(access.witnessed_logs(quiet(settings_of(data))))
    listed([{name: row[name] for name in ("origin", "size", "root")} for row in rows], as_json)
    note(f"{len(rows)} logs")


@witness.command("drop")
def witness_drop(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="The log, see `witness list`.")], data: Data = None
) -> None:
    """Be no witness of a log any more. What was cosigned stays known."""
    from services.apps import access

    run(access.drop_log(quiet(settings_of(data)), origin))
    say(f"{origin} is cosigned no more")


Post = Annotated[str, typer.Option("--post", help="The post, for example chief@county.")]


@posts.command("create")
def posts_create(post: Post, data: Data = None) -> None:
    """Make a post's key before its first decision. Prints its id, or that of the key that it has."""
    from services.apps import access

    say(run(access.create_post_key(quiet(settings_of(data)), post)))


@posts.command("list")
def posts_list(
    post: Annotated[str | None, typer.Option("--post", help="Only this post.")] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """List every key that signs or signed for posts: id, post, public key, times of making and revoking, whether it
    signs now.
    """
    from services.apps import access

    rows = run(access.post_keys(quiet(settings_of(data)), post))
    listed(rows, as_json)
    note(f"{len(rows)} keys; the last column says whether the post signs with it now")


@posts.command("rotate")
def posts_rotate(post: Post, data: Data = None) -> None:
    """Make a new key that signs for a post from now on. Prints its id. What former keys signed stays valid."""
    from services.apps import access

    say(run(access.create_post_key(quiet(settings_of(data)), post, anew=True)))


@posts.command("revoke")
def posts_revoke(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id, see `keys post list`.")],
    post: Post,
    reason: Annotated[str, typer.Option(help="The reason. It becomes part of the record.")],
    data: Data = None,
) -> None:
    """End a key from now on. What it signed before stays valid, and the post's next decision makes another one."""
    from services.apps import access

    run(access.revoke_post_key(quiet(settings_of(data)), kid, reason, post))
    say(f"{kid} was revoked")


@users.command("token")
def users_token(
    unit: Unit,
    person: Annotated[
        str, typer.Option(help="The person who signs in. It tells two people apart, and is never stored.")
    ],
    role: Annotated[
        list[str] | None, typer.Option("--role", help=f"A role. You may repeat the option. Roles: {ROLES}.")
    ] = None,
    post: Annotated[
        str | None, typer.Option(help="A post of the unit.", show_default="the post of the first role")
    ] = None,
    data: Data = None,
) -> None:
    """Make a staff token for a working day. Prints the token, with its id on standard error."""
    from services.apps import access

    token, said = run(access.staff_token(quiet(settings_of(data)), unit, role or [], person, post))
    say(token)
    note(f"{said.post}@{said.unit}, for 12 hours; to end it before: huiying users revoke {said.jti}")


@users.command("revoke")
def users_revoke(
    named: Annotated[str, typer.Argument(metavar="ID", help="The token's id, or the token itself.")], data: Data = None
) -> None:
    """End a staff token before its time. Every service follows within seconds."""
    from services.apps import access

    say(f"{run(access.revoke_token(quiet(settings_of(data)), named))} was revoked")


@users.command("rotate")
def users_rotate(
    if_none: Annotated[bool, typer.Option("--if-none", help="Only if there is no key yet.")] = False,
    data: Data = None,
) -> None:
    """Make a new signing key. Prints the public keys for the services (HUIYING_TOKEN_KEYS).

    Tokens of the former key stay valid until they expire, or until its key is dropped.
    """
    from services.apps import access
    from services.kernel.access import signing

    settings = quiet(settings_of(data))
    say(access.rotate(settings, if_none=if_none))
    note(f"signing key in {signing.signing_key_file(settings)}, public keys in {signing.key_set_file(settings)}")


@users.command("drop")
def users_drop(
    kid: Annotated[str, typer.Argument(help="The key's id: its `kid` in the public keys.")],
    data: Data = None,
) -> None:
    """End all tokens of one signing key. Prints the public keys that are left."""
    from services.kernel.access import signing

    say(signing.drop(quiet(settings_of(data)), kid))
