"""Who asks: short-lived signed tokens for staff, hashed keys for integrations. No account of the public exists."""

import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from services.kernel.core.decider import ROLES, Actor
from services.kernel.core.problems import Unauthenticated
from services.kernel.settings import Settings

ALGORITHM = "HS256"
AUDIENCE = "huiying"
TOKEN_LIFE = timedelta(hours=12)
MIN_SECRET = 32
_UNIT = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_POST = re.compile(r"[a-z_]{1,60}@[a-z0-9-]{1,64}")
"""A post, so that no person's name gets into an event as `actor`."""


def deployment_secret(settings: Settings) -> bytes:
    """The key of tokens and digests. Embedded, it is made once in the data folder, readable by the owner alone."""
    given = settings.secret.get_secret_value()
    if given:
        if len(given) < MIN_SECRET:
            raise ValueError(f"HUIYING_SECRET has {len(given)} characters; it needs at least {MIN_SECRET}")
        return given.encode()
    if not settings.embedded:
        raise ValueError(f"set HUIYING_SECRET to at least {MIN_SECRET} random characters, the same for every service")
    path: Path = settings.data / "secret"
    if not path.exists():
        settings.data.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip().encode()


def staff_token(
    secret: bytes, *, unit: str, roles: tuple[str, ...], person: str, post: str = "", life: timedelta = TOKEN_LIFE
) -> str:
    """A token for a post. `person` only keeps two people apart where duties are separated; it is never stored."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise ValueError(f"no such role: {', '.join(unknown) or '(none given)'}; roles are {', '.join(ROLES)}")
    if not _UNIT.fullmatch(unit):
        raise ValueError(f"{unit!r} is no unit's code")
    now = datetime.now(UTC)
    claims = {
        "aud": AUDIENCE,
        "sub": person,
        "post": post or f"{roles[0]}@{unit}",
        "unit": unit,
        "roles": list(roles),
        "iat": now,
        "exp": now + life,
    }
    return jwt.encode(claims, secret, ALGORITHM)


def staff_of(secret: bytes, token: str) -> Actor:
    """The post that a token names. Raises `Unauthenticated`."""
    try:
        claims = jwt.decode(
            token, secret, [ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "sub", "unit", "roles", "post"]}
        )
        post, unit = str(claims["post"]), str(claims["unit"])
        if not (_POST.fullmatch(post) and _UNIT.fullmatch(unit)):
            raise Unauthenticated(
                "the token names no post like duty_officer@town-east; sign in again", code="token-without-post"
            )
        return Actor(post, unit, frozenset(map(str, claims["roles"])), str(claims["sub"]))
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("the token has expired; sign in again", code="token-expired") from None
    except jwt.InvalidTokenError:
        raise Unauthenticated("the token is not valid here; sign in again", code="token-invalid") from None


def new_key() -> str:
    """A new key for an integration; only its digest is kept."""
    return "hy_" + secrets.token_urlsafe(32)


def key_digest(key: str) -> str:
    """What is stored of a key. Keys are random and long, so a plain digest is enough."""
    return hashlib.sha256(key.encode()).hexdigest()
