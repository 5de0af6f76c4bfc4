"""Numbers from which on something counts as a finding, where no pack says one. All of them are our own reading."""

from datetime import timedelta
from typing import Any

from schemas.pack.source import Setting, Source
from services.kernel.core.units import LoadedPack


def _ours(reason: str) -> Source:
    return Source(kind="derived", reason=reason)


ZH: dict[str, str] = {
    "reading.hearing": "资料没有规定先听取意见再追究；五天够查清一件事。",
    "reading.returns": "资料没有规定退回几次算。一个单位可以弄错一次职责，不可以在同一事项上弄错两次。",
    "reading.apart": "003b 要求办理和答复同步开始，没有写数字；相隔一天就不是同步。",
    "reading.rounds": "事项回来一次可以没有过错；到第三轮，就是办了两次没有效果。",
    "reading.alike": "资料没有规定怎样算敷衍；两件事项的两篇文字，十分之九相同就是同一篇。",
    "reading.no_fact": "没有查明任何事实的答复，没有告诉反映人什么。",
    "reading.concealed": "资料禁止瞒报，没有列出迹象；这些迹象是我们定的。",
    "reading.omitted": "本单位渠道收到、应当上报、始终没有报出的。",
    "reading.reviewer": "督查员看过记录，写明了理由。",
    "reading.erased": "资料没有规定可以删除文字；只写明删除时有时限未完成，不作判断。",
}
"""Name of a reading of our own -> its reason in Chinese. The source has it in English."""


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
        Setting(value=0, source=_ours("An auditor read the record and gives the reason.")),
        "督查员的提请",
        "proposed by an auditor",
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
