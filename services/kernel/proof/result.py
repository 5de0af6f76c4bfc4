"""The result of a check: each fault as a sentence, and the few causes behind them, each with what to do."""

from dataclasses import dataclass, field
from typing import NamedTuple

MAX_FAULTS = 1000


class Cause(NamedTuple):
    """The possible causes. `{name}` is the service or the place."""

    what: str
    do: str
    """Empty if each sentence says what to do."""


OUTBOX = Cause(
    "records of {name} still wait in its outbox", "see that its API process runs and that the brokers answer"
)
LAG = Cause("{name} has not taken in all that its topics hold", "see that its consumer runs")
LOST = Cause("topics of {name} were lost", "")
DEAD_LETTER = Cause("{name} has dead letters", "`huiying redrive --list` shows them")
PARKED = Cause("streams are parked in {name}", "`huiying resend --stream ID` fills a gap; else settle the dead letter")
UNPROVEN = Cause(
    "{name} holds decisions that no post signed",
    "find out who wrote them; `huiying restore --from DIR --service {name}` puts the store back",
)
STORE = Cause("the store of {name} contradicts itself", "`huiying restore --from DIR --service {name}`")
FILES_LACK = Cause(
    "files of {name} are not in their folder", "`huiying restore --from DIR --files` puts them back from a backup"
)
ERASED = Cause(
    "{name} holds words that were erased", "`huiying restore --from DIR --service {name}` puts it back without them"
)
TOPIC_LACKS = Cause("the topics of {name} lack events of its store", "`huiying resend {name} --all`")
TOPIC_HOLDS = Cause(
    "the topics of {name} hold records that it did not write",
    "`huiying redrive --list` shows the records that {name} set aside; recover its own, and discard forged ones",
)
NEVER_TOOK = Cause(
    "{name}: its offset was moved past them",
    "`huiying resend {service} --rewind {topic}` lets it take the missing events",
)
AUDIT_LACKS = Cause("audit lacks events of {name}", "`huiying resend {name} --all` lets audit take them in")
AUDIT_ALTERED = Cause(
    "audit's timeline was changed after it was written", "`huiying restore --from DIR --service audit`"
)
TREE_ALTERED = Cause(
    "the tree of hashes over audit's timeline is not the tree over these events",
    "find out who changed it or the timeline; `huiying restore --from DIR --service audit`",
)
LOG_REWRITTEN = Cause(
    "{name} holds a checkpoint that is not of audit's log",
    "find out who rewrote audit's record; after a restore, see that audit has taken in all of its topics",
)


@dataclass(slots=True)
class Told:
    """A cause: how many events, records or rows it concerns, and the first sentence."""

    count: int
    first: str
    what: str
    do: str

    def sentence(self) -> str:
        """The cause in one sentence, with what to do."""
        said = self.first if self.count == 1 else f"{self.what}, {self.count} faults; the first: {self.first}"
        return f"{said}. Do: {self.do}" if self.do else said


@dataclass(slots=True)
class CheckResult:
    """The numbers of checked things, and the faults: one sentence each, of which the first thousand are kept."""

    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    untold: int = 0
    """The number of further faults."""
    causes: dict[tuple[Cause, str], Told] = field(default_factory=dict)
    """By cause and service, or place."""

    @property
    def ok(self) -> bool:
        return not self.faults

    def add(self, what: str, count: int) -> None:
        """Counts checked things."""
        self.counts[what] = self.counts.get(what, 0) + count

    def fault(self, cause: Cause, name: str, sentence: str, **more: str) -> None:
        """Adds a fault. `more` fills the names in the cause's texts besides `{name}`."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(sentence)
        else:
            self.untold += 1
        known = self.causes.get((cause, name))
        if known is None:
            what, do = (text.format(name=name, **more) for text in cause)
            self.causes[cause, name] = Told(1, sentence, what, do)
        else:
            known.count += 1
