"""The material of the responsible department: from which post, and whether the matter's pack accepts it. Pure."""

from schemas.triage import IncidentMaterialReceived
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.triage.commands import ReceiveMaterial
from services.triage.handling.assigning import pack_of
from services.triage.incident import Incident


def received(state: Incident, command: ReceiveMaterial, ctx: Ctx) -> Decided:
    """The material. Where the pack asks for it, it is refused unless the unit's head signed it, or it is sealed."""
    ctx.offices.unit(command.unit)
    if command.signed_by is not None:
        _must_sign(command.signed_by, command, ctx)
    pack = pack_of(state, ctx.offices)
    rule = pack.model.answering.material if pack else None
    heads = [f"{post.code}@{command.unit}" for post in ctx.offices.posts.get(command.unit, {}).values() if post.head]
    named = pack and pack.name
    if rule and rule.signed_by_head and not (command.signed and command.signed_by in heads):
        raise Rejected(
            f"the head of {command.unit} signs its material; name {' or '.join(heads) or 'its head'} in `signed_by`, "
            "or send the material back",
            code="material-unsigned",
            rule="answering.material",
            pack=named,
            unit=command.unit,
            posts=heads,
        )
    if rule and rule.sealed and not command.sealed:
        raise Rejected(
            f"material carries the seal of {command.unit}; send it back to be sealed",
            code="material-unsealed",
            rule="answering.material",
            pack=named,
            unit=command.unit,
        )
    fact = IncidentMaterialReceived(
        unit=command.unit, signed=command.signed, sealed=command.sealed, signed_by=command.signed_by
    )
    return [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis) if pack else fact]


def _must_sign(post: str, command: ReceiveMaterial, ctx: Ctx) -> None:
    ctx.offices.post(post, "signed_by")
    if post.partition("@")[2] != command.unit or not command.signed:
        raise Malformed(
            f"signed_by: name the post of {command.unit} that signed the material, and set `signed`",
            code="signed-elsewhere",
            field="signed_by",
            unit=command.unit,
            post=post,
        )
