"""What a statement said in public, from its events. Pure: publish and audit make the same from their own records."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.envelope import Event
from schemas.manifest import Release, content_of
from schemas.publish import (
    Attachment,
    StatementApproved,
    StatementChecked,
    StatementCorrected,
    StatementDrafted,
    StatementFileAttached,
    StatementFileCovered,
    StatementFileDetached,
    StatementNoticeDrafted,
    StatementNoticePublished,
    StatementPublished,
    StatementRejected,
    StatementRevised,
    StatementSubmitted,
    StatementWithdrawn,
)


def releases(events: Iterable[Event]) -> list[Release]:
    """What a statement said in public, from all its events, in order; empty if it was never published."""
    found: list[Release] = []
    number = title = None
    unit, facts, approvals = "", tuple[str, ...](), 0
    attached = tuple[Attachment, ...]()
    for event in events:
        said: Mapping[str, Any]
        match event.data:
            case StatementDrafted() | StatementNoticeDrafted() as data:
                number = data.number
                continue
            case StatementSubmitted() | StatementRevised() | StatementRejected() | StatementChecked(passed=False):
                approvals = 0
                continue
            case StatementFileAttached() | StatementFileCovered() | StatementFileDetached():
                approvals = 0
                continue
            case StatementApproved():
                approvals += 1
                continue
            case StatementPublished() as data:
                unit, facts, title, attached = data.unit, data.facts, data.title, data.attachments
                said = {"kind": "publication", "title": title, "text": data.text, "reason": None}
            case StatementNoticePublished() as data:
                unit, title, attached = data.unit, data.title, data.attachments
                said = {"kind": "publication", "title": title, "text": data.text, "reason": None}
            case StatementCorrected() as data:
                title = data.title or title
                attached = attached if data.attachments is None else data.attachments
                said = {"kind": "correction", "title": title, "text": data.text, "reason": data.reason}
            case StatementWithdrawn() as data:
                said = {"kind": "withdrawal", "title": None, "text": None, "reason": data.reason}
            case _:
                continue
        held = () if said["text"] is None else attached
        content = content_of(
            statement=event.stream,
            number=number,
            unit=unit,
            release=len(found) + 1,
            facts=facts,
            attachments=[told(one) for one in held],
            **said,
        )
        found.append(Release(content, event.time_text, approvals, hashlib.sha256(event.bytes).hexdigest()))
        approvals = 0
    return found


def told(one: Attachment) -> dict[str, Any]:
    """A file as a release says it."""
    return {"media_type": one.media_type, "sha256": one.sha256, "size": one.size, "title": one.title}
