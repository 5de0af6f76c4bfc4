"""Mailboxes as administrators see them: none, one that is read, one that is not, and what was set aside."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from services.console.operations import mailboxes
from services.ingest.mail import noted
from services.ingest.mail.mailboxes import Imap, Mailbox, Smtp
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def box(unit: str) -> Mailbox:
    imap = Imap(host="mail.example", user=unit, secret_file=Path(__file__))
    return Mailbox(imap=imap, smtp=Smtp(host="mail.example"), address=f"{unit}@example.cn", since=date(2026, 3, 2))


async def test_each_mailbox_says_whether_it_is_read_and_what_was_set_aside(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, admin = town.system.runtimes["ingest"], await town.at("admin@county")
    assert "还没有接上邮箱" in (await admin.open("/mailboxes")).said
    await noted.begin(runtime, {"town-east": box("town-east"), "city": box("city")})
    page = await admin.open("/mailboxes")
    assert "town-east@example.cn" in page.said and "还没有收过信" in page.said and "city@example.cn" not in page.said
    why = "mail.example:993 cannot be reached: ConnectionRefusedError"
    await noted.was_read(runtime, "town-east", 3, 0)
    await noted.was_read(runtime, "town-east", 2, 1)
    read = await admin.open("/mailboxes")
    assert "✓ 正常 最近收信" in read.said and "5 件" in read.said and "1 封 最近" in read.said
    with monkeypatch.context() as patch:
        patch.setattr(mailboxes, "LATE", timedelta(seconds=-1))
        late = (await admin.open("/mailboxes")).said
    assert "▲ 很久没有收信 最近收信" in late and "正常" not in late, "a reader that hangs notes no trouble"
    await noted.troubled(runtime, "town-east", why)
    assert "▲ 有问题" in (await admin.open("/mailboxes")).said and why in (await admin.open("/mailboxes")).said
    since = (await noted_of(town))["trouble_at"]
    await noted.troubled(runtime, "town-east", f"{why} again")
    assert (await noted_of(town))["trouble_at"] == since, "since it began"
    await noted.begin(runtime, {"town-east": box("town-west")})
    assert {name: (await noted_of(town))[name] for name in ("address", "reports")} == {
        "address": "town-west@example.cn",
        "reports": 5,
    }
    await noted.troubled(runtime, "town-east", None)
    assert "▲" not in (await admin.open("/mailboxes")).said
    await noted.begin(runtime, {})
    chief = await town.at("chief@county")
    assert (await chief.open("/mailboxes")).status == 403


async def noted_of(town: Town) -> dict[str, object]:
    async with town.system.runtimes["ingest"].database.read() as connection:
        return next(one for one in await noted.listed(connection) if one["unit"] == "town-east")
