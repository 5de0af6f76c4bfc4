"""Whatever a mail holds, it is a report that every store takes or it is set aside, and nobody is named in it."""

import base64
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.mail import codec, reply
from services.ingest.mail.codec import Aside, Mail
from services.ingest.mail.mailboxes import Mailbox
from services.kernel.access.keys import Keys
from services.kernel.core.texts import check_value
from tests.fuzz import INPUTS
from tests.fuzz.test_imports import damaged
from tests.ingest.test_mail import LAMP, PAGE, PLAIN, PNG, RICH, _signed, part, several, whole

KEYED = Keys(b"a secret of tests, long enough for HMAC").digest
ARRIVED = datetime(2026, 3, 2, tzinfo=UTC)
MAILS = [
    whole(several("mixed", several("alternative", PLAIN, RICH, mark="b"), part("image/png", PNG)), "=?gbk?q?=C2=B7?="),
    whole(several("mixed", PLAIN, b"Content-Type: message/rfc822\r\n\r\n" + whole(PLAIN, "inner"))),
    whole(part("text/html; charset=gb2312", PAGE.encode("gbk", "replace"))),
    whole(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C2=B7=\r\n=B5", Reply_To='"a, b" <c@d.example>'),
    whole(f"Content-Type: text/plain; charset=hz-gb-2312\r\n\r\n{LAMP}".encode("hz"), Auto_Submitted="no"),
    whole(
        several("mixed", part("application/pkcs7-mime", _signed(PLAIN, RICH, ends=True)), mark="b"), In_Reply_To="<1@a>"
    ),
    whole(
        several("mixed", part("message/rfc822", whole(several("mixed", RICH, mark="b"), "=?utf-8?b?6Lev54Gv?="))), "x"
    ),
    whole(part("text/html", b"<p>x<img src='data:image/png;base64," + base64.b64encode(PNG * 99) + b"'>&nbsp;</p>")),
    whole(b"Content-Type: text/plain; charset*=utf-8''gbk; name*0*=gbk''%D5; name*1=x\r\n\r\nx", "x" * 900),
]
BITS = [
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--mark\r\n", b"--mark--", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xd5\xc5"),
    *(
        b"Message-ID: <",
        b"=?utf-8?q?=0D=0Ax?=",
        b"=?gbk?b?",
        b"=?utf-8?q?=",
        b"?=",
        b'"',
        b"(",
        b"<",
        b">",
        b"@",
        b",",
        b";",
        b":",
        b"\\",
        b"~{",
        b"~}",
    ),
    *(
        b"Content-Type: ",
        b"multipart/mixed; boundary=",
        b"message/rfc822",
        b"text/html",
        b"charset=",
        b"utf-16",
        b"utf-7",
    ),
    *(
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"begin 666 x\n",
        b"base64",
        b"*0*=",
        b"''",
        b"%",
        b"From: ",
        b" \t ",
    ),
]
MARKUP = [
    "<p>",
    "<table>",
    "<td colspan=9999999>",
    "</td>",
    "<pre>",
    "<li>",
    "<ol start=9e9>",
    "<!--",
    "-->",
    "<![CDATA[",
]
MARKUP += [
    "&#0;",
    "&#xD800;",
    "&nbsp;",
    "<?xml version='1.0' encoding='gbk'?>",
    " style='display:none;padding:9e9em'",
    "<br>",
]
MARKUP += [
    "<svg>",
    "<math>",
    "<template>",
    "\x00",
    "\ud800",
    "<p xmlns:a='b'>",
    "<a:b>",
    "</",
    "<script>",
    "路灯",
    "\u202e",
]
SEALED = {"host": "mail.example", "user": "u", "secret_variable": "PATH"}
BOX = Mailbox.model_validate(
    {"imap": SEALED, "smtp": SEALED, "address": "office@town-east.example", "since": "2026-03-02"}
)
fuzzed = settings(max_examples=INPUTS, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def taken(raw: bytes) -> Mail | Aside:
    """What the mail is. Anything but a report or a cause goes up."""
    found = codec.read(raw)
    if isinstance(found, Aside):
        assert found.cause
        return found
    report = codec.report(found, "town-east", ARRIVED, KEYED)
    assert (report.source, report.channel, report.discovered_at) == ("mail:town-east", "mail", ARRIVED)
    orjson.dumps(report.model_dump(mode="json"))
    check_value(report.model_dump(mode="json"), "report")
    for file in found.files:
        assert file.content and file.named
    if found.answerable is not None:
        told = reply.Told("ABCD-EFGH-IJKL", len(found.files), found.missed)
        made = reply.message(found.answerable, told, BOX, "东镇", "https://a.example/receipt", "f" * 40)
        sent = reply.letter(made)
        assert codec.read(sent.content) == Aside("automatic") and sent.to == found.answerable.address
        lines = sent.content.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").split(b"\r\n")
        assert len(lines) == (9 if found.answerable.sent_id is None else 11)
    return found


@fuzzed
@given(st.sampled_from(MAILS), st.integers(0, 2**64))
def test_a_damaged_mail(raw: bytes, seed: int) -> None:
    taken(damaged(raw, seed, BITS))


@fuzzed
@given(st.binary(max_size=400))
def test_random_bytes(raw: bytes) -> None:
    taken(raw)
    taken(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + raw)


@fuzzed
@given(st.lists(st.sampled_from(BITS), max_size=60))
def test_bits_of_mails(bits: Sequence[bytes]) -> None:
    taken(b"".join(bits))


@fuzzed
@given(st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=8)), max_size=40), st.integers(0, 2**64))
def test_a_damaged_page(bits: Sequence[str], seed: int) -> None:
    chance = random.Random(seed)
    at = chance.randint(0, len(PAGE))
    found = codec._page(f"{PAGE[:at]}{''.join(bits)}{PAGE[at:]}", codec.PAGES)
    found.encode()
    assert "\x00" not in found and len(found) < 20_000


@pytest.mark.requirement("ING-02")
@fuzzed
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30), st.sampled_from(MAILS))
def test_no_header_of_a_person_is_in_the_report(name: str, raw: bytes) -> None:
    secret = f"zzq{name}qzz"
    heads = "".join(
        f"{head}: {secret} <a@b.example>\r\n" for head in ("From", "To", "Cc", "Sender", "Received", "X-Mailer")
    )
    found = taken(heads.encode() + raw)
    if isinstance(found, Mail):
        said = (found.subject, found.text, *(one.content.decode("latin-1") for one in found.files))
        assert not any("zzq" in one for one in said)
        assert "zzq" not in codec.report(found, "town-east", ARRIVED, KEYED).model_dump_json()
