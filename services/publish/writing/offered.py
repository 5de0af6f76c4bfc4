"""The templates with which a draft may begin, each filled from the facts of its matter. Pure."""

from contextlib import suppress
from typing import NamedTuple

from schemas.publish import StatementForm, StatementKind
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Unavailable
from services.kernel.rules import templates
from services.kernel.rules.conditions import holds
from services.publish.rights import Case, Incident, Statement


class Offer(NamedTuple):
    """A template, filled."""

    code: str
    name: str
    form: StatementForm
    kind: StatementKind
    title: str
    text: str
    missing: tuple[str, ...]
    """Facts that it tells and that are not established; then title and text are empty."""


def offered(ctx: Ctx, about: Incident, number: str, unit: str | None = None) -> list[Offer]:
    """The templates of the matter's pack that are meant for it, in the order of the pack; none without a pack.

    `unit` speaks, by default the accountable one. `number` is that of the matter. About no matter, only notices begin.
    """
    speaking, found = unit or about.unit, list[Offer]()
    with suppress(Unavailable):
        for one in ctx.offices.pack_of(about.policy, about.unit).model.templates:
            case = Case.of(Statement(unit=speaking, kind=one.kind, form=one.form), about, about.id, ctx)
            if (case.is_notice and one.form != "notice") or not holds(one.when, case.context(case.level)):
                continue
            named = ctx.offices.ever[speaking].name if speaking in ctx.offices.ever else speaking
            begun = templates.fill(one.title, one.text, unit=named, number=number, facts=about.facts)
            told = (one.code, one.title_zh, one.form, one.kind)
            found.append(Offer(*told, begun.title, begun.text, begun.missing))
    return found
