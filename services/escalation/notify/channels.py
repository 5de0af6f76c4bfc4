"""The ways by which a notice leaves the office, through Apprise. This blocks, so it runs in threads.

Apprise logs parts of addresses, so nothing of its log is kept.
"""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import requests
from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.plugins import NotifyBase, dingtalk, feishu, wecombot

from services.kernel.core.problems import Malformed

WAYS = {
    "mailto": "mail",
    "mailtos": "mail",
    "json": "webhook",
    "jsons": "webhook",
    "wecombot": "wecom",
    "dingtalk": "dingtalk",
    "feishu": "feishu",
}
"""Scheme of an Apprise address -> kind of channel."""
HEADER = "X-Huiying-Notice"
"""The header of mails and webhooks with the notice's id. It is the same in each try."""
HEADED = frozenset({"mail", "webhook"})
PATIENCE = 10.0
"""The most seconds that a place may take to connect, and to answer. An address can ask for less, and not for more."""
_ASSET = AppriseAsset(app_id="Huiying", app_desc="Huiying", app_url="", secure_logging=True, async_mode=False)
logging.getLogger("apprise").disabled = True


class _OfRobots:
    """Stands in for `requests` in the plugins of robots, some of which look at nothing but the status.

    A robot answers 200 also where it refuses a notice, and says so in `errcode` or `code`: a wrong key, a word that is
    missing, too many notices in a minute. A proxy that asks for a login answers 200 too.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    @staticmethod
    def post(*args: Any, **more: Any) -> requests.Response:
        answer = requests.post(*args, **more)  # noqa: S113  Apprise gives the time limit
        if answer.ok and not _is_taken(answer):
            answer.status_code = HTTPStatus.BAD_GATEWAY
        return answer


def _is_taken(answer: requests.Response) -> bool:
    try:
        said = answer.json()
    except ValueError:
        return False
    return isinstance(said, dict) and 0 in (said.get("errcode"), said.get("code"))


for _plugin in (dingtalk, feishu, wecombot):
    vars(_plugin)["requests"] = _OfRobots()


def way_of(address: str) -> str:
    """The kind of channel of an address. Raises `Malformed` without repeating the address."""
    way = WAYS.get(address.partition("://")[0].lower())
    if way is None:
        raise Malformed(
            f"an address begins with {', '.join(f'{scheme}://' for scheme in WAYS)}; see Apprise for the rest",
            code="address-unknown-way",
            field="address",
            known=sorted(WAYS),
        )
    made = _made(address)
    copies = made is not None and any(getattr(made, name, None) for name in ("cc", "bcc"))
    if made is None or len(made) != 1 or copies:
        raise Malformed(
            "the address cannot be used: write one whole address of Apprise, with one recipient",
            code="address-unusable",
            field="address",
        )
    return way


def send(address: str, notice: str, subject: str, text: str) -> bool:
    """Whether the place took the notice. It raises nothing: one address must not stop what goes to others.

    A place that redirects took nothing: what follows would be a request without the notice.
    """
    if WAYS.get(address.partition("://")[0].lower()) in HEADED:
        address = f"{address}{'&' if '?' in address else '?'}%2B{HEADER}={quote(notice)}"
    made = _made(address)
    try:
        return made is not None and bool(made.notify(body=text, title=subject, body_format=NotifyFormat.TEXT))
    except Exception:  # noqa: BLE001  Apprise lets some through, such as those of a name that no header can hold
        return False


def _made(address: str) -> NotifyBase | None:
    made = Apprise.instantiate(address, asset=_ASSET, suppress_exceptions=True)
    if made is not None:
        made.redirects = False
        made.socket_connect_timeout = min(made.socket_connect_timeout, PATIENCE)
        made.socket_read_timeout = min(made.socket_read_timeout, PATIENCE)
    return made
