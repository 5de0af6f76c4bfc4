"""The commands of `docs/integrate.md` against the whole system. Those of Open311 are followed further in
`test_open311.py`.
"""

import asyncio
import socket
import uuid
from pathlib import Path

import httpx
import orjson
import pytest
from PIL import Image

from services.apps import up
from services.apps.embedded import running
from services.kernel.settings import Settings
from tests.ingest import test_topic
from tests.kit import integrate, mails, receiver, substrate


async def test_each_event_of_the_page_gets_a_receipt(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        async with system.client(system.token("city", "admin")) as client:
            made = await client.post("/ingest/v1/keys", json={"unit": "town-east", "name": "hotline"})
            probe = await client.post("/ingest/v1/keys", json={"unit": "city", "scope": "probe"})
        with socket.create_server(("127.0.0.1", 0)) as on:
            async with up.served(system, on) as address:
                said = await integrate.run("CloudEvents", address, made.json()["key"])
                evidence = await integrate.run("Evidence", address, made.json()["key"], tmp_path)
                assert '"recorded":["outage-' in await integrate.run("Probes", address, probe.json()["key"])
                files = await integrate.run("Files", address, made.json()["key"], tmp_path)
    assert '"covered":{"name":1}' in evidence
    seen = Image.open(tmp_path / "preview.png").convert("L")
    (stored,) = (Image.open(path).convert("L") for path in (tmp_path / "evidence").iterdir())
    assert seen.tobytes() == stored.tobytes(), "the preview is what is stored"
    assert stored.crop((8, 4, 40, 20)).getextrema() == (0, 0)
    assert stored.getpixel((7, 4)) == 255
    ended = [orjson.loads(line)["ended"] for line in files.splitlines() if line.startswith('{"ended"')]
    assert [(one["state"], one["received"], one["refused"]) for one in ended] == [("done", 1, 1)] * 2 + [("done", 1, 0)]
    assert "1 rows, 0 received, 1 repeated, 0 refused" in files, "the command line sent the same file again"
    answers = answers_in(said)
    assert len(answers) == integrate.COMMANDS["CloudEvents"].count("curl ") == 3
    assert all("receipt" in answer for answer in answers)


@pytest.mark.kafka
async def test_an_event_of_the_page_on_a_topic_becomes_a_report(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system, system.client(system.token("city", "admin")) as client:
        made = (await client.post("/ingest/v1/keys", json={"unit": "town-east", "name": "hotline"})).json()
    topic, brokers = f"board.{uuid.uuid4().hex[:8]}", substrate.kafka()
    await test_topic.make(topic)
    await integrate.run("CloudEvents from Kafka", "", "", BROKERS=brokers, TOPIC=topic)
    settings = Settings(data=tmp_path, kafka=brokers, cloudevents_topic=topic, cloudevents_key=made["id"])
    async with running(settings) as system, system.client(system.token("city", "admin")) as client:
        async with asyncio.timeout(20):
            while not (found := (await client.get("/audit/v1/events?type=report.received")).json()["items"]):
                await asyncio.sleep(0.05)
        assert [one["actor"] for one in found] == [made["integration"]]


@pytest.mark.requirement("ING-06")
async def test_a_mail_of_the_page_becomes_a_report_and_its_sender_is_in_no_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with mails.office(tmp_path, f"page-{uuid.uuid4().hex[:8]}") as box:
        more = {"MAIL_SECRET": box.server.password, "MAIL_CA": str(box.server.authority), "MAIL_USER": box.user}
        more |= {"IMAP_HOST": "127.0.0.1", "IMAP_PORT": str(box.server.dovecot.port)}
        more |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(box.smtp_port), "SMTP_TLS": "none"}
        await integrate.run("Mail", "", "", tmp_path, **more)
        settings = Settings(data=tmp_path / "data", mailboxes=tmp_path / "mailboxes.yaml")
        async with running(settings) as system, system.client(system.token("city", "admin")) as client:
            async with asyncio.timeout(20):
                while box.counts != (0, 1, 0):
                    await asyncio.sleep(0.05)
            await system.settle()
            found = (await client.get("/audit/v1/events?type=report.received")).json()["items"]
        assert [one["data"]["channel"] for one in found] == ["mail"]
        assert [one["To"] for one in box.sent.mails] == ["citizen@home.example"]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert "无法通行".encode() in stored and b"itizen" not in stored and b"home.example" not in stored


async def test_a_form_is_opened_and_answers_with_a_receipt(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        with socket.create_server(("127.0.0.1", 0)) as on:
            async with up.served(system, on) as address:
                said = await integrate.run("Form", address, "", TOKEN=system.token("city", "admin"))
                async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
                    assert "反映问题" in (await client.get("/", headers={"Accept-Language": "zh"})).text
                    assert "东镇" in (await client.get("/form/")).text
    assert "已经收到" in said


async def test_a_receipt_tells_the_state_and_that_nothing_changed(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        async with system.client(system.token("city", "admin")) as client:
            made = await client.post("/ingest/v1/keys", json={"unit": "town-east", "name": "hotline"})
        with socket.create_server(("127.0.0.1", 0)) as on:
            async with up.served(system, on) as address:
                said = await integrate.run("State by receipt", address, made.json()["key"])
    assert said.startswith("304\n{")


async def test_what_becomes_of_a_report_comes_to_the_address_of_the_page(tmp_path: Path) -> None:
    with receiver.listening() as hook, socket.create_server(("127.0.0.1", 0)) as on:
        async with running(Settings(data=tmp_path, channels_private=True)) as system, up.served(system, on) as address:
            async with system.client(system.token("city", "admin")) as client:
                made = (await client.post("/ingest/v1/keys", json={"unit": "town-east", "name": "hotline"})).json()
            await integrate.run("CloudEvents", address, made["key"])
            await system.settle()
            said = await integrate.run("Webhooks", address, made["key"], tmp_path, RECEIVER=hook.address)
            assert len(answers_in(said)) == 6
    assert {one.body["type"] for one in hook.messages} <= {"huiying.report.received.v1"}


def answers_in(said: str) -> list[dict[str, object]]:
    """The answers: curl writes no end of line after one."""
    return [orjson.loads(line) for line in said.replace("}{", "}\n{").splitlines()]


def test_every_section_is_run_and_holds_no_key() -> None:
    sections = {
        "CloudEvents",
        "CloudEvents from Kafka",
        "Evidence",
        "Files",
        "Form",
        "Mail",
        "Open311",
        "Probes",
        "State by receipt",
        "Webhooks",
    }
    assert set(integrate.COMMANDS) == sections, "a section is run by a test"
    page = (integrate.DOCS / "integrate.md").read_text()
    assert page.count("```") == 2 * page.count("```sh"), "a block of another kind is not run"
    assert not any("hy_" in commands for commands in integrate.COMMANDS.values())
