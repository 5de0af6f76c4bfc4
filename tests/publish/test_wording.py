"""A text that must not go public is refused at submission, with the place."""

import pytest

from schemas.publish import StatementCorrected
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Rejected
from services.publish.commands import Correct, Submit, Withdraw
from services.publish.decider import DECIDER
from services.publish.writing import wording
from tests.kit import spec
from tests.publish.test_decider import HANDLER, MATTER, SPOKESPERSON, STREAM, drafted, published, submitted

PLAIN = "路面塌陷处已围挡，预计10月8日恢复；电话0731-88888888不在名录。"
BAD = [
    ("已\u202e修复", 2, "U+202E"),
    ("已\u2066修复", 2, "U+2066"),
    ("修\u200b复", 2, "U+200B"),
    ("修\u034f复", 2, "U+034F"),
    ("⚠\ufe0f修复", 2, "U+FE0F"),
    ("\ufeff修复", 1, "U+FEFF"),
    ("修复\u00ad", 3, "U+00AD"),
    ("修复\u3164", 3, "U+3164"),
    ("修\u2028复", 2, "U+2028"),
    ("修复\ue000", 3, "U+E000"),
    ("修复\U000e0041", 3, "U+E0041"),
]
PERSONAL = [("请联系13812345678。", 4, "[手机号]"), ("联系人电话[手机号]", 6, "[手机号]")]


@pytest.mark.parametrize(("text", "at", "what"), [*BAD, *PERSONAL])
def test_it_is_found_with_its_place(text: str, at: int, what: str) -> None:
    found = wording.find(text, frozenset())
    assert found is not None
    assert (found.at, found.what) == (at, what)


@pytest.mark.parametrize("text", ["路面塌陷处已围挡。", "第一行\n第二行\t缩进", "全角　空格", "café déjà", "①②③ 12盏"])
def test_plain_text_passes(text: str) -> None:
    assert wording.find(text, frozenset()) is None


def test_an_office_s_own_telephone_goes_public() -> None:
    assert wording.find("请拨打0731-85011234。", frozenset({"073185011234"})) is None
    assert wording.find("请拨打0731-85011234。", frozenset()) is not None


@pytest.mark.parametrize("field", ["title", "text"])
@pytest.mark.parametrize(("text", "at", "what"), [BAD[0], PERSONAL[1]])
def test_a_draft_that_holds_it_is_not_submitted(field: str, text: str, at: int, what: str) -> None:
    seen = {"title": "标题", "text": "已修复。", field: text}
    past = spec.given(DECIDER, drafted(), actor=HANDLER).seeing(incident=MATTER, stream=STREAM, **seen)
    with pytest.raises(Rejected, match=f"^{field} holds .* at character {at}") as refused:
        past.when(Submit()).decided()
    assert (refused.value.members["field"], refused.value.members["at"]) == (field, at)


def test_a_draft_without_it_is_submitted() -> None:
    past = spec.given(DECIDER, drafted(), actor=HANDLER)
    seen = past.seeing(incident=MATTER, stream=STREAM, title="标题", text="已修复。")
    seen.when(Submit()).then(submitted())


@pytest.mark.parametrize("field", ["title", "text", "reason"])
def test_neither_a_correction_nor_a_withdrawal_brings_it_in(field: str) -> None:
    said = {"title": "更正的标题", "text": "更正后的内容。", "reason": "数字有误", field: "已\u202e修复的内容"}
    past = _published(SPOKESPERSON)
    with pytest.raises(Rejected, match="invisible character"):
        past.when(Correct(**said)).decided()
    with pytest.raises(Rejected, match="invisible character"):
        past.when(Withdraw(reason="已\u202e修复")).decided()


def test_a_plain_correction_goes_out() -> None:
    (fact,) = (
        item.data  # type: ignore[union-attr]
        for item in _published(SPOKESPERSON).when(Correct(text="更正后的内容。", reason="数字有误")).decided()
    )
    assert isinstance(fact, StatementCorrected)


def _published(actor: Actor) -> spec.Given:
    return spec.given(DECIDER, drafted(), published(), actor=actor).seeing(incident=MATTER, stream=STREAM)
