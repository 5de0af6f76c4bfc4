"""What the posts sign that decide on a statement, and what its events claim of it. Pure: every service reads the same.

A decision signs its place and its subject, which is the digest of what was decided on. What goes public signs all that
the event says, without references to words.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from schemas.approval import Step
from schemas.catalogue import type_of, words_of
from schemas.claims import Agreed, Answer, Claims, Signed, to_sign
from schemas.envelope import Event
from schemas.fields import Fact, instant, parse_instant
from schemas.manifest import canonical
from schemas.publish import (
    Approval,
    Signature,
    StatementApproved,
    StatementCorrected,
    StatementNoticePublished,
    StatementPublished,
    StatementReferred,
    StatementRejected,
    StatementWithdrawn,
    Submission,
    UsedFact,
)

Decision = StatementApproved | StatementReferred | StatementRejected
Publication = StatementPublished | StatementNoticePublished
Release = Publication | StatementCorrected | StatementWithdrawn
DECISIONS = (StatementApproved, StatementReferred, StatementRejected)
PUBLICATIONS = (StatementPublished, StatementNoticePublished)
RELEASES = (*PUBLICATIONS, StatementCorrected, StatementWithdrawn)
ANSWER = ("step", "who", "post", "to", "took_part", "by", "subject")
"""The fields of a decision that are signed. One that it lacks is null."""
ACTS: Mapping[str, type[Fact]] = {"approved": StatementApproved, "referred": StatementReferred}
SYSTEM = "system"


class Place(NamedTuple):
    """Where something was decided: the statement, its version by it, who decided, and when, as an instant."""

    statement: str
    version: int
    actor: str
    at: str


def subject_of(
    statement: str,
    unit: str,
    version: int,
    title: str,
    text: str,
    *,
    used: Iterable[UsedFact],
    steps: Iterable[Step],
    writers: Iterable[str],
    attachments: Iterable[Mapping[str, Any]] = (),
) -> str:
    """The digest of what is decided on: a submission with its exact words, facts, attachments and chain.

    `version` is that of the submission. `title` and `text` are the salted digests of its words, `attachments` the
    files in order, as `attached` says them.
    """
    content = {
        "attachments": list(attachments),
        "facts": [one.model_dump(mode="json") for one in used],
        "statement": statement,
        "steps": [step.model_dump(mode="json", exclude_none=True) for step in steps],
        "text": text,
        "title": title,
        "unit": unit,
        "version": version,
        "writers": sorted(writers),
    }
    return hashlib.sha256(canonical(content)).hexdigest()


def attached(media_type: str, size: int, sha256: str, title: str) -> dict[str, Any]:
    """A file as a subject holds it. `title` is the salted digest of its title."""
    return {"media_type": media_type, "sha256": sha256, "size": size, "title": title}


def subject_at(statement: str, said: Publication) -> str:
    """The subject of the approvals of a publication."""
    sub = said.submission
    if sub is None:
        raise ValueError("a publication that is not signed names no submission")
    return subject_of(
        statement,
        said.unit,
        sub.version,
        sub.title,
        sub.text,
        used=said.used if isinstance(said, StatementPublished) else (),
        steps=said.steps,
        writers=sub.writers,
        attachments=[
            attached(one.media_type, one.size, one.sha256, salted(one.title_salt or "", one.title))
            for one in said.attachments
        ],
    )


def salted(salt: str, words: str) -> str:
    """The digest of words under a content record's salt."""
    return hashlib.sha256(bytes.fromhex(salt) + words.encode()).hexdigest()


def content_of(data: Fact, place: Place) -> dict[str, Any]:
    """What is signed with an event that is about to be recorded."""
    if isinstance(data, DECISIONS):
        return _decided(type_of(type(data)), place, data.model_dump(mode="json"))
    return _said(type_of(type(data)), place, data.model_dump(mode="json", exclude_none=True), words_of(type(data)))


def claims(event: Event) -> Claims | None:
    """What an event claims; None for one that nobody signs."""
    data = event.data
    if not isinstance(data, (*DECISIONS, *RELEASES)):
        return None
    signature = data.signature
    if signature is None:
        return Claims()
    if not _may_sign(signature.post, event.actor, data):
        return Claims((), fault=f"{event.actor} decided, and {signature.post} signed")
    try:
        return _claims(event, data, signature)
    except ValueError as error:
        return Claims(fault=f"it has no single form: {error}")


def _claims(event: Event, data: Decision | Release, signature: Signature) -> Claims:
    place = Place(event.stream, event.version, event.actor, event.time_text)
    what = f"what {event.actor} {event.type.split('.')[2]}"
    if isinstance(data, DECISIONS):
        content = _decided(event.type, place, data.model_dump(mode="json"))
        return Claims((_signed(what, content, signature, place),))
    # The bytes as they are: this version may not know all that a later one signed.
    content = _said(event.type, place, event.attributes["data"], tuple(event.words))
    mine = _signed(what, content, signature, place)
    if isinstance(data, PUBLICATIONS):
        return _publication(mine, data, place)
    return Claims((mine,))


def _publication(mine: Signed, said: Publication, place: Place) -> Claims:
    sub = said.submission
    if sub is None:
        return Claims((mine,), fault="it does not say to what its approvals agreed")
    if not _has_words(sub, said):
        return Claims((mine,), fault="its text is not the text that was submitted")
    if not _is_in_order([sub.version, *(one.version for one in said.approvals), place.version]):
        return Claims((mine,), fault="its approvals are not in the order in which they were given")
    subject = subject_at(place.statement, said)
    answers = tuple(Answer(one.step, one.who, one.by, one.to) for one in said.approvals)
    barred = frozenset(sub.writers) if sub.separated else None
    of: Literal["statement", "notice"] = "statement" if isinstance(said, StatementPublished) else "notice"
    agreed = Agreed(said.steps, answers, barred, of)
    return Claims((mine, *(_approval(one, subject, place.statement) for one in said.approvals)), agreed)


def _may_sign(post: str, actor: str, data: Fact) -> bool:
    return actor == post or (actor == SYSTEM and isinstance(data, PUBLICATIONS))


def _has_words(sub: Submission, said: Publication) -> bool:
    """Whether the public words are those that were submitted."""
    return salted(sub.title_salt, said.title) == sub.title and salted(sub.text_salt, said.text) == sub.text


def _is_in_order(versions: Iterable[int]) -> bool:
    return all(one < following for one, following in itertools.pairwise(versions))


def _approval(one: Approval, subject: str, statement: str) -> Signed:
    place = Place(statement, one.version, one.signature.post, instant(one.at))
    said = one.model_dump(mode="json") | {"subject": subject}
    content = _decided(type_of(ACTS[one.act]), place, said)
    return _signed(f"the answer of {one.post} at {one.step}", content, one.signature, place)


def _signed(what: str, content: Mapping[str, Any], by: Signature, place: Place) -> Signed:
    return Signed(what, by.key, by.post, parse_instant(place.at), to_sign(by.key, content), by.value)


def _placed(act: str, place: Place) -> dict[str, Any]:
    return {"act": act, "actor": place.actor, "at": place.at, "statement": place.statement, "version": place.version}


def _decided(act: str, place: Place, data: Mapping[str, Any]) -> dict[str, Any]:
    return _placed(act, place) | {name: data.get(name) or None for name in ANSWER}


def _said(act: str, place: Place, data: Mapping[str, Any], words: Iterable[str]) -> dict[str, Any]:
    left_out = {"signature", *words}
    return _placed(act, place) | {"said": {name: value for name, value in data.items() if name not in left_out}}
