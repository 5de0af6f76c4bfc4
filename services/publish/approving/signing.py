"""Signs decisions on a statement with the key of the post that decides. Pure: the key comes with `ctx.seen`.

`docs/adr/0048-posts-sign.md` says what is signed, and what that proves.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas import deeds
from schemas.catalogue import type_of
from schemas.envelope import Event
from schemas.fields import Fact, WordsRef, instant
from schemas.publish import Signature, Submission
from services.kernel.access.signatures import Awaited, Unproven, prove
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.publish.attaching import attaching
from services.publish.rights import Case
from services.publish.state import State


class Signer(NamedTuple):
    """The key of the post that decides, and the version of the statement by the decision."""

    kid: str
    sign: Callable[[Mapping[str, Any]], str]
    post: str
    version: int
    salts: Mapping[str, str]
    """Reference -> salt, of the words of the submission."""


def signed(fact: Fact, state: State, case: Case, ctx: Ctx) -> Fact:
    """The event with its signature, if it is a decision that a post signs. Without a signer it stays as it is."""
    signer: Signer | None = ctx.seen.get("signer")
    if signer is None or not isinstance(fact, (*deeds.DECISIONS, *deeds.RELEASES)):
        return fact
    place = deeds.Place(ctx.seen["stream"], signer.version, ctx.actor.post, instant(ctx.now))
    if isinstance(fact, deeds.DECISIONS):
        fact = fact.model_copy(update={"subject": _subject(state, place.statement)})
    elif isinstance(fact, deeds.PUBLICATIONS):
        fact = fact.model_copy(update=_agreed(state, signer, case))
    value = signer.sign(deeds.content_of(fact, place))
    fact = fact.model_copy(update={"signature": Signature(key=signer.kid, post=signer.post, value=value)})
    if isinstance(fact, deeds.PUBLICATIONS):
        _must_prove(fact, place, case, ctx)
    return fact


def submitted(state: State) -> tuple[WordsRef, WordsRef]:
    """Title and text of the submission."""
    title, text = state.agreed_title or state.title, state.agreed_text or state.draft
    assert title is not None and text is not None, "a drafted statement has words"
    return title, text


def _subject(state: State, statement: str) -> str:
    title, text = submitted(state)
    return deeds.subject_of(
        statement,
        state.unit,
        state.submitted,
        title.digest,
        text.digest,
        used=state.used,
        steps=state.course.steps,
        writers=state.writers,
        attachments=attaching.submitted(state.files),
    )


def _agreed(state: State, signer: Signer, case: Case) -> dict[str, object]:
    title, text = submitted(state)
    submission = Submission(
        version=state.submitted,
        title=title.digest,
        text=text.digest,
        title_salt=signer.salts[title.ref],
        text_salt=signer.salts[text.ref],
        writers=tuple(sorted(state.writers)),
        separated=case.separates,
    )
    return {"submission": submission, "steps": state.course.steps, "approvals": state.answers}


def _must_prove(fact: deeds.Publication, place: deeds.Place, case: Case, ctx: Ctx) -> None:
    """Raises `Rejected` if readers would refuse the publication, such as after a key was revoked."""
    attributes = {
        "type": type_of(type(fact)),
        "subject": place.statement,
        "streamversion": place.version,
        "time": place.at,
        "recordedtime": place.at,
        "actor": place.actor,
        "policy": case.pack.ref,
        "data": fact.model_dump(mode="json", exclude_none=True),
    }
    event = Event(attributes, b"")
    event.__dict__["data"] = fact
    claims = deeds.claims(event)
    assert claims is not None, "a publication is signed"
    try:
        prove(claims, event, ctx.offices)
    except (Unproven, Awaited) as error:
        raise Rejected(
            f"the approvals do not prove this text, so no service would believe it: {error}. Submit it again",
            code="approvals-unproven",
        ) from error
