"""The words of a draft with the facts in place of their markers, held against all that is established. Pure."""

from collections.abc import Collection, Iterable

from schemas.publish import UsedFact
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.publish.rights import Case
from services.publish.writing import binding, one_text, wording

LONGEST = {"title": 120, "text": 100_000}
"""How many characters of a title and a text go public."""


def fill(
    texts: dict[str, str], facts: Collection[str], waivers: Iterable[binding.Waived], case: Case, ctx: Ctx
) -> dict[str, str]:
    """The texts with the facts in place of their markers. Raises `Rejected` for what stands against them."""
    sheet = case.sheet(ctx)
    found = (
        one_text.unbindable(texts, sheet)
        if case.is_notice
        else one_text.findings(
            texts,
            sheet,
            earlier=[said for said in ctx.seen.get("earlier", ()) if said.id != ctx.seen["stream"]],
            named=facts,
            waived={figure for one in waivers for figure in one.figures},
            telephones=ctx.offices.lists.telephones,
            offices=case.offices(ctx),
        )
    )
    if refusal := one_text.refusal(found, sheet):
        raise refusal
    resolved = {field: sheet.resolved(text) for field, text in texts.items()}
    for field, text in resolved.items():
        if len(text) > LONGEST[field]:
            raise Rejected(
                f"{field} has {len(text)} characters with the facts in it; at most {LONGEST[field]} go public",
                code="text-too-long-resolved",
                field=field,
                size=len(text),
                limit=LONGEST[field],
            )
    check_wording(ctx, **resolved)
    return resolved


def used(keys: Iterable[str], case: Case, ctx: Ctx) -> tuple[UsedFact, ...]:
    """The facts of these keys, in the versions that hold now."""
    sheet = case.sheet(ctx)
    found = (sheet.of(key) for key in dict.fromkeys(keys))
    return tuple(UsedFact(key=one.key, incident=one.incident, version=one.version) for one in found if one)


def check_wording(ctx: Ctx, **texts: str | None) -> None:
    for field, text in texts.items():
        if text is not None:
            wording.check(field, text, ctx.offices.lists.telephones)
