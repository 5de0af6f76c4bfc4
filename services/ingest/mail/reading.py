"""Mails are read in groups, which fit into the memory."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from services.ingest.mail import codec
from services.ingest.mail.codec import Aside, Mail

if TYPE_CHECKING:
    from services.ingest.mail.inbox import Head

GROUP, GROUP_BYTES = 50, 8_000_000
"""So many mails, or bytes of them, are read at once. One larger mail comes alone."""


def groups(heads: Sequence["Head"], most: int) -> Iterable[list["Head"]]:
    """The mails in groups that are read at once. One that is too large is not read, so it weighs nothing. One that may
    have ended the process is alone.
    """
    group, size = list["Head"](), 0
    for head in heads:
        weighs = GROUP_BYTES + 1 if head.begun else head.size if head.size <= most else 0
        if group and (len(group) == GROUP or size + weighs > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(head)
        size += weighs
    if group:
        yield group


def parsed(
    raw: Mapping[int, bytes], lists: Collection[str], defect: Callable[[Exception], str]
) -> dict[int, Mail | Aside]:
    """What mails say, by their numbers. `defect` logs an error and names the cause. It blocks."""
    found: dict[int, Mail | Aside] = {}
    for uid, content in raw.items():
        try:
            found[uid] = codec.read(content, lists)
        except Exception as error:  # noqa: BLE001  a mail holds up no other one
            found[uid] = Aside(defect(error))
    return found
