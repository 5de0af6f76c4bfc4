"""What the topics say was erased. A store that is restored from a backup must not get those words back."""

from collections.abc import Collection
from contextlib import suppress

from schemas import catalogue
from schemas.envelope import Undecodable, UnknownType
from schemas.fields import Erasure
from services.kernel.delivery import recovery
from services.kernel.delivery.log import EventLog, TopicsMissing


async def on_topics(log: EventLog, discarded: Collection[str]) -> set[str]:
    """References of all erased words, read from every topic that may name some. Raises `LogGone`.

    Only events that follow their stream count, and only if their digest was not discarded. So forged erasures do not
    count.
    """
    refs: set[str] = set()
    types = [type_.removeprefix(catalogue.PREFIX) for type_ in catalogue.types() if catalogue.is_erasure(type_)]
    kinds = {type_.partition(".")[0] for type_ in types}
    for topic in (topic for name in catalogue.SERVICES for topic in catalogue.event_topics(name)):
        if topic.rpartition(".")[2] in kinds:
            try:
                begins, ends = await log.begins([topic]), await log.ends([topic])
            except TopicsMissing:
                continue
            for partition, end in ends.items():
                last: dict[str, str] = {}
                async for records in log.read(partition, begins[partition], end):
                    for event in filter(None, map(recovery.own, records)):
                        if event.previous != last.get(event.stream) or event.digest in discarded:
                            continue
                        last[event.stream] = event.digest
                        with suppress(UnknownType, Undecodable):
                            if catalogue.is_erasure(event.type) and isinstance(event.data, Erasure):
                                refs.update(event.data.refs)
    return refs
