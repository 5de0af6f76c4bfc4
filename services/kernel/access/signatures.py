"""Checks what events claim against the keys of posts, as the offices have them. Pure; every service checks the same."""

import hmac
from collections.abc import Callable, Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.approval import Step
from schemas.claims import Agreed, Claims, Signed
from schemas.envelope import Event
from schemas.operation import OperationPostKeyMade, OperationPostKeyRevoked
from services.kernel.core.units import Offices, PostKey
from services.kernel.rules.approval import Agreement, Course, Referral, chains, fixed

ClaimsOf = Callable[[Event], Claims | None]
Keyed = Callable[..., str]
"""Gives the digest of a use and of texts under the deployment's secret."""
Signatures = Mapping[str, ClaimsOf]
"""Kind of stream -> how its events are read. A service declares it for the streams whose decisions posts sign."""


class Unproven(Exception):
    """The event does not prove what it says. The sentence says why."""


class Awaited(Exception):
    """Something has not come by which the event is checked: a key, or a pack. The sentence says which."""


class PackAwaited(Awaited):
    """The pack has not come. All else is proven."""


def prove(claims: Claims, event: Event, offices: Offices) -> None:
    """Raises `Unproven`, or `Awaited` if it cannot be told yet."""
    if claims.fault:
        raise Unproven(claims.fault)
    if not claims.signed:
        must_be_early(event, offices)
    for one in claims.signed:
        must_hold(one, offices)
    if claims.agreed is not None:
        must_be_whole(claims.agreed)
        must_be_apart(claims.agreed)
        must_be_a_chain(claims.agreed, event, offices)


def sealed(
    data: OperationPostKeyMade | OperationPostKeyRevoked, at: str, keyed: Keyed
) -> OperationPostKeyMade | OperationPostKeyRevoked:
    """The event that makes or ends a key of a post at an instant, with its seal."""
    return data.model_copy(update={"seal": _seal(data, at, keyed)})


def must_be_sealed(event: Event, keyed: Keyed) -> None:
    """A key of a post is made and ended by who has the deployment's secret, not by everybody who writes to topics."""
    data = event.data
    if data.seal is None or not hmac.compare_digest(data.seal, _seal(data, event.time_text, keyed)):
        raise Unproven(f"nobody with this deployment's secret said this of the key {data.key}")


def _seal(data: OperationPostKeyMade | OperationPostKeyRevoked, at: str, keyed: Keyed) -> str:
    what = ("made", data.post, data.public) if isinstance(data, OperationPostKeyMade) else ("revoked",)
    return keyed("post-key-event", data.key, at, *what)


def must_be_early(event: Event, offices: Offices) -> None:
    """An event that nobody signed counts only if it was recorded before the first key of a post."""
    since = offices.signed_since
    if since is not None and event.recorded > since:
        raise Unproven(f"nobody signed it, and posts of this deployment sign since {since.isoformat()}")


def must_hold(one: Signed, offices: Offices) -> None:
    """Raises `Unproven` unless the key is the post's, had not ended by then, and signed exactly this."""
    key = offices.post_keys.get(one.key)
    if key is None:
        raise Awaited(f"the key {one.key} of {one.post} signed {one.what}, and it has not come")
    if not belongs(key, one):
        raise Unproven(f"the key of {key.post} signed {one.what}")
    if had_ended(key, one):
        raise Unproven(f"the key {one.key} had been revoked when it signed {one.what}")
    if not verifies(key, one):
        raise Unproven(f"{one.what} is not what {one.post} signed: the signature is over something else")


def belongs(key: PostKey, one: Signed) -> bool:
    """Whether it is a key of the post that signed."""
    return key.post == one.post


def had_ended(key: PostKey, one: Signed) -> bool:
    """Whether the key was revoked by then."""
    return key.revoked_at is not None and one.at >= key.revoked_at


def verifies(key: PostKey, one: Signed) -> bool:
    """Whether the key made the signature over this content."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public))
        public.verify(bytes.fromhex(one.value), one.content)
    except InvalidSignature:
        return False
    return True


def must_be_a_chain(said: Agreed, event: Event, offices: Offices) -> None:
    """No step of a chain was left out of the pack under which it was published.

    For a matter, single posts may be fixed in place of a step's, and further steps after it.
    """
    if event.policy is None:
        raise Unproven("it names no pack, so nobody can tell who had to agree")
    pack = offices.packs.get(event.policy)
    if pack is None:
        raise PackAwaited(f"the pack {event.policy} says who agrees, and it has not come")
    # A pack without chains for it asks for no approval.
    asked = [fixed(chain) for chain in chains(pack, said.of)] or [()]
    if not any(_follows(said.steps, steps) for steps in asked):
        raise Unproven(f"its steps are no chain of {pack.name}")


def _follows(steps: Sequence[Step], chain: Sequence[Step]) -> bool:
    return len(steps) >= len(chain) and all(
        (step.code, step.needs, step.quorum) == (of.code, of.needs, of.quorum)
        and (step.who == of.who or len(step.who) == 1)
        for step, of in zip(steps, chain, strict=False)
    )


def must_be_whole(said: Agreed) -> None:
    """Every step has the agreements that it needs."""
    course = Course(steps=said.steps)
    for one in said.answers:
        if one.to is None:
            course = course.with_agreement(Agreement(step=one.step, who=one.who, by=one.by))
        else:
            course = course.with_referral(Referral(step=one.step, who=one.who, to=one.to, by=one.by))
    if course.due is not None:
        raise Unproven(f"the step {course.due.step} lacks the agreement of {' or '.join(course.due.who)}")


def must_be_apart(said: Agreed) -> None:
    """Where the pack keeps persons apart, nobody agreed who wrote it, and nobody twice."""
    persons = [one.by for one in said.answers]
    if said.barred is not None and (len(set(persons)) < len(persons) or not said.barred.isdisjoint(persons)):
        raise Unproven("one person did two things that the pack keeps apart")
