"""Who sees how a service runs, and who settles what it set aside: the same in every service."""

from services.kernel.access.rights import Right

LOOK: Right[str] = Right("read-operation", ("admin", "auditor"), lambda unit, _: (unit,))
"""Whoever administers or audits any unit sees how the services run."""
LIST: Right[None] = Right("list-dead-letters", ("admin", "auditor"), lambda _, ctx: (ctx.offices.root,))
REDRIVE: Right[None] = Right("redrive", ("admin",), lambda _, ctx: (ctx.offices.root,))
DISCARD: Right[None] = Right("discard", ("admin",), lambda _, ctx: (ctx.offices.root,))
