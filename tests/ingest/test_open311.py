"""Open311 GeoReport v2 over HTTP, on a real file."""

from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree as ET  # type: ignore[import-untyped]  # noqa: N812

from services.ingest.open311 import codec
from services.ingest.open311.codec import Many
from services.kernel.core.problems import Malformed
from tests.ingest.conftest import Ingest, erase, post

V2 = "/open311/v2"
STRUCTURE = {
    "discovery": "changeset contact key_service endpoints",
    "endpoint": "specification url changeset type formats",
    "service": "service_code service_name description metadata type keywords group",
    "service_definition": "service_code attributes",
    "attribute": "variable code datatype required datatype_description order description",
    "value": "key name",
    "request": "service_request_id status status_notes service_name service_code description agency_responsible "
    "service_notice requested_datetime updated_datetime expected_datetime address address_id zipcode lat long "
    "media_url",
    "error": "code description",
}
"""The elements inside an element, as the tables of the specification have them."""
LISTS = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "endpoints": "endpoint",
    "formats": "format",
    "errors": "error",
}


def checked(answer: httpx.Response, root: str) -> Any:
    """The root of an XML answer that is as the specification has it."""
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.content.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n')
    found = ET.fromstring(answer.content)
    assert found.tag == root
    for element in found.iter():
        assert not element.attrib and "}" not in element.tag
        if element.tag in LISTS:
            assert {child.tag for child in element} <= {LISTS[element.tag]}
        elif element.tag in STRUCTURE and len(element):
            names = [child.tag for child in element]
            assert names[: len(STRUCTURE[element.tag].split())] == STRUCTURE[element.tag].split()
    return found


def spark(element: Any) -> Any:
    """An XML document as JSON by the Spark convention."""
    if element.tag in LISTS:
        return [spark(child) for child in element]
    if len(element):
        return {child.tag: spark(child) for child in element}
    return element.text


def plain(value: Any) -> Any:
    """JSON with the texts that XML has."""
    match value:
        case list():
            return [plain(one) for one in value]
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case bool():
            return str(value).lower()
        case None | "":
            return None
    return str(value)


async def sent(ingest: Ingest, key: dict[str, str], form: str = "json", **more: Any) -> httpx.Response:
    """Sends a report. A field with None is left out."""
    body = {
        "api_key": key["Authorization"].removeprefix("Bearer "),
        "service_code": "roads.lighting",
        "address_string": "人民路",
        "description": "路灯不亮\n已经四天。",
        **more,
    }
    filled = {name: value for name, value in body.items() if value is not None}
    return await ingest.client.post(f"{V2}/requests.{form}", data=filled)


def refused(answer: httpx.Response, status: int, code: str, says: str = "") -> None:
    """Checks that the answer is an `errors` document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["huiying-problem"] == code
    if answer.headers["content-type"].startswith("application/json"):
        (error,) = answer.json()
        assert error["code"] == status
    else:
        (found,) = checked(answer, "errors")
        error = {child.tag: child.text for child in found}
        assert error["code"] == str(status)
    assert says in error["description"], error


@pytest.mark.requirement("ING-01")
@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("discovery", "discovery"),
        ("services", "services"),
        ("services/roads.lighting", "service_definition"),
        ("requests", "service_requests"),
    ],
)
async def test_xml_has_the_structure_of_the_specification_and_json_is_the_same(
    ingest: Ingest, path: str, root: str
) -> None:
    key = await ingest.key("town-east")
    await sent(ingest, key)
    xml = await ingest.client.get(f"{V2}/{path}.xml", headers=key)
    json = await ingest.client.get(f"{V2}/{path}.json", headers=key)
    assert json.headers["content-type"] == "application/json; charset=utf-8"
    assert spark(checked(xml, root)) == plain(json.json())
    assert xml.text.count("<") > 20


@pytest.mark.requirement("ING-01", "ING-06")
async def test_a_request_is_a_report_of_the_key_s_unit_with_its_words_masked(ingest: Ingest) -> None:
    key = await ingest.key("town-east")
    at = {"lat": "37.76524078", "long": "-122.4212043"}
    told = {"attribute[channel]": "hotline", "attribute[request]": "请修好", "attribute[external_id]": "2026-0317"}
    media = "https://pictures.example/1.jpg"
    answer = await sent(ingest, key, description="路灯不亮\n请打13912345678", media_url=media, **at, **told)
    assert answer.status_code == 201
    id_ = answer.json()[0]["service_request_id"]
    read = (await ingest.client.get(f"/ingest/v1/reports/{id_}", headers=key)).json()
    assert (read["unit"], read["channel"], read["category"]) == ("town-east", "hotline", "roads.lighting")
    assert (read["subject"], read["place"], read["request"]) == ("路灯不亮", "人民路", "请修好")
    assert "13912345678" not in read["text"] and media in read["text"] and "37.7652, -122.4212" in read["text"]
    again = await sent(ingest, key, description="路灯不亮\n请打13912345678", media_url=media, **at, **told)
    assert (again.status_code, again.json()) == (200, answer.json())
    refused(await sent(ingest, key, "xml", **told), 400, "id-taken", id_)
    code = answer.json()[0]["service_notice"].partition("收据号 ")[2][:14]
    token = await ingest.client.get(f"{V2}/tokens/{code}.json")
    assert token.json() == [{"service_request_id": id_, "token": code}]
    refused(await ingest.client.get(f"{V2}/tokens/AAAA-BBBB-CCCC.xml"), 404, "receipt-unknown")


@pytest.mark.requirement("ING-02")
async def test_nothing_about_persons_and_devices_is_kept_and_the_answer_says_so(ingest: Ingest) -> None:
    key = await ingest.key("town-east")
    personal = {
        "email": "zhao@mail.example",
        "device_id": "device-77",
        "account_id": "account-78",
        "first_name": "Xiaoming",
        "last_name": "Zhaolastname",
        "phone": "13800138000",
    }
    answer = await sent(ingest, key, "xml", **personal)
    (request,) = ET.fromstring(answer.content)
    notice = request.findtext("service_notice") or ""
    assert all(name in notice for name in personal)
    assert "不保存" in notice and "Nothing about persons" in notice
    stored = str([await ingest.rows(table) for table in ingest.runtime.tables])
    assert not [value for value in personal.values() if value in stored]
    assert "不保存" not in (await sent(ingest, key, email="", account_id="")).text
    refused(await sent(ingest, key, author="x"), 400, "parameter-unknown", "author")


@pytest.mark.parametrize(
    ("fields", "status", "code", "says"),
    [
        ({"api_key": None}, 403, "sign-in-required", "api_key"),
        ({"api_key": "hy_wrong"}, 403, "key-unknown", ""),
        ({"service_code": None}, 400, "field-missing", "service_code"),
        ({"service_code": "no.such"}, 404, "not-found", "no.such"),
        ({"jurisdiction_id": "nowhere"}, 404, "not-found", "nowhere"),
        ({"jurisdiction_id": "City.gov"}, 404, "not-found", "City.gov"),
        ({"jurisdiction_id": "town-west"}, 403, "no-right", ""),
        ({"address_string": None}, 400, "field-missing", "address_string"),
        ({"lat": "1"}, 400, "field-missing", "long"),
        ({"lat": "91", "long": "1"}, 400, "degrees-malformed", "lat"),
        ({"lat": "nan", "long": "1"}, 400, "degrees-malformed", "lat"),
        ({"description": "x" * 4001}, 400, "text-too-long", "description"),
        ({"attribute[no]": "1"}, 400, "parameter-unknown", "attribute[no]"),
        ({"attribute[channel]": "no"}, 400, "not-listed", "channel"),
        ({"attribute[discovered_at]": "yesterday"}, 400, None, "discovered_at"),
        ({"description": "a\x00b"}, 400, "null-character", ""),
    ],
)
@pytest.mark.parametrize("form", ["xml", "json"])
async def test_a_refusal_is_an_errors_document_with_the_statuses_of_the_specification(
    ingest: Ingest, fields: dict[str, Any], status: int, code: str | None, says: str, form: str
) -> None:
    answer = await sent(ingest, await ingest.key("town-east"), form, **fields)
    refused(answer, status, code or answer.headers["huiying-problem"], says)
    assert await ingest.rows("filed") == []


async def test_paths_methods_and_bytes_that_are_not_there_get_an_errors_document_too(ingest: Ingest) -> None:
    refused(await ingest.client.get(f"{V2}/nothing.json"), 404, "no-such-path")
    refused(await ingest.client.get(f"{V2}/services.yaml"), 400, "not-in-list")
    refused(await ingest.client.put(f"{V2}/requests.json"), 405, "method-not-allowed")
    refused(await ingest.client.get(f"{V2}/requests.json?status=%ff"), 400, "not-utf-8")
    refused(await ingest.client.get(f"{V2}/services/no.such.xml"), 404, "not-found")
    kind = {"Content-Type": "application/json"}
    refused(await ingest.client.post(f"{V2}/requests.json", content="{}", headers=kind), 400, "unsupported-media-type")
    refused(await ingest.client.post(f"{V2}/requests.xml", content=b"x" * 300_000), 400, "too-large")


async def test_an_unknown_key_counts_as_a_failed_sign_in(ingest: Ingest) -> None:
    wrong = {"Authorization": "Bearer hy_wrong"}
    answers = [await sent(ingest, wrong) for _ in range(30)]
    assert [answer.status_code for answer in answers][0::29] == [403, 429]
    assert answers[-1].headers["retry-after"]


async def test_a_form_in_parts_is_taken_without_files(ingest: Ingest) -> None:
    key = await ingest.key("town-east")
    fields = {"api_key": key["Authorization"][7:], "service_code": "roads.lighting", "address_id": "545483"}
    parts = {name: (None, value) for name, value in {**fields, "description": "路灯不亮"}.items()}
    answer = await ingest.client.post(f"{V2}/requests.json", files=parts)
    assert answer.status_code == 201, answer.text
    with_file = {**parts, "media": ("a.jpg", b"x")}
    refused(await ingest.client.post(f"{V2}/requests.json", files=with_file), 400, "form-unreadable")
    assert len(await ingest.rows("filed")) == 1


class TestLists:
    async def test_are_of_the_sender_and_have_no_word_of_it(self, ingest: Ingest) -> None:
        key, other = await ingest.key("town-east"), await ingest.key("county")
        id_ = (await sent(ingest, key)).json()[0]["service_request_id"]
        (own,) = (await ingest.client.get(f"{V2}/requests.json", headers=key)).json()
        assert (own["service_request_id"], own["status"], own["agency_responsible"]) == (id_, "open", "town-east")
        assert own["service_name"] == "路灯照明"
        assert own["description"] is own["address"] is None and "四天" not in str(own)
        english = await ingest.client.get(f"{V2}/requests.json", headers={**key, "Accept-Language": "en"})
        assert english.json()[0]["service_name"] == "Street lighting"
        assert (await ingest.client.get(f"{V2}/requests.json", headers=other)).json() == []
        assert (await ingest.client.get(f"{V2}/requests.json")).json() == [], "nothing was published on it"
        assert (await ingest.client.get(f"{V2}/requests/{id_}.json")).json() == [own]
        refused(await ingest.client.get(f"{V2}/requests/{id_}x.json"), 404, "not-found")

    async def test_follow_their_filters(self, ingest: Ingest) -> None:
        key = await ingest.key("county")
        first = await sent(ingest, key, jurisdiction_id="town-east")
        second = await sent(ingest, key, jurisdiction_id="town-west", service_code="roads.damage")
        ids = [answer.json()[0]["service_request_id"] for answer in (first, second)]

        async def found(query: str) -> list[int]:
            answer = await ingest.client.get(f"{V2}/requests.json?{query}", headers=key)
            assert answer.status_code == 200, answer.text
            return [ids.index(one["service_request_id"]) for one in answer.json()]

        assert await found("") == [1, 0]
        assert await found("service_code=roads.damage") == [1]
        assert await found("service_code=roads.damage,roads.lighting") == [1, 0]
        assert await found("service_code=roads.damage&service_code=roads.lighting") == [1, 0]
        assert await found("status=open&service_code=") == [1, 0]
        assert await found("status=closed") == []
        assert await found("status=open,closed") == [1, 0]
        assert await found("jurisdiction_id=town-west") == [1]
        assert await found("jurisdiction_id=county") == [1, 0]
        assert await found(f"service_request_id={ids[0]}&status=closed&start_date=nonsense") == [0]
        assert await found(f"service_request_id={ids[0]},%20{ids[1]},none") == [1, 0]
        assert await found("end_date=2026-01-01T00:00:00Z") == []
        assert await found("start_date=2026-01-01T00:00:00 08:00&end_date=2026-01-02T00:00:00%2B08:00") == []
        at = (await ingest.client.get(f"{V2}/requests/{ids[1]}.json")).json()[0]["requested_datetime"]
        assert 1 in await found(f"start_date={at}&end_date={at}"), "both ends count"

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("start_date=2026-01-01T00:00:00Z&end_date=2026-04-02T00:00:00Z", "span-too-long"),
            ("start_date=2026-01-02T00:00:00Z&end_date=2026-01-01T00:00:00Z", "span-too-long"),
            ("start_date=2026-01-01", None),
            ("end_date=9999-12-31T00:00:00-12:00", None),
            ("start_date=1970-01-01T00:00:00Z", ""),
            ("end_date=1970-01-01T00:00:00Z", None),
            ("status=new", "not-listed"),
            ("page=2", "parameter-unknown"),
            ("jurisdiction_id=nowhere", "not-found"),
            (f"service_request_id={','.join(map(str, range(1001)))}", "list-too-long"),
            ("api_key=hy_wrong", "key-unknown"),
        ],
    )
    async def test_refuse_what_they_cannot_follow(self, ingest: Ingest, query: str, code: str | None) -> None:
        answer = await ingest.client.get(f"{V2}/requests.xml?{query}")
        if code == "":
            assert answer.status_code == 200
        elif answer.status_code != 200 or code:
            refused(answer, answer.status_code, code or answer.headers["huiying-problem"])
            assert answer.status_code in (400, 403, 404)

    async def test_leave_out_what_officers_entered_and_keep_an_erased_report(self, ingest: Ingest) -> None:
        key = await ingest.key("town-east")
        id_ = (await sent(ingest, key)).json()[0]["service_request_id"]
        officer = await post(ingest, ingest.staff("duty_officer", unit="town-east"))
        assert officer.status_code == 201
        await erase(ingest, id_)
        (own,) = (await ingest.client.get(f"{V2}/requests.json", headers=key)).json()
        assert (own["service_request_id"], own["status"]) == (id_, "open")


async def test_an_update_of_the_sender_is_evidence_once(ingest: Ingest) -> None:
    key, other = await ingest.key("town-east"), await ingest.key("town-east")
    id_ = (await sent(ingest, key)).json()[0]["service_request_id"]

    async def updated(key: dict[str, str], **more: str) -> httpx.Response:
        body = {
            "api_key": key["Authorization"][7:],
            "service_request_id": id_,
            "update_id": "5",
            "updated_datetime": "2026-01-01T00:00:00Z",
            "status": "OPEN",
            "description": "又灭了，请打13912345678",
            "email": "zhao@mail.example",
            **more,
        }
        return await ingest.client.post(f"{V2}/servicerequestupdates.xml", data=body)

    answer = await updated(key)
    assert answer.status_code == 201, answer.text
    assert ET.fromstring(answer.content).findtext("request_update/update_id")
    assert (await updated(key)).content == answer.content
    (event,) = await ingest.events("evidence_attached")
    file = await ingest.client.get(
        f"/ingest/v1/reports/{id_}/evidence/{event.data.file}", headers=ingest.staff("handler", unit="town-east")
    )
    assert file.text.startswith("又灭了") and "13912345678" not in file.text and "status: OPEN" in file.text
    refused(await updated(other), 403, "no-right")
    refused(await updated(key, service_request_id="report-1"), 404, "not-found")
    refused(await updated(key, description="", update_id="6"), 400, "field-missing", "description")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.recursive(TEXTS | st.none() | st.booleans(), lambda inner: st.lists(inner, max_size=3)))
def test_any_value_becomes_xml_that_a_parser_reads(value: Any) -> None:
    def many(one: Any) -> Any:
        return Many("one", [many(inner) for inner in one]) if isinstance(one, list) else one

    ET.fromstring(codec.written("root", many(value), "xml"))
    codec.written("root", many(value), "json")


NAMES = st.sampled_from([*codec.CREATES, *codec.PERSONAL, "attribute[channel]", "attribute[url][]", "x"]) | TEXTS


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=12), st.sampled_from([codec.CREATES, codec.UPDATES]))
def test_any_form_is_read_or_refused(pairs: list[tuple[str, str]], names: Any) -> None:
    with suppress(Malformed):
        assert not set(codec.form(pairs, names).given) & set(codec.PERSONAL)
