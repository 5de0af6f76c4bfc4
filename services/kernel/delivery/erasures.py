"""What the topics say was erased. A store that is restored from a backup must not get those words back."""

from collections.abc import AsyncIterator, Collection
from contextlib import suppress

from schemas import catalogue
from schemas.envelope import Event, Undecodable, UnknownType
from schemas.fields import Erasure
from schemas.operation import OperationDiscarded
from services.kernel.delivery import recovery
from services.kernel.delivery.log import EventLog, TopicsMissing


async def on_topics(log: EventLog, discarded: Collection[str]) -> set[str]:
    """References of all erased words, read from every topic that may name some. Raises `LogGone`.

    Only events that follow their stream count, and only if their digest was not discarded. So forged erasures do not
    count. `discarded` are the digests that the stores know of. The owners' topics name them too, and may be all that
    is left.
    """
    refs: set[str] = set()
    types = [type_.removeprefix(catalogue.PREFIX) for type_ in catalogue.types() if catalogue.is_erasure(type_)]
    kinds = {type_.partition(".")[0] for type_ in types}
    for service in catalogue.SERVICES:
        forged = set(discarded)
        async for event in _following(log, f"{service}.operation", discarded):
            with suppress(UnknownType, Undecodable):
                if isinstance(event.data, OperationDiscarded) and event.data.digest:
                    forged.add(event.data.digest)
        for topic in catalogue.event_topics(service):
            if topic.rpartition(".")[2] in kinds:
                async for event in _following(log, topic, forged):
                    with suppress(UnknownType, Undecodable):
                        if catalogue.is_erasure(event.type) and isinstance(event.data, Erasure):
                            refs.update(event.data.refs)
    return refs


async def _following(log: EventLog, topic: str, discarded: Collection[str]) -> AsyncIterator[Event]:
    """The events of a topic that follow their stream; none if there is no such topic."""
    try:
        begins, ends = await log.begins([topic]), await log.ends([topic])
    except TopicsMissing:
        return
    for partition, end in ends.items():
        last: dict[str, str] = {}
        async for records in log.read(partition, begins[partition], end):
            for event in filter(None, map(recovery.own, records)):
                if event.previous == last.get(event.stream) and event.digest not in discarded:
                    last[event.stream] = event.digest
                    yield event
