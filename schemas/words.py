"""Events of `words` streams, which every service has: requests to delete words of other streams, and deletions."""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Digest, Erasure, Fact, StreamId, Uuid, Words

Cause = Literal["asked", "law", "mistake"]


@event("words.erasure_asked")
class WordsErasureAsked(Fact):
    """Somebody asked to delete words of a stream. Another person of a unit above must confirm it."""

    stream: StreamId
    refs: tuple[Uuid, ...]
    cause: Cause
    reason: Words
    by: Digest


@event("words.erased")
class WordsErased(Erasure):
    """Words of a stream are to be deleted everywhere. The marker that refuses late copies stays."""

    stream: StreamId
    cause: Cause
    reason: Words
    by: Digest
