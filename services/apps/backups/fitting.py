"""Whether a backup is of the deployment over whose data it is to be put."""

from collections.abc import Mapping
from typing import Any

from services.apps.backups import BackupError
from services.apps.backups.held import Held
from services.kernel.access.keys import SECRET_FILE
from services.kernel.settings import Settings

NAMES = ("deployment", "prefix", "partitions")
"""What a backup says of its deployment, as settings name it."""


def told(settings: Settings) -> dict[str, Any]:
    """What a deployment says of itself in a backup."""
    return {name: getattr(settings, name) for name in NAMES}


def must_fit(held: Held, ours: Mapping[str, Any], secret: bytes | None = None, over: str | None = None) -> bool:
    """Whether the backup is of the deployment whose data it would replace.

    `secret` is the one beside the data. `over` is the name of the deployment whose data may go. Raises `BackupError` if
    the backup is of another one and it may not.
    """
    theirs = {name: held.told[name] for name in NAMES if name in held.told and name in ours}
    differ = [f"{name} {value!r} instead of {ours[name]!r}" for name, value in theirs.items() if value != ours[name]]
    if secret is not None and SECRET_FILE in held and held.content(SECRET_FILE).strip() != secret.strip():
        differ.append("another secret")
    name = ours.get("deployment", "")
    if not differ or (over is not None and over == name):
        return not differ
    raise BackupError(
        f"{held.folder} is of another deployment: it has {', '.join(differ)}. Name another folder or other databases, "
        f"set HUIYING_DEPLOYMENT, HUIYING_PREFIX and HUIYING_PARTITIONS as they were, or say --over {name or 'NAME'} "
        "if all data that is here may go. Nothing was restored"
    )


def must_be_named(held: Held, settings: Settings) -> None:
    """Raises `BackupError` if settings name a deployment, and the backup is of another one.

    For a machine on which nothing is yet: there is no data that could say whose it is.
    """
    name = held.told.get("deployment", settings.deployment)
    if "deployment" in settings.model_fields_set and name != settings.deployment:
        raise BackupError(
            f"{held.folder} is of the deployment {name!r}, and HUIYING_DEPLOYMENT says {settings.deployment!r}. Take "
            f"another backup, set HUIYING_DEPLOYMENT to {name!r}, or say --over {settings.deployment} if its data is "
            "to stand here under the other name. Nothing was restored"
        )


def secret_at_hand(settings: Settings) -> bytes | None:
    """The deployment's secret, where a setting or the data folder has it."""
    path = settings.data / SECRET_FILE
    if given := settings.secret.get_secret_value().strip():
        return given.encode()
    return path.read_bytes().strip() if settings.embedded and path.exists() else None


def must_be_made_here(held: Held, secret: bytes | None) -> None:
    """Raises `BackupError` if a deployment with another secret made the backup, or if somebody altered its manifest.

    Without a secret at hand, that of the backup must at least agree with it.
    """
    known = secret or (held.content(SECRET_FILE) if SECRET_FILE in held else None)
    if known is not None and not held.is_made_under(known):
        raise BackupError(
            f"{held.folder} was not made by this deployment, or somebody altered it: its manifest is not sealed under "
            "the deployment's secret. Take another backup. Nothing was restored"
        )
