"""What a mail says: its words and files, in whatever charset and form, and which mails are no reports."""

import base64
import binascii
import quopri
import smtplib
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from services.ingest.mail import codec, mailboxes, reply, signed
from services.ingest.mail.codec import Answerable, Aside, Mail
from services.ingest.mail.inbox import Away, Inbox, SignInRefused
from services.kernel.rules.documents import DocumentError
from services.kernel.settings import Settings
from services.kernel.uploads import contents

HEADS = b"From: =?gbk?b?1cXI/Q==?= <zhangsan@sender.example>\r\nMessage-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\n"
LAMP = "路灯不亮"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 30


def mail(raw: bytes) -> Mail:
    found = codec.read(raw)
    assert isinstance(found, Mail), found
    return found


def heads(**more: str) -> bytes:
    """The headers of a usual mail, with more of them."""
    return HEADS + b"".join(f"{name.replace('_', '-')}: {text}\r\n".encode() for name, text in more.items())


def part(kind: str, content: bytes, *more: str) -> bytes:
    lines = [f"Content-Type: {kind}", *more, "Content-Transfer-Encoding: base64", ""]
    return "\r\n".join(lines).encode() + b"\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")


def several(kind: str, *parts: bytes, mark: str = "mark") -> bytes:
    """A part that holds others."""
    inner = b"".join(f"--{mark}\r\n".encode() + one + b"\r\n" for one in parts)
    return f'Content-Type: multipart/{kind}; boundary="{mark}"\r\n\r\n'.encode() + inner + f"--{mark}--\r\n".encode()


def whole(body: bytes, subject: str = "x", **more: str) -> bytes:
    return heads(Subject=subject, **more) + body


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        ("=?gb2312?B?" + base64.b64encode("朱镕基路灯".encode("gbk")).decode() + "?=", "朱镕基路灯"),
        ("=?GBK?Q?=C2=B7=B5?=\r\n =?GBK?Q?=C6?=", "路灯"),
        ("=?UTF-8?B?6Lev54G=?=\r\n =?UTF-8?B?r+S4jeS6rg==?=", "路灯不亮"),
        ("=?gb18030?B?" + base64.b64encode("𠮷路".encode("gb18030")).decode() + "?= A12", "𠮷路 A12"),
        ("=?utf-8?b?!!!?=", "第一行"),
        ("=?utf-8?B?6Lev54GvA?=", "路灯"),
        ("=?utf-8?B?6Lev\r\n 54Gv?=", "路灯"),
        ("=?utf-8?B?6Lev54Gv", "路灯"),
        ("=?utf-8?Q?=E8=B7=AF?", "路"),
        ("=?x-unknown?b?wrc=?=", "·"),
        ("=?punycode?b?" + "YWFh" * 5 + "?=", "aaa" * 5),
        ("路灯\t不亮", "路灯 不亮"),
        ("  ", "第一行"),
    ],
)
def test_subjects(subject: str, says: str) -> None:
    found = mail(whole("\r\n第一行\r\n第二行\r\n".encode(), subject))
    assert found.subject.startswith(says), found.subject
    found.subject.encode()


@pytest.mark.parametrize("charset", ["gbk", "gb2312", "GB18030", "x-gbk", "hz-gb-2312", "utf-8", "UTF-16", "big5", ""])
def test_charsets_of_texts(charset: str) -> None:
    codec_ = {"x-gbk": "gbk", "hz-gb-2312": "hz", "": "gbk"}.get(charset, charset)
    text = "路燈" if charset == "big5" else LAMP
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    assert mail(whole(part(kind, text.encode(codec_)))).text == text


@pytest.mark.parametrize("name", ["utf-8", "us-ascii", "rot13", "zlib", "punycode", "utf-7", "x\x00y", "a" * 9_000])
def test_wrong_charsets_never_fail_and_loose_nothing_readable(name: str) -> None:
    raw = whole(f"Content-Type: text/plain; charset={name}\r\n\r\n".encode() + LAMP.encode("gbk"))
    assert mail(raw).text == LAMP
    assert mail(whole(b"Content-Type: text/plain\r\n\r\na\x00b\xff\xff\x80")).text.startswith("ab")


STREET = "东镇路灯不亮，请来看"


@pytest.mark.parametrize(
    ("named", "content", "text"),
    [
        ("iso-8859-1", STREET.encode(), STREET),
        ("windows-1252", STREET.encode("gbk"), STREET),
        ("us-ascii", STREET.encode("gbk"), STREET),
        ("iso-8859-1", "朱镕基".encode("gbk"), "朱镕基"),
        ("iso-8859-1", "Größe für été, «café»".encode("latin-1"), "Größe für été, «café»"),
        ("windows-1251", "Привет, мир".encode("cp1251"), "Привет, мир"),
        ("gb2312", STREET.encode(), STREET),
        ("gb2312", f"{STREET}·3°".encode(), f"{STREET}·3°"),
        ("gb2312", STREET.encode()[:-1], f"{STREET[:-1]}�"),
        ("big5", STREET.encode(), STREET),
        ("utf-8", STREET.encode()[:-1], f"{STREET[:-1]}�"),
        ("utf-8*zh", STREET.encode()[:-2], f"{STREET[:-1]}�"),
        ("", STREET.encode()[1:], f"��{STREET[1:]}"),
        ("utf-8", "路灯".encode()[:-1], "路�"),
        ("utf-8", STREET.encode("gbk"), STREET),
        ("utf-8", STREET.encode("gbk")[:-1], f"{STREET[:-1]}�"),
        ("gb2312", STREET.encode("gbk")[:-1], f"{STREET[:-1]}�"),
        ("big5", "香港路燈啲嘢".encode("big5hkscs"), "香港路燈啲嘢"),
        ("MS950", "碁銹裏墻恒粧嫺".encode("cp950"), "碁銹裏墻恒粧嫺"),
        ("big5", "路燈不亮".encode("big5")[:-1], "路燈不�"),
        ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("euc-kr", "똠방".encode("cp949") + b"\xff", "똠방�"),
        ("shift_jis", "①番 髙".encode("cp932"), "①番 髙"),
    ],
)
def test_a_charset_is_what_the_bytes_are_and_not_what_a_program_filled_in(
    named: str, content: bytes, text: str
) -> None:
    assert mail(whole(part(f"text/plain; charset={named}", content))).text == text
    subject = f"=?{named or 'x'}?b?{base64.b64encode(content).decode()}?="
    assert mail(whole(b"\r\nx", subject)).subject == text
    file = part(f"text/plain; charset={named}", content, "Content-Disposition: attachment; filename=a.txt")
    (given,) = mail(whole(several("mixed", PLAIN, file))).files
    assert contents.text(given.content, given.charset) == text


def test_a_text_that_is_called_so_by_its_name_alone_is_one() -> None:
    disposition = 'Content-Disposition: attachment; filename="=?gbk?b?wre1xi5UWFQ=?="'
    file = part("application/octet-stream", STREET.encode("gbk"), disposition)
    assert mail(whole(several("mixed", PLAIN, file))).files == ((STREET.encode(), "text/plain", "utf-8"),)


def test_a_file_that_is_no_text_stays_as_it_came() -> None:
    for content in (PNG, b"a\0b\0\0\xff"):
        file = part("text/plain; charset=gbk", content, "Content-Disposition: attachment")
        assert [one.content for one in mail(whole(several("mixed", PLAIN, file))).files] == [content]


def test_a_raw_subject_in_gbk_is_read() -> None:
    assert mail(HEADS + b"Subject: " + LAMP.encode("gbk") + b"\r\n\r\nx").subject == LAMP
    for charset in ("gbk", "utf-8"):
        raw = LAMP.encode(charset)
        assert mail(HEADS + b"Subject: " + raw[:3] + b"\r\n " + raw[3:] + b"\r\n\r\nx").subject == LAMP, "folded"


PLAIN, RICH = part("text/plain; charset=gbk", LAMP.encode("gbk")), part("text/html; charset=utf-8", b"<p>rich</p>")
PAGE = """<html><head><style>p {color: red}</style></head><body><p style="padding-left:99999em">路灯<br>不亮</p>
<table><tr><td>东镇</td><td>三号</td></tr></table><div style="display: NONE">hidden <b>words</b></div>
<script>alert(1)</script><a href="https://a.example/?user=1">链接</a>&#0;&amp;</body></html>"""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (several("alternative", PLAIN, RICH), LAMP),
        (several("alternative", RICH, PLAIN), LAMP),
        (several("alternative", part("text/plain", b" \n"), RICH), "rich"),
        (several("mixed", PLAIN, RICH), f"{LAMP}\n\nrich"),
        (several("mixed", several("alternative", PLAIN, several("related", RICH, mark="c"), mark="b")), LAMP),
        (several("signed", PLAIN, part("application/pkcs7-signature", b"x" * 9)), LAMP),
        (part("text/html", PAGE.encode()), "路灯\n不亮\n\n东镇 三号\n链接�&"),
        (b"\r\nnew\r\n\r\n> old\r\n> mail\r\n", "new\n\n> old\n> mail"),
        (b"\r\na\rb\r\n\r\n\r\n\r\n\r\nc\n", "a\nb\n\nc"),
        (several("mixed", PLAIN)[:-12], LAMP),
        (b"Content-Type: multipart/mixed\r\n\r\nno mark", None),
        (b"Content-Type: text/plain charset=big5\r\n\r\n" + "路燈".encode("big5"), "路燈"),
        (b"Content-Type: text/plain gbk\r\n\r\n" + LAMP.encode("gbk"), LAMP),
        (b"Content-Type: text/html, charset=big5\r\n\r\n<p>" + "路燈".encode("big5"), "路燈"),
        (b"Content-Type: text/plain; format=flowed charset=big5\r\n\r\n" + "路燈".encode("big5"), "路燈"),
        (several("mixed", PLAIN).replace(b"mixed;", b"mixed"), LAMP),
        (PLAIN.replace(b": base64", b": base64 ; x"), LAMP),
        (several("alternative", part("text/plain", b"a&nbsp;b &amp;lt; ?a&copy=1"), RICH), "a b &lt; ?a&copy=1"),
        (several("mixed", part("text/plain", b"a&nbsp;b")), "a&nbsp;b"),
        (b"Content-Type: text/plain; charset=\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd", "odd"),
        (b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!YWJj", "abc"),
        (part("text/html", b"<table>" * 3_000 + b"deep"), None),
        (part("text/html", b"<!-- no element -->"), None),
        (part("text/html", b"<p>x</p>" + b" " * 400_000), f"x{codec.CUT}"),
        (several("alternative", part("text/plain; charset=utf-8", "\xa0".encode()), RICH), "rich"),
        (part("text/html", b"<ul><li>a<ol><li>b</ol></ul>"), "* a\n1. b"),
        (
            several("mixed", *[part("text/html", b"<p>%s</p>" % (b"x" * 90_000))] * 6),
            "\n\n".join(["x" * 90_000] * 2)[: codec.TEXT - len(codec.CUT)] + codec.CUT,
        ),
    ],
)
def test_texts_of_forms(body: bytes, text: str | None) -> None:
    found = mail(whole(body))
    assert text is None or found.text == text
    assert found.subject == "x" and not found.files


def test_of_pages_only_what_is_needed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [part("text/html", b"<p>x</p>" + b" " * 399_000), part("text/html", b"<p>" + b"y" * 2_000)]
    text = mail(whole(several("mixed", *two))).text
    assert 900 < text.count("y") < 1_000 and text.endswith(codec.CUT), "together they are read as one"
    monkeypatch.setattr(codec, "_page", None)
    assert mail(whole(several("alternative", PLAIN, RICH))).text == LAMP
    assert len(mail(whole(several("mixed", part("text/plain", b"x" * 100_001), RICH))).text) == codec.TEXT


@pytest.mark.requirement("ING-02")
def test_a_forwarded_mail_keeps_its_words_and_files_and_none_of_its_headers() -> None:
    inner = b"From: Li Si <lisi@else.example>\r\nTo: a@b.example\r\nSubject: =?gbk?q?=C2=B7?=\r\n" + several(
        "mixed", PLAIN, part("image/png", PNG), mark="inner"
    )
    raw = whole(several("mixed", part("text/plain", b"see"), b"Content-Type: message/rfc822\r\n\r\n" + inner))
    found = mail(raw)
    assert found.text == f"see\n\n{codec.FORWARDED}\n路\n\n{LAMP}"
    assert [one.content for one in found.files] == [PNG]
    told = repr(found._replace(answerable=None, identity=("", "", "")))
    assert not any(word in told for word in PERSONS)


PERSONS = ("lisi", "Li Si", "zhangsan", "张三", "a@b")


@pytest.mark.requirement("ING-02")
@pytest.mark.parametrize(
    "code", ["base64", "Quoted-Printable", "x-uuencode", "base64 (as it is)", "base64, not in truth"]
)
@pytest.mark.parametrize("times", [1, 3])
def test_a_forwarded_mail_in_a_transfer_encoding_is_read_as_a_mail(code: str, times: int) -> None:
    inner = b"From: Li Si <lisi@else.example>\r\nTo: a@b.example\r\nSubject: lamp\r\n"
    inner += several("mixed", PLAIN, part("image/png", PNG), mark="inner=")
    for _ in range(times):
        coded = {"b": base64.encodebytes, "Q": quopri.encodestring, "x": _uuencoded}[code[0]](inner)
        coded = inner if "truth" in code else coded
        inner = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: " + code.encode() + b"\r\n\r\n" + coded
    found = mail(whole(several("mixed", part("text/plain", b"see"), inner, mark="outer")))
    assert found.text.startswith("see") and found.text.endswith(f"{codec.FORWARDED}\nlamp\n\n{LAMP}")
    assert [one.content for one in found.files] == [PNG]
    told = repr(found._replace(answerable=None, identity=("", "", "")))
    assert not any(word in told for word in (*PERSONS, "rom:", "RnJvbTog"))


def _uuencoded(content: bytes) -> bytes:
    lines = (binascii.b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45))
    return b"begin 666 a\n" + b"".join(lines) + b"`\nend\n"


def test_mails_inside_share_the_limits_of_the_whole() -> None:
    def inside(content: bytes) -> bytes:
        return part("message/rfc822", b"Subject: x\r\n\r\n" + content)

    deep = b"Subject: deep\r\n\r\nx"
    for _ in range(30):
        deep = part("message/rfc822", deep)
    for one in (b"a\n" * 300_000, b"--x\n" * 3_000, b"boundary=x " * 30):
        found = mail(whole(several("mixed", PLAIN, inside(one), inside(one))))
        assert found.text.count(codec.FORWARDED) == 1 and found.missed == {"many": 1}
    assert mail(whole(several("mixed", PLAIN, deep))).missed == {"many": 1}


@pytest.mark.parametrize(
    ("disposition", "kind", "count"),
    [
        ('attachment; filename="张三.png"', "image/png", 1),
        ("inline", "image/png", 1),
        ("attachment", "text/plain; charset=gbk", 1),
        ("inline; filename*=gbk''%D5%C5", "text/html", 1),
        ("inline", "application/ms-tnef; name=winmail.dat", 1),
        ("inline", "text/plain", 0),
        ("inline", "text/plain; name=a.txt", 1),
    ],
)
def test_files(disposition: str, kind: str, count: int) -> None:
    raw = whole(several("mixed", PLAIN, part(kind, b"content", f"Content-Disposition: {disposition}")))
    found = mail(raw)
    assert [one.content for one in found.files] == [b"content"] * count
    assert "张三" not in repr(found.files), "the name of a file is dropped"


PICTURES = [b"\x89PNG\r\n\x1a\n" + bytes([at]) * 3_000 for at in range(12)]


def _page_with(*pictures: bytes, how: str = '<img src="data:image/png;base64,{}">') -> bytes:
    shown = "".join(how.format(base64.encodebytes(one).decode().strip()) for one in pictures)
    return part("text/html; charset=utf-8", f"<p>路灯{shown}</p><p>不亮</p>".encode())


@pytest.mark.parametrize(
    ("body", "files", "missed"),
    [
        (
            several(
                "mixed",
                *(part("image/png", one, "Content-ID: <a>", "Content-Disposition: inline") for one in PICTURES[:11]),
                part("application/pdf", b"%PDF-1", "Content-Disposition: attachment"),
            ),
            [b"%PDF-1", *PICTURES[:9]],
            {"many": 2},
        ),
        (several("mixed", *[part("image/png", PICTURES[0], "Content-ID: <a>")] * 20), PICTURES[:1], {}),
        (several("mixed", part("image/png", PNG, "Content-ID: <a>"), part("image/png", PICTURES[0])), PICTURES[:1], {}),
        (several("mixed", part("image/png", PNG, "Content-ID: <a>", "Content-Disposition: attachment")), [PNG], {}),
        (_page_with(PICTURES[0], PICTURES[1], PNG), PICTURES[:2], {}),
        (_page_with(PICTURES[0] * 150), [PICTURES[0] * 150], {}),
        (_page_with(PICTURES[0], how="<img src='DATA:text/html,{}'>"), [], {"other": 1}),
        (_page_with(*PICTURES[:3], how='<i style="background:url(data:image/png;base64,{})"></i>'), [], {"other": 3}),
    ],
)
def test_attachments_come_before_the_pictures_of_the_text(body: bytes, files: list[bytes], missed: Any) -> None:
    found = mail(whole(several("mixed", part("text/plain", b"a"), body, mark="outer")))
    assert [one.content for one in found.files] == files and found.missed == missed
    assert b"text/html" not in body or found.text == "a\n\n路灯\n\n不亮"


def test_what_stands_in_for_words_that_are_missing() -> None:
    raw = HEADS + several("mixed", part("image/png", PNG))
    assert mail(raw)[:2] == (codec.NO_SUBJECT, codec.NO_TEXT)
    assert mail(heads(Subject="only") + b"\r\n").text == "only"
    long = mail(whole(b"\r\n" + "灯".encode() * 100_001, "s" * 900))
    assert len(long.text) == 100_000 and long.text.endswith(codec.CUT) and len(long.subject) == 500


AUTOMATIC = ["自动回复：已收到", "【自动回复】x", "自动回复", "Automatic reply: x", "Out of office", "AutoReply: x"]
SIGNED = b"0\x80\x06\t*\x86H\x86\xf7\r\x01\x07\x02\xa0\x80" + LAMP.encode()


def _ber(tag: int, *inner: bytes, ends: bool = True) -> bytes:
    content = b"".join(inner)
    size = len(content).to_bytes(4)
    return bytes([tag]) + (b"\x80" + content + b"\0\0" if ends else b"\x84" + size + content)


def _signed(*pieces: bytes, ends: bool) -> bytes:
    """CMS signed-data as programs write it that do not know the length before (`ends`), or that do."""
    kind, data = SIGNED[2:13], bytes.fromhex("06092a864886f70d010701")
    octets = [_ber(0x04, one, ends=False) for one in pieces]
    said = _ber(0xA0, _ber(0x24, *octets, ends=ends) if len(octets) > 1 else b"".join(octets), ends=ends)
    algorithms = _ber(0x31, _ber(0x30, data, ends=ends), ends=ends)
    named = _ber(0xA0, b"\x0c\x05Li Si", ends=False)
    inner = _ber(
        0x30, b"\x02\x01\x01", algorithms, _ber(0x30, data, said if octets else b"", ends=ends), named, ends=ends
    )
    return _ber(0x30, kind, _ber(0xA0, inner, ends=ends), ends=ends)


@pytest.mark.requirement("ING-01")
@pytest.mark.parametrize("ends", [True, False])
def test_the_mail_inside_a_signature_is_read(ends: bool) -> None:
    entity = several("mixed", PLAIN, part("image/png", PNG), mark="inner")
    for content in (_signed(entity, ends=ends), _signed(entity[:50], entity[50:], ends=ends)):
        sealed = part("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", content)
        for body in (sealed, several("mixed", sealed, part("text/plain", b"footer"))):
            found = mail(whole(body))
            assert found.text.startswith(LAMP) and [one.content for one in found.files] == [PNG]
            assert "Li Si" not in repr(found)
    content = _signed(b"\r\n" + LAMP.encode(), ends=ends)
    assert codec.read(whole(part("application/pkcs7-mime", _signed(ends=ends)))) == Aside("signed"), "it is elsewhere"
    for at in range(len(content)):
        for wrong in (content[:at], content[:at] + b"\xff" + content[at + 1 :]):
            found_ = codec.read(whole(part("application/pkcs7-mime", wrong)))
            assert isinstance(found_, Mail) or found_.cause in ("signed", "encrypted")
    sealed = part("application/pkcs7-mime", content)
    for _ in range(12):
        sealed = part("application/pkcs7-mime", _signed(sealed, ends=ends))
    assert mail(whole(sealed)).text == LAMP


def test_a_signature_of_more_pieces_than_any_program_writes_is_not_read() -> None:
    for count, size in ((20_000, 1_000), (signed.ELEMENTS, 0)):
        found = signed.inside(_signed(*[b"x" * size] * count, ends=True))
        assert found == (b"x" * size * count if size else None)


DAYS = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def test_what_a_library_signed_is_read() -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Li Si")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, *DAYS)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(PLAIN)
    builder = builder.add_signer(made.sign(key, hashes.SHA256()), key, hashes.SHA256())
    content = builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    assert mail(whole(part("application/pkcs7-mime", content))).text == LAMP


@pytest.mark.requirement("ING-11")
def test_a_subject_above_files_that_are_not_kept_is_a_report_so_that_its_sender_hears_of_it() -> None:
    found = mail(whole(part("application/msword", b"x"), LAMP))
    assert (found.subject, len(found.files)) == (LAMP, 1) and found.answerable is not None


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (whole(b"\r\nx", Auto_Submitted="auto-replied; x=y"), "automatic"),
        (whole(b"\r\nx", auto_submitted="AUTO-GENERATED"), "automatic"),
        (whole(b"\r\nx", X_Autoreply="yes"), "automatic"),
        (whole(b"\r\nx", Precedence="auto_reply"), "automatic"),
        (whole(b"\r\nx", Precedence="Bulk"), "bulk"),
        (whole(b"\r\nx", Precedence="junk"), "bulk"),
        (whole(b"\r\nx", List_Id="<news.example>"), "bulk"),
        (whole(b"\r\nx", Return_Path="<>"), "returned"),
        (b"From: <MAILER-DAEMON@a.example>\r\nSubject: x\r\n\r\nx", "returned"),
        (whole(several("report", PLAIN)), "returned"),
        (whole(b"\r\nx", List_Id="<town.example.gov.cn>, <news.example>"), "bulk"),
        *((whole(b"\r\nx", **{name: "yes"}), "automatic") for name in ("X-Auto-Reply", "X-Mail-Autoreply")),
        (whole(b"\r\nx", Precedence="Auto-Reply"), "automatic"),
        (whole(b"\r\nx", "=?utf-8?b?6Ieq5Yqo5Zue5aSN77ya?= x", In_Reply_To="<1@a>"), "automatic"),
        *((whole(b"\r\nx", subject, References="<1@a>"), "automatic") for subject in AUTOMATIC),
        (whole(b"\r\nx", X_Failed_Recipients="a@b.example"), "returned"),
        (whole(b"\r\nx", Return_Path="<MAILER-DAEMON>"), "returned"),
        (whole(part("application/pkcs7-mime; smime-type=enveloped-data", b"x")), "encrypted"),
        (whole(several("encrypted", PLAIN)), "encrypted"),
        (whole(several("mixed", PLAIN, part("application/pkcs7-mime", b"x"))), "encrypted"),
        (whole(several("mixed", PLAIN, several("encrypted", RICH, mark="b"))), "encrypted"),
        (whole(part("application/x-pkcs7-mime", SIGNED)), "signed"),
        (whole(several("mixed", part("application/pkcs7-mime; smime-type=signed-data", SIGNED), PLAIN)), "signed"),
        (whole(part("application/ms-tnef; name=winmail.dat", b"x"), ""), "unread-form"),
        (whole(several("mixed", part("text/plain", b" \n"), part("application/ms-tnef", b"x")), ""), "unread-form"),
        (whole(part("text/calendar", b"BEGIN:VCALENDAR"), ""), "unread-form"),
        (whole(part("message/rfc822", whole(part("application/msword", b"x"), "")), ""), "unread-form"),
        (HEADS + b"Subject:  \r\n\r\n \r\n", "empty"),
        (b"", "empty"),
        (whole(b"\r\n" + b"\n" * 600_001), "unreadable"),
        (whole(b"\r\n" + b"a\r" * 600_001), "unreadable"),
        (whole(b"a; boundary (a comment) =x" * 50), "unreadable"),
        (whole(b"\r\n--x" * 5_001), "unreadable"),
    ],
)
def test_what_is_no_report_and_gets_no_reply(raw: bytes, cause: str) -> None:
    assert codec.read(raw, {"town.example.gov.cn"}) == Aside(cause)


def test_a_person_who_says_so_is_no_machine() -> None:
    for name in ("Auto-Submitted", "X-Auto-Reply", "X-Autoreply"):
        mail(whole(b"\r\nx", Return_Path="<a@b.example>", **{name: "No"}))
    for subject in AUTOMATIC:
        mail(whole(b"\r\nx", subject))
    for subject in ("自动回复的短信有误", "回复：自动回复：x", "The office is out"):
        mail(whole(b"\r\nx", subject, In_Reply_To="<1@a>"))
    own = whole(b"\r\nx", List_Id="Letters <Town.example.gov.cn>", Precedence="list")
    assert codec.read(own) == Aside("bulk")
    assert isinstance(codec.read(own, {"town.example.gov.cn"}), Mail), "a group of the office is no mailing"


@pytest.mark.requirement("ING-01")
def test_what_speaks_of_boundaries_is_a_report() -> None:
    assert mail(whole(b"\r\n" + b"the boundary of my field; " * 99)).text.startswith("the boundary")
    full = mailboxes.Mailbox.model_fields["most_bytes"].metadata[1].le
    assert full / 72 < codec.LINES, "the largest mail has fewer lines than are read"


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("From: a@b.example", "a@b.example"),
        ("From: a@b.example\r\nReply-To: Other <c@d.example>", "c@d.example"),
        ("From: a@b.example\r\nReply-To: c@d.example, e@f.example", None),
        *((f"From: a@b.example\r\nReply-To: {none}", "a@b.example") for none in ("", "<>", " ; ", "broken", '""')),
        ("From: a@b.example\r\nReply-To: 张三@b.example", None),
        ("From: =?gbk?b?1cXI/Q==?=n@b.example", None),
        *(
            (f"From: {odd}", None)
            for odd in ("c@d.", "c@.d", "c@d..e", ".c@d.e", "c.@d.e", "c..c@d.e", f"c@{'d' * 300}.e")
        ),
        *(
            (f"From: {words}", "a@b.example")
            for words in ("张三,办公室 <a@b.example>", "[x] <a@b.example>", "x y a@b.example")
        ),
        ("From: 张三,办公室 <a@b.example>, <c@d.example>", None),
        ('From: "quoted local"@b.example', None),
        ("From: 张三@b.example", None),
        ("From: " + "(" * 3_000, None),
        ("From: undisclosed:;", None),
        ("X: y", None),
    ],
)
def test_one_plain_address_gets_the_receipt_or_none(told: str, address: str | None) -> None:
    found = mail(f"{told}\r\nMessage-ID: <1@b>\r\nSubject: x\r\n\r\nx".encode())
    assert found.answerable == (Answerable(address, "<1@b>") if address else None)


def test_the_id_of_a_mail_is_of_its_own_and_of_its_content_and_the_way_changes_nothing() -> None:
    def keyed(*parts: str) -> str:
        return codec.hashlib.sha256(repr(parts).encode()).hexdigest()

    def id_(raw: bytes) -> str:
        return codec.external_id(mail(raw), keyed)

    raw = whole(b"\r\nbody")
    assert id_(raw) == id_(b"Received: by elsewhere\r\n" + raw) and id_(raw).isalpha()
    others = [raw + b"!", raw.replace(b"<1@", b"<2@"), raw.replace(b"Subject: x", b"Subject: y")]
    others += [raw.replace(b"zhangsan@", b"lisi@"), b"Content-Type: text/html\r\n" + raw]
    assert "zhangsan" not in repr(mail(raw).identity)
    without = [raw.replace(b"Message-ID", date) for date in (b"X", b"Date: Mon, 2 Mar 2026\r\nX")]
    assert len({id_(one) for one in (raw, *others, *without)}) == 8
    report = codec.report(mail(raw), "town-east", datetime(2026, 3, 2, tzinfo=UTC), keyed)
    assert (report.channel, report.source) == ("mail", "mail:town-east")
    assert codec.belongs("mail:town-east", codec.sender("town-east")) and codec.belongs("x", codec.sender("county"))
    assert not codec.belongs("mail:town-east", codec.sender("county"))


@pytest.mark.parametrize(
    "raw",
    [
        whole(several("mixed", *[part("image/png", b"x")] * 3_000)),
        whole(b"Content-Type: text/plain; " + b'a=";' * 50_000 + b"\r\n\r\nx"),
        whole(b"\r\nx", "=?utf-8?q?a?= " * 20_000),
        whole(b"Content-Type: " + b"(" * 100_000 + b"\r\n\r\nx"),
        whole(b"Content-Type: text/plain; " + b"".join(b"a*%d=b; " % at for at in range(9_000)) + b"\r\n\r\nx"),
        whole(part("text/html", b"<p style='padding-left:99999em'>x</p>" * 9_000)),
        whole(part("text/html", b"<table><tr><td>" + b"x" * 200_000 + b"</td></tr>" + b"<tr><td>y</td></tr>" * 9_000)),
        whole(b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 666 a\r\n" + b"M" * 900_000),
        whole(b"Content-Type: message/rfc822\r\n\r\n" * 20_000),
        b"".join(b"X-%d: y\r\n" % at for at in range(100_000)) + whole(b"\r\nx"),
        whole(b"\r\n" + b"\n" * 400_000),
        whole(several("mixed", *[part("text/html", b"<ul>" * 240 + b"<li>x" * 80_000)] * 3)),
        whole(several("mixed", *[part("text/html", b"<b>" * 100_000)] * 75)),
        whole(b"\r\n" + b"boundary" * 1_000_000),
        whole(several("mixed", *[b"Content-Type: text/x%d%s\r\n\r\nx" % (at, b";" * 3_900) for at in range(4_900)])),
        whole(several("mixed", *[b"Content-Type: text/plain%s\r\n\r\nx" % (b"(x)" * 1_200)] * 4_900)),
        whole(several("mixed", *[part("image/png", b"x", "Content-ID: " + "=?x " * 990)] * 190)),
    ],
    ids=range(17),
)
def test_a_hostile_mail_takes_seconds_at_the_most(raw: bytes) -> None:
    began = time.process_time()
    codec.read(raw)
    assert time.process_time() - began < 5


def test_a_reply_holds_the_receipt_and_nothing_that_the_sender_wrote(tmp_path: Path) -> None:
    box = mailboxes.load(Settings(mailboxes=_file(tmp_path)))["town-east"]
    told = reply.Told("ABCD-EFGH-IJKL", 2, {"archive": 1, "other": 3})
    to = Answerable("zhangsan@sender.example", "<1@sender.example>")
    made = reply.message(to, told, box, "东镇", "https://a.example/receipt", "f" * 40)
    assert isinstance(made, EmailMessage)
    assert {name: made[name] for name in ("Auto-Submitted", "In-Reply-To", "Message-ID", "From", "To")} == {
        "Auto-Submitted": "auto-replied",
        "In-Reply-To": "<1@sender.example>",
        "Message-ID": f"<{'f' * 40}@town-east.example>",
        "From": "office@town-east.example",
        "To": "zhangsan@sender.example",
    }
    text = made.get_content()
    for part_ in ("东镇", "ABCD-EFGH-IJKL", "https://a.example/receipt?lang=en", "2 个", "压缩包或办公软件文档 1 个"):
        assert part_ in text
    assert codec.read(made.as_bytes()) == Aside("automatic"), "two machines never answer each other"


LONG_ID = f"<{'a' * 40}@TYZPR01MB1234.apcprd01.prod.example.org>"


@pytest.mark.parametrize(
    ("sent_id", "quoted"),
    [
        ("<1@sender.example>", True),
        (LONG_ID, True),
        ('<a,b;c"d(e@f>', True),
        ("<=?utf-8?q?x=3E=0D=0AContent-Type:_text/html=0D=0A=0D=0Ax?=>", False),
        ("<=?utf-8?q?=FF=E4=BD=A0?=>", False),
        ("<a=?utf-8?q?b?=@c>", False),
        ("<a@b> <c@d>", False),
    ],
)
def test_a_reply_names_the_mail_as_it_came_or_not_at_all(tmp_path: Path, sent_id: str, quoted: bool) -> None:
    box = mailboxes.load(Settings(mailboxes=_file(tmp_path)))["town-east"]
    to = mail(whole(b"\r\nx").replace(b"<1@sender.example>", sent_id.encode())).answerable
    assert to is not None and to.sent_id == (sent_id if quoted else None)
    for told in (to, to._replace(sent_id=sent_id)):
        sent = reply.letter(reply.message(told, reply.Told("R", 0, {}), box, "东镇", "https://a.example", "f" * 40))
        assert sent[:2] == ("office@town-east.example", "zhangsan@sender.example")
        lines = sent.content.partition(b"\r\n\r\n")[0].split(b"\r\n")
        named = [line for line in lines if line.startswith((b"In-Reply-To: ", b"References: "))]
        assert len(lines) == 9 + len(named)
        assert {line.partition(b": ")[2].decode() for line in named} == ({told.sent_id} if told.sent_id else set())


def test_a_server_that_answers_anything_is_told_and_one_letter_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = mailboxes.load(Settings(mailboxes=_file(tmp_path)))["town-east"]

    raised = list[Exception]()

    def refuses(_: Any) -> Any:
        raise raised[-1]

    monkeypatch.setattr(reply, "_connected", refuses)
    refused = "refuses the user, the secret or the address of the mailbox: 535"
    for error, says in (
        (KeyError("张三"), "cannot be used: KeyError"),
        (mailboxes.UnusableSecret("it is long"), "cannot be used: it is long"),
        (ValueError("张三"), "cannot be used: ValueError"),
        (smtplib.SMTPConnectError(421, "too busy"), "takes no mail now: 421"),
        (smtplib.SMTPHeloError(554, "no"), "takes no mail now: 554"),
        (smtplib.SMTPSenderRefused(451, b"later", "a@b.example"), "takes no mail now: 451"),
        (smtplib.SMTPAuthenticationError(454, "later"), "takes no mail now: 454"),
        (smtplib.SMTPAuthenticationError(535, "no"), refused),
        (smtplib.SMTPSenderRefused(535, b"no", "a@b.example"), refused),
    ):
        raised.append(error)
        found = reply.send(box.smtp, [reply.Letter("a@b.example", "c@d.example", b"x")])
        assert found == ([None], f"mail.example:465 {says}", {}), error


def test_only_a_server_that_refuses_who_signs_in_is_told_to_refuse_it(tmp_path: Path) -> None:
    inbox = Inbox(mailboxes.load(Settings(mailboxes=_file(tmp_path)))["town-east"])
    for error, says, is_refused in (
        (IMAPClientError("b'[AUTHENTICATIONFAILED] no'"), "refuses the user or the secret", True),
        (IMAPClientError("b'[UNAVAILABLE] later'"), "cannot be signed in to now: it says", False),
        (IMAPClientAbortError("socket error: EOF"), "cannot be signed in to: it ended the connection", False),
    ):
        refusal = LoginError(str(error))
        refusal.__context__ = error
        with pytest.raises(Away, match=says) as told, inbox._doing("signed in to"):
            raise refusal
        assert isinstance(told.value, SignInRefused) is is_refused
    with pytest.raises(Away) as told, inbox._doing("read"):
        raise ValueError("张三")
    assert "张三" not in str(told.value), "what a library says of an answer could be part of a mail"


def _file(folder: Path, **more: Any) -> Path:
    (folder / "secret").write_text("s\n")
    sign_in = {"host": "mail.example", "user": "u", "secret_file": str(folder / "secret")}
    box = {"imap": sign_in, "smtp": sign_in, "address": "office@town-east.example", "since": "2026-03-02"}
    box |= more
    file = folder / "mailboxes.yaml"
    file.write_text(yaml.safe_dump({"mailboxes": {"town-east": {k: v for k, v in box.items() if v is not None}}}))
    return file


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            {"imap": {"host": "mail.example", "user": "u"}},
            "mailboxes.town-east.imap: user and its secret come together",
        ),
        ({"imap": {"host": "a", "user": "u", "secret_file": "/no"}}, "imap.secret_file: there is no file /no"),
        (
            {"smtp": {"host": "a", "user": "u", "secret_variable": "NO_SUCH"}},
            "smtp.secret_variable: the environment has",
        ),
        ({"smtp": {"host": "a", "tls": "none"}}, "mailboxes.town-east.smtp: without TLS whoever is on the way"),
        ({"smtp": {"host": "a", "port": "x"}}, "mailboxes.town-east.smtp.port"),
        ({"smtp": None}, "mailboxes.town-east.smtp"),
        ({"since": None}, "mailboxes.town-east.since"),
        ({"password": "x"}, "mailboxes.town-east.password"),
        ({"done": "inbox"}, "inbox, done and aside are three folders"),
        ({"address": "no address"}, "mailboxes.town-east.address: is no address of mail; write one"),
        ({"imap": {"host": "a b", "user": "u"}}, "mailboxes.town-east.imap.host: is no name of a server"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, fault: dict[str, Any], says: str) -> None:
    with pytest.raises(DocumentError) as refused:
        mailboxes.load(Settings(mailboxes=_file(tmp_path, **fault)))
    told = str(refused.value)
    assert says in told and str(tmp_path / "mailboxes.yaml:") in told, told


@pytest.mark.parametrize("folders", [{}, {"inbox": "huiying-done"}, {"aside": "INBOX"}, {"done": "Huiying-Aside"}])
def test_a_folder_of_an_account_has_one_use(tmp_path: Path, folders: dict[str, str]) -> None:
    file = _file(tmp_path)
    first = yaml.safe_load(file.read_text())["mailboxes"]["town-east"]
    others = {"inbox": "West", "done": "West-Done", "aside": "West-Aside"}
    second = first | others | {"imap": first["imap"] | {"host": "Mail.example.", "port": 994}}

    def load(more: dict[str, str]) -> Any:
        file.write_text(yaml.safe_dump({"mailboxes": {"town-east": first, "town-west": second | more}}))
        return mailboxes.load(Settings(mailboxes=file))

    assert len(load({})) == 2
    with pytest.raises(DocumentError, match=r"of town-west is the folder .* of town-east"):
        load(folders or {"inbox": "inbox"})


def test_secrets_come_from_files_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_SECRET", "from the environment")
    smtp = {"host": "mail.example", "user": "u", "secret_variable": "MAIL_SECRET"}
    box = mailboxes.load(Settings(mailboxes=_file(tmp_path, smtp=smtp)))["town-east"]
    assert (box.imap.secret(), box.smtp.secret()) == ("s", "from the environment")
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfs of notepad\r\n")
    assert box.imap.secret() == "s of notepad"
    for wrong in ("密码".encode(), "密码".encode("gbk"), b"a\nb"):
        (tmp_path / "secret").write_bytes(wrong)
        with pytest.raises(ValueError, match="the secret has characters beyond ASCII, or several lines"):
            box.imap.secret()
    assert (box.imap.port, box.smtp.port, box.done_days) == (993, 465, 7)
    assert mailboxes.load(Settings()) == {}
