"""The publish service, joined."""

from fastapi import APIRouter

from services.kernel.runtime import Runtime
from services.kernel.service import Service
from services.publish import api, bulletin, decider, reactions, views


def router(runtime: Runtime) -> APIRouter:
    """The API for staff and the bulletin for everyone."""
    joined = APIRouter()
    joined.include_router(api.router(runtime))
    joined.include_router(bulletin.router(runtime))
    return joined


SERVICE = Service(
    name="publish",
    metadata=views.METADATA,
    deciders={"statement": decider.DECIDER},
    views=views.VIEWS,
    consumes=("triage.incident",),
    react=reactions.react,
    router=router,
    stream="services.publish.stream",
)
