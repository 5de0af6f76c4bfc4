"""The services: whether each takes commands, what waits there, and what to do about it; and what probes see."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from schemas.fields import parse_instant
from services.console.calls import Answer, Refused, parts
from services.console.forms import SERVICES
from services.console.page import Reader, reader, render
from services.console.site import Signed, Site
from services.console.words import N_

SLOW = 60.0
"""Seconds after which what waits needs a person."""
LAG = 1_000
"""Records behind which a service is behind, and not merely busy."""


def router(site: Site) -> APIRouter:
    """The page of the services."""
    pages = APIRouter()

    @pages.get("/health")
    async def health(request: Request, me: Signed) -> Response:
        """For administrators and auditors."""
        if not {"admin", "auditor"} & set(me.roles):
            raise Refused(Answer(403, {}))
        asked = (f"/{service}/v1/operation" for service in SERVICES)
        *found, seen = await parts(*map(me.calls.get, asked), me.calls.get("/ingest/v1/outages", going_on="true"))
        look = await reader(request)
        shown = [
            (service, one, list(todo(one.value, look)) if one.value else [])
            for service, one in zip(SERVICES, found, strict=True)
        ]
        releases = {one.value["release"] for one in found if one.value}
        return await render(request, "health.html", services=shown, releases=sorted(releases), seen=seen)

    return pages


def todo(told: Mapping[str, Any], look: Reader) -> Iterator[str]:
    """What a person should do, most urgent first."""

    def waits(name: str) -> float:
        since = told[name]["since"]
        return (look.now - parse_instant(since)).total_seconds() if since else 0.0

    text = look.gettext
    if not told["ready"]:
        yield text(N_("这个服务暂不受理办理。其他服务照常；按上面写的原因处理，处理后自行恢复。"))
    if told["dead_letters"]["count"]:
        yield text(N_("有消息被搁置，要由管理员逐条决定重新投递或弃置。"))
    if waits("outbox") > SLOW:
        yield text(N_("消息日志没有确认发出的记录。请检查消息日志是否在运行、磁盘是否已满；记录没有丢失。"))
    if waits("parked") > SLOW:
        yield text(N_("有记录在等前面的一条。先处理搁置的消息；没有搁置的，等发出方恢复。"))
    if told["behind"] is None:
        yield text(N_("消息日志没有应答，不知道落后多少。"))
    elif told["behind"] > LAG:
        yield text(N_("接收落后较多。如果数字不再减少，请重启这个服务的接收进程。"))
