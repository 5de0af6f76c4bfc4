"""A step of an approval as events carry it, so that the chain of a submission stays fixed."""

from schemas.fields import Code, Fact, Figure


class Step(Fact):
    """`needs` of the posts and bodies `who` agree. A body with `quorum` needs as many members who took part."""

    code: Code
    who: tuple[Code, ...]
    needs: Figure = 1
    quorum: Figure | None = None
