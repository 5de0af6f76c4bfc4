"""Who approves what by the rule documents: the chains of their packs, chosen by what is known."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.pack.values import sourced
from services.kernel.core.units import LoadedPack
from services.kernel.rules.approval import chain_of, chains, place
from services.kernel.rules.conditions import Context
from services.kernel.rules.packs import load_packs

LEADER, PRINCIPAL, GROUP = ("leader_in_charge",), ("principal_leader",), ("leading_group",)
OFFICE, PARTY = ("office",), ("party_office",)
SUDDEN = {"flags": frozenset({"sudden"})}


@cache
def packs() -> dict[str, LoadedPack]:
    found = load_packs(Path(__file__).parents[2] / "policies")
    return {pack.model.id: pack for pack in found.values()}


def steps(pack: str, of: Any = "statement", **known: Any) -> list[tuple[str, ...]] | None:
    chain = chain_of(packs()[pack], Context(**known), of)
    return chain and [step.who for step in chain.steps]


@pytest.mark.requirement("PUB-06")
def test_the_matrix_of_the_company() -> None:
    assert steps("company-000") == [LEADER]
    assert steps("company-000", major_information=True) == [GROUP]
    assert steps("company-000", level="major", answer_kind="answer") == [PRINCIPAL]
    assert steps("company-000", level="major", answer_kind="status") == [LEADER]
    assert steps("company-000", doubtful=True, major_information=True) == [PRINCIPAL]
    approval = packs()["company-000"].model.approval
    assert approval is not None
    assert approval.cannot_judge is not None
    assert approval.cannot_judge.to == "principal_leader"


@pytest.mark.requirement("PUB-07")
def test_a_sudden_event_is_approved_by_the_leading_group() -> None:
    assert steps("group-002-2", **SUDDEN) == [GROUP]
    assert steps("power-003") == [GROUP]


@pytest.mark.requirement("PUB-08")
def test_secret_and_major_information_also_goes_to_the_party_office() -> None:
    assert steps("group-002-2") == [OFFICE, LEADER]
    for mark in ("secret", "major_information"):
        assert steps("group-002-2", **{mark: True}) == [OFFICE, LEADER, PARTY]
        assert steps("group-002-2", **SUDDEN, **{mark: True}) == [GROUP, PARTY]
        assert steps("group-002-2", "notice", **{mark: True}) == [OFFICE, LEADER, PARTY]
    assert steps("group-002-2", "notice") == [OFFICE, LEADER]
    publication = packs()["group-002-2"].model.publication
    assert publication is not None and publication.notices is not None
    assert publication.notices.uploaded_by == ("site_administrator",)


@pytest.mark.requirement("TRI-19")
def test_measures_are_approved_where_the_document_says_so() -> None:
    asked = {id_ for id_, pack in packs().items() if chains(pack, "measure")}
    assert {"group-002-2", "power-003"} <= asked
    assert "company-000" not in asked
    assert steps("group-002-2", "measure") == [GROUP]
    assert steps("company-000", "measure") is None


def test_a_document_without_a_word_on_approval_asks_for_none() -> None:
    assert steps("rectification-002-1") is None


def test_what_an_office_says_is_approved_by_somebody_else_wherever_a_document_speaks_of_approval() -> None:
    speaking = {id_: pack for id_, pack in packs().items() if pack.model.approval}
    assert packs().keys() - speaking == {"rectification-002-1"}
    for id_, pack in speaking.items():
        assert chains(pack, "reply") == chains(pack, "explanation") == chains(pack, "statement") != [], id_
        assert pack.model.approval is not None
        assert pack.model.approval.separation.value == "by_person", id_
    assert steps("zone-002-10", "reply") == [(*LEADER, *PRINCIPAL)]
    assert steps("company-000", "reply", level="major", answer_kind="answer") == [PRINCIPAL]


def test_a_refusal_names_only_what_stands_in_the_pack() -> None:
    """A text keeps the chain of the pack under which it was submitted, and its matter may move to another pack."""
    pack = packs()["county-default"]
    assert pack.model.approval is not None
    chain = pack.model.approval.chains[0]
    code, step = chain.code, chain.steps[0].code
    stand = {one.place for one in sourced(pack.model)}
    for named in ((code, step), (code, "gone"), (code, None), ("gone", step), (None, None)):
        assert place(pack, *named) in stand
    assert place(pack, code, step) == f"approval.chains.{code}.steps.{step}"
    assert place(pack, "gone", step) == "approval"
