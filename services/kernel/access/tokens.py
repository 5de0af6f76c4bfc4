"""Staff tokens: JSON Web Tokens, signed with Ed25519. Their claims, and the actor behind them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

import jwt
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from schemas.fields import PostCode, UnitCode, Uuid
from schemas.offices import Role
from services.kernel.access.integrations import PREFIX
from services.kernel.access.signing import ALGORITHM, PublicKeys, SigningKey
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Unauthenticated
from services.kernel.core.units import Offices
from services.kernel.core.uuid7 import uuid7

LIFE = timedelta(hours=12)
LONGEST = timedelta(hours=24)
"""The longest life of a token. A token that lives longer is refused."""
AHEAD = timedelta(seconds=60)
"""How far the issuer's clock may be ahead."""
MAX_LENGTH = 4096
OPERATOR = "operator"
"""The operator of the deployment, at the command line. It is no post of an office."""


class Claims(BaseModel):
    """The claims of a token: who acts, for which post of which unit, from when until when. Times are seconds, UTC.

    A token without a unit belongs to the operator, who holds the signing key.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    jti: Uuid
    """The token's id, by which it is revoked."""
    iss: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """The deployment."""
    sub: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """The person; tells two people apart, and is never stored."""
    unit: UnitCode | None = None
    post: PostCode
    roles: tuple[Role, ...] | None = None
    """The roles with which the person acts; without them, those that the post has at the moment of each request."""
    iat: int
    exp: int

    @model_validator(mode="after")
    def _names_a_unit(self) -> Self:
        if (self.unit is None) != (self.post == OPERATOR):
            raise ValueError("name the unit of the post; only the operator's token has no unit")
        return self


def claims(
    deployment: str, *, person: str, unit: str | None = None, post: str = OPERATOR,
    roles: Iterable[str] | None = None, life: timedelta = LIFE,
) -> Claims:  # fmt: skip
    """The claims of a token that begins now. Raises `ValueError` with the fault."""
    now = datetime.now(UTC)
    named = None if roles is None else tuple(roles)
    said = {"unit": unit, "post": post, "roles": named, "sub": person, "iss": deployment, "jti": uuid7()}
    try:
        return Claims(**said, iat=int(now.timestamp()), exp=int((now + life).timestamp()))  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the token"
        raise ValueError(f"{place} cannot be {first['input']!r}: {first['msg']}") from None


def actor(claims: Claims, offices: Offices) -> Actor:
    """The actor of a token. Raises `Unauthenticated` if the directory does not have the post now.

    A token never gives more than the directory. If no post of the unit has a role any more, the token does not give it
    either.
    """
    offices.known()
    if claims.unit is None:
        return Actor(OPERATOR, offices.root, frozenset({"admin", "auditor"}), claims.sub)
    post = offices.posts.get(claims.unit, {}).get(claims.post)
    if post is None or post.members:
        raise Unauthenticated(
            f"{claims.unit} has no post {claims.post} now; sign in again for one that it has",
            code="token-without-post",
            unit=claims.unit,
            post=claims.post,
        )
    roles = post.roles if claims.roles is None else offices.roles_in(claims.unit).intersection(claims.roles)
    return Actor(f"{post.code}@{claims.unit}", claims.unit, roles, claims.sub)


def sign(key: SigningKey, said: Claims) -> str:
    """The token."""
    return key.sign(said.model_dump(exclude_none=True))


def read(token: str, keys: PublicKeys, deployment: str, now: datetime) -> Claims:
    """The claims of a token. Raises `Unauthenticated` unless one of these keys signed it for this deployment."""
    if token.startswith(PREFIX):
        raise Unauthenticated("this is the key of a system; here a person's token is needed", code="key-not-taken")
    invalid = Unauthenticated("the token is not valid here; sign in again", code="token-invalid")
    if len(token) > MAX_LENGTH:
        raise invalid
    try:
        key = keys.find(str(jwt.get_unverified_header(token).get("kid")))
        if key is None:
            raise invalid
        claims = Claims.model_validate_json(jwt.PyJWS([ALGORITHM]).decode(token, key, [ALGORITHM]))
    except (jwt.InvalidTokenError, ValidationError, RecursionError, UnicodeError):
        raise invalid from None
    issued, expires = claims.iat, claims.exp
    if claims.iss != deployment or expires - issued > LONGEST.total_seconds():
        raise invalid
    if issued > (now + AHEAD).timestamp():
        raise Unauthenticated(
            "the token begins in the future; set the clocks right and sign in again", code="token-early"
        )
    if expires <= now.timestamp():
        raise Unauthenticated("the token has expired; sign in again", code="token-expired")
    return claims
