"""Numbers from which on something counts as a finding, where no pack says one. All of them are our own reading."""

from datetime import timedelta
from typing import Any

from schemas.pack.source import Setting, Source
from services.kernel.core.units import LoadedPack


def _ours(reason: str) -> Source:
    return Source(kind="derived", reason=reason)


HEARING: Setting[timedelta] = Setting(
    value=timedelta(days=5),
    source=_ours("The documents hear nobody before they blame; five days are time to look into the matter."),
)
"""How long an office may say what it has to say."""
RETURNS: Setting[int] = Setting(
    value=2,
    source=_ours("No document counts returns. One unit may err once about its duties, and not twice on one matter."),
)
"""So many returns of one matter by one unit are no cooperation."""
APART: Setting[timedelta] = Setting(
    value=timedelta(days=1),
    source=_ours("003b lets handling and answering start together and gives no number; a day apart is not together."),
)
"""Handling and answering that begin so far apart did not begin together."""
ROUNDS: Setting[int] = Setting(
    value=3,
    source=_ours("A matter may come back once without fault. In the third round it was handled twice without effect."),
)
"""In so many rounds a matter was handled without effect."""
ALIKE: Setting[int] = Setting(
    value=90,
    source=_ours("No document measures a perfunctory answer; of two texts on two matters, nine tenths are the same."),
)
"""So many per cent of two texts are alike."""
OPENING: Setting[int] = Setting(
    value=40, source=_ours("A text of fewer characters says too little to be told from another one.")
)
"""Shorter texts are not compared."""
NAMED: dict[str, tuple[Setting[Any], str, str]] = {
    "reading.hearing": (HEARING, "听取单位意见的期限", "how long the office is heard"),
    "reading.returns": (RETURNS, "同一单位退回的次数", "returns by one unit"),
    "reading.apart": (APART, "办理与答复的间隔", "handling and answering apart"),
    "reading.rounds": (ROUNDS, "办理的轮次", "rounds of handling"),
    "reading.alike": (ALIKE, "答复相同的比例", "how alike two answers are"),
    "reading.no_fact": (
        Setting(value=0, source=_ours("An answer that rests on no established fact tells the asker nothing.")),
        "答复所依据的事实",
        "facts on which an answer rests",
    ),
    "reading.concealed": (
        Setting(value=0, source=_ours("The documents forbid to conceal and name no signs; these are ours.")),
        "瞒报的迹象",
        "signs of concealing",
    ),
    "reading.omitted": (
        Setting(value=0, source=_ours("What reached an own channel, was owed upward and never went there.")),
        "漏报的迹象",
        "signs of omitting",
    ),
    "reading.reviewer": (
        Setting(value=0, source=_ours("A reviewer read the record and gives the reason.")),
        "督查员的提请",
        "proposed by a reviewer",
    ),
    "reading.erased": (
        Setting(
            value=0, source=_ours("No document deletes words; that a limit ran meanwhile is shown, and not judged.")
        ),
        "时限内的删除",
        "deleting while a limit runs",
    ),
}
"""Name in a finding's `rule` -> the reading, and its titles in Chinese and English."""


def of_pack(name: str, pack: LoadedPack | None) -> tuple[Any, str, str | None]:
    """The number of this name, where it stands, and the pack that says it; without one, our own reading."""
    said = getattr(pack.model.findings, name) if pack and pack.model.findings else None
    if pack is None or said is None or said.value is None:
        return NAMED[f"reading.{name}"][0].value, f"reading.{name}", None
    return said.value, f"findings.{name}", pack.ref
