"""A message between deployments has one form, and nothing of it can be altered unseen."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Event, seal
from schemas.fields import WordsRef
from schemas.handing import HandedText, IncidentHandedOver
from schemas.lists import Peer
from schemas.messages import MessageReceipt
from services.kernel.access.keys import Keys
from services.kernel.between.message import Message, Word, parse, verified
from services.kernel.between.signed import Signing, signed_receipt
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Problem, Rejected
from tests.kit.logs import KEY, Log
from tests.kit.spec import NOW

SIGNING = Signing(Keys(b"s" * 40), 1)
WORDS = tuple(Word(salt=f"{n:032x}", text=text) for n, text in enumerate(("河道污染", "涉及两区", "路灯", "四天不亮")))
DATA = IncidentHandedOver(
    to="city",
    subject=WordsRef(ref=derived("w", "1"), digest=WORDS[0].digest),
    reason=WordsRef(ref=derived("w", "2"), digest=WORDS[1].digest),
    reports=(HandedText(report=f"report-{derived('r')}", subject=WORDS[2].digest, text=WORDS[3].digest),),
)


def event(deployment: str = "county-one", to: str = "city", **more: Any) -> Event:
    stream = f"incident-{derived('i')}"
    told = {"id": derived("e"), "source": f"/huiying/{deployment}/triage", "stream": stream, "version": 1}
    whole: dict[str, Any] = {**told, "previous": None, "time": NOW, "recorded": NOW, "partitionkey": stream, **more}
    return seal(DATA.model_copy(update={"to": to}), actor="chief@county", **whole)


EVENT = event()
MESSAGE = Message(EVENT, Log([EVENT]).proof(0), WORDS)
BODY = MESSAGE.body
PEER = Peer(
    name="county-one",
    title="县",
    title_en="County",
    address="https://county.example",
    log=(KEY.verifier.vkey,),
    keys=(SIGNING.public,),
)
PEERS = {"county-one": PEER}
HEADERS = SIGNING.headers(MESSAGE.id, NOW, BODY)


def refused(body: bytes = BODY, own: str = "city", peers: dict[str, Peer] = PEERS, **headers: str) -> str:
    with pytest.raises((Malformed, Rejected)) as raised:
        verified(body, {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}, peers, own)
    return str(raised.value.code)


def test_what_was_sent_is_read() -> None:
    found, peer = verified(BODY, HEADERS, PEERS, "city")
    assert (found, peer) == (MESSAGE, PEER) and parse(BODY).body == BODY
    assert found.text(DATA.reason.digest) == "涉及两区" and found.text("0" * 64) is None


def test_while_a_key_changes_either_one_counts() -> None:
    new = Signing(Keys(b"s" * 40), 2)
    both = f"{new.headers(MESSAGE.id, NOW, BODY)['webhook-signature']} {HEADERS['webhook-signature']}"
    verified(BODY, {**HEADERS, "webhook-signature": both}, PEERS, "city")
    verified(
        BODY,
        new.headers(MESSAGE.id, NOW, BODY),
        {"county-one": PEER.model_copy(update={"keys": (new.public,)})},
        "city",
    )


@settings(max_examples=300)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_any_altered_byte_is_refused(place: int, change: int) -> None:
    altered = bytearray(BODY)
    altered[place] ^= change
    assert refused(bytes(altered)) in ("message-unreadable", "message-unproven", "peer-unknown", "message-misaddressed")


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_nonsense_is_refused(raw: bytes) -> None:
    assert refused(raw) == "message-unreadable"


@settings(max_examples=100)
@given(
    st.sampled_from(("webhook-id", "webhook-timestamp", "webhook-signature")),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120),
)
def test_an_altered_header_is_refused(name: str, value: str) -> None:
    if value != HEADERS[name]:
        assert refused(**{name: value}) == "message-unproven"


def signed(message: Message) -> dict[str, str]:
    return SIGNING.headers(message.id, NOW, message.body)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (Message(event("other"), MESSAGE.proof, WORDS), "peer-unknown"),
        (Message(event(unit="county"), MESSAGE.proof, WORDS), "message-unproven"),
        (Message(EVENT, Log([EVENT, event(unit="county")]).proof(1), WORDS), "message-unproven"),
        (Message(EVENT, b"no proof", WORDS), "message-unproven"),
        (Message(EVENT, MESSAGE.proof, (*WORDS, Word(salt="f" * 32, text="添加"))), "message-unproven"),
        (Message(EVENT, MESSAGE.proof, WORDS * 16), "message-unreadable"),
        (Message(EVENT, MESSAGE.proof, (Word(salt="f" * 32, text=" "),)), "message-unreadable"),
        (Message(EVENT, MESSAGE.proof, (Word(salt="f" * 32, text="a\0"),)), "message-unreadable"),
        (Message(event(drill=True), MESSAGE.proof, WORDS), "message-unreadable"),
    ],
)
def test_who_may_sign_still_proves_each_event(message: Message, code: str) -> None:
    assert refused(message.body, **{k.replace("-", "_"): v for k, v in signed(message).items()}) == code


def test_it_is_for_one_deployment_and_of_a_listed_one() -> None:
    assert refused(own="other") == "message-misaddressed"
    assert refused(peers={}) == "peer-unknown"
    assert refused(peers={"county-one": PEER.model_copy(update={"keys": ("ab" * 32,)})}) == "message-unproven"


def test_a_message_has_one_form() -> None:
    told = orjson.loads(BODY)
    spaced = orjson.dumps(told, option=orjson.OPT_INDENT_2)
    more = orjson.dumps({**told, "z": 1})
    loose = orjson.dumps(
        {**told, "data": {**told["data"], "event": base64.b64encode(EVENT.bytes + b" ").decode()}},
        option=orjson.OPT_SORT_KEYS,
    )
    for body in (spaced, more, loose):
        with pytest.raises(Problem):
            parse(body)


@given(st.sampled_from(sorted(MessageReceipt.model_fields)))
def test_a_receipt_holds_for_what_it_says(field: str) -> None:
    told = {"by": "city", "to": "county-one", "sent": EVENT.id, "digest": EVENT.digest}
    receipt = MessageReceipt(**told, record=f"message-{derived('m')}", at=NOW)
    signature = SIGNING.receipt(receipt)
    assert signed_receipt(receipt, SIGNING.public, signature)
    other = {
        "by": "other",
        "to": "other",
        "sent": derived("x"),
        "digest": "0" * 64,
        "record": f"message-{derived('y')}",
    }
    altered = receipt.model_copy(update={field: other.get(field, NOW.replace(year=2030))})
    assert not signed_receipt(altered, SIGNING.public, signature)
    assert not signed_receipt(receipt, Signing(Keys(b"t" * 40), 1).public, signature)
