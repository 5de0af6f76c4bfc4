"""What the pages of a document show is kept. Nothing else is ever stored."""

import io
import tempfile
import warnings
import zlib
from collections.abc import Callable

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText, Link
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    EncodedStreamObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from services.kernel.core.problems import Malformed, TooLarge
from services.kernel.uploads.documents import rewritten
from tests.kernel.test_pictures import SECRET, TAKEN

SHOWN = "Lamp 12 of 36 is repaired"
HIDDEN = SECRET.decode()


def page(writer: PdfWriter, text: str = SHOWN) -> DictionaryObject:
    """A page that shows a text."""
    made = writer.add_blank_page(595, 842)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    named = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
    fonts = DictionaryObject({NameObject("/F1"): named})
    made[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode())
    made[NameObject("/Contents")] = writer._add_object(stream)
    return made


def pdf(change: Callable[[PdfWriter, DictionaryObject], object] | None = None, pages: int = 1) -> bytes:
    writer = PdfWriter()
    made = [page(writer) for _ in range(pages)]
    if change is not None:
        change(writer, made[0])
    return written(writer)


def written(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def anew(data: bytes, pages: int = 20) -> tuple[bytes, list[str]]:
    """The document as the service writes it, and the texts of its pages."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        with rewritten(file, pages) as found:
            assert HIDDEN not in "".join(found.beside)
            return found.file.read(), found.pages


def beside(data: bytes) -> str:
    """What the document says beside its pages."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        with rewritten(file, 20) as found:
            return "\n".join(found.beside)


def _metadata(writer: PdfWriter, _: DictionaryObject) -> None:
    writer.add_metadata({"/Author": HIDDEN, "/Title": HIDDEN})
    xmp = DecodedStreamObject()
    xmp.set_data(SECRET)
    writer.root_object[NameObject("/Metadata")] = writer._add_object(xmp)


def _script(writer: PdfWriter, _: DictionaryObject) -> None:
    action = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject(HIDDEN)}
    writer.root_object[NameObject("/OpenAction")] = writer._add_object(DictionaryObject(action))


def _opens(writer: PdfWriter, _: DictionaryObject) -> None:
    launch = {NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject(HIDDEN)}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(launch)


def _attached(writer: PdfWriter, _: DictionaryObject) -> None:
    writer.add_attachment("list.txt", SECRET)


def comment(writer: PdfWriter, _: DictionaryObject) -> None:
    note = FreeText(text=HIDDEN, rect=(50, 550, 200, 650))
    note[NameObject("/T")] = TextStringObject(HIDDEN)
    writer.add_annotation(0, note)


def _worked_on(writer: PdfWriter, made: DictionaryObject) -> None:
    made[NameObject("/PieceInfo")] = DictionaryObject({NameObject("/App"): TextStringObject(HIDDEN)})


def _photographed(writer: PdfWriter, made: DictionaryObject) -> None:
    picture = EncodedStreamObject()
    picture._data = TAKEN
    names = {"/Type": "/XObject", "/Subtype": "/Image", "/Filter": "/DCTDecode", "/ColorSpace": "/DeviceRGB"}
    picture.update({NameObject(key): NameObject(value) for key, value in names.items()})
    picture.update({NameObject(f"/{key}"): NumberObject(8) for key in ("Width", "Height", "BitsPerComponent")})
    shown = DictionaryObject({NameObject("/P"): writer._add_object(picture)})
    made["/Resources"][NameObject("/XObject")] = shown


@pytest.mark.parametrize("change", [_metadata, _script, _opens, _attached, comment, _worked_on])
def test_only_what_pages_show_is_left(change: Callable[..., None]) -> None:
    sent = pdf(change)
    assert PdfReader(io.BytesIO(sent)).pages, "the document is whole"
    new, texts = anew(sent)
    assert texts == [SHOWN]
    assert SECRET not in _plain(new)
    found = PdfReader(io.BytesIO(new))
    assert not found.metadata
    assert set(found.root_object) <= {"/Type", "/Pages"}


def _tags(writer: PdfWriter, **leads: object) -> None:
    """Tags of the document, of which one leads to something."""
    tree = writer._add_object(DictionaryObject({NameObject("/Type"): NameObject("/StructTreeRoot")}))
    tag = {NameObject("/S"): NameObject("/P"), NameObject("/P"): tree}
    tag.update({NameObject(f"/{name}"): value for name, value in leads.items()})
    tree.get_object()[NameObject("/K")] = writer._add_object(DictionaryObject(tag))
    writer.root_object[NameObject("/StructTreeRoot")] = tree


def _tagged_comment(writer: PdfWriter, made: DictionaryObject) -> None:
    comment(writer, made)
    (note,) = made["/Annots"]
    lead = {NameObject("/Type"): NameObject("/OBJR"), NameObject("/Obj"): note}
    _tags(writer, K=DictionaryObject(lead))


def _page_taken_out(writer: PdfWriter, _: DictionaryObject) -> DictionaryObject:
    """A page that is none of the document's any more."""
    old = {NameObject("/Type"): NameObject("/Page"), NameObject("/Contents"): _stream(writer, HIDDEN)}
    return writer._add_object(DictionaryObject(old))


def _tagged_page(writer: PdfWriter, made: DictionaryObject) -> None:
    _tags(writer, Pg=_page_taken_out(writer, made))


def _outlined_page(writer: PdfWriter, made: DictionaryObject) -> None:
    outline(writer, "1")
    heading = writer.root_object["/Outlines"]["/First"]
    heading[NameObject("/Dest")] = ArrayObject([_page_taken_out(writer, made), NameObject("/Fit")])


def outline(writer: PdfWriter, words: str) -> None:
    """A heading beside the pages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library calls itself in a way that it will give up
        writer.add_outline_item(title=words, page_number=0)


def _own_entry(_: PdfWriter, made: DictionaryObject) -> None:
    made[NameObject("/Scanner")] = TextStringObject(HIDDEN)


def _alternate(writer: PdfWriter, made: DictionaryObject) -> None:
    _photographed(writer, made)
    other = DictionaryObject({NameObject("/Image"): _stream(writer, HIDDEN)})
    made["/Resources"]["/XObject"]["/P"][NameObject("/Alternates")] = ArrayObject([other])


@pytest.mark.parametrize("change", [_tagged_comment, _tagged_page, _outlined_page, _own_entry, _alternate])
def test_what_no_page_shows_is_gone_also_if_something_else_leads_to_it(change: Callable[..., None]) -> None:
    sent = pdf(change)
    assert SECRET in _plain(sent)
    new, texts = anew(sent)
    assert texts == [SHOWN]
    assert SECRET not in _plain(new)


def _elsewhere(writer: PdfWriter, picture: EncodedStreamObject) -> None:
    picture[NameObject("/Filter")] = writer._add_object(NameObject("/DCTDecode"))


def _packed(_: PdfWriter, picture: EncodedStreamObject) -> None:
    picture[NameObject("/Filter")] = ArrayObject([NameObject("/FlateDecode"), NameObject("/DCTDecode")])
    picture._data = zlib.compress(TAKEN)


def _in_digits(_: PdfWriter, picture: EncodedStreamObject) -> None:
    picture[NameObject("/Filter")] = ArrayObject([NameObject("/ASCIIHexDecode"), NameObject("/DCTDecode")])
    picture._data = TAKEN.hex().encode() + b">"


@pytest.mark.parametrize("change", [lambda *_: None, _elsewhere, _packed, _in_digits])
def test_a_picture_in_it_loses_what_the_camera_wrote(change: Callable[[PdfWriter, EncodedStreamObject], None]) -> None:
    def photographed(writer: PdfWriter, made: DictionaryObject) -> None:
        _photographed(writer, made)
        change(writer, made["/Resources"]["/XObject"]["/P"])

    new, _ = anew(pdf(photographed))
    (picture,) = (one.get_object() for one in PdfReader(io.BytesIO(new)).pages[0]["/Resources"]["/XObject"].values())
    assert SECRET not in picture._data
    assert Image.open(io.BytesIO(picture._data)).tobytes() == pixels(TAKEN)


def pixels(picture: bytes) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its data name a second picture that is not there
        return Image.open(io.BytesIO(picture)).tobytes()


def test_earlier_versions_of_it_are_gone() -> None:
    sent = pdf(lambda writer, made: made.__setitem__(NameObject("/Contents"), _stream(writer, HIDDEN)))
    later = PdfWriter(io.BytesIO(sent), incremental=True)
    later.pages[0][NameObject("/Contents")] = _stream(later, SHOWN)
    both = written(later)
    assert SECRET in both
    new, texts = anew(both)
    assert texts == [SHOWN]
    assert SECRET not in _plain(new)


def _stream(writer: PdfWriter, text: str) -> object:
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode())
    return writer._add_object(stream)


def test_links_stay_and_lead_to_places_alone() -> None:
    def change(writer: PdfWriter, _: DictionaryObject) -> None:
        writer.add_annotation(0, Link(rect=(1, 1, 9, 9), url="https://example.gov.cn/"))
        writer.add_annotation(0, Link(rect=(1, 1, 9, 9), url="javascript:alert(1)"))

    new, _ = anew(pdf(change))
    links = [one.get_object() for one in PdfReader(io.BytesIO(new)).pages[0]["/Annots"]]
    assert [one["/A"]["/URI"] for one in links] == ["https://example.gov.cn/"]


def _field(kind: str, **more: object) -> Callable[[PdfWriter, DictionaryObject], None]:
    def change(writer: PdfWriter, _: DictionaryObject) -> None:
        field = DictionaryObject({NameObject("/FT"): NameObject(kind), NameObject("/T"): TextStringObject("f")})
        field.update({NameObject(f"/{name}"): value for name, value in more.items()})
        fields = ArrayObject([writer._add_object(field)])
        writer.root_object[NameObject("/AcroForm")] = DictionaryObject({NameObject("/Fields"): fields})

    return change


def _locked() -> bytes:
    writer = PdfWriter()
    page(writer)
    writer.encrypt("open sesame", algorithm="AES-256")
    return written(writer)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (_locked(), "password"),
        (pdf(_field("/Sig", V=DictionaryObject())), "signature"),
        (pdf(_field("/Tx")), "fields to fill in"),
        (b"%PDF-1.7\nnothing", "damaged"),
        (pdf()[:200], "damaged"),
    ],
    ids=["locked", "signed", "form", "nothing", "cut"],
)
def test_what_cannot_be_written_anew_is_refused(sent: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        anew(sent)


def test_it_has_a_limit_of_pages() -> None:
    assert len(anew(pdf(pages=3), pages=3)[1]) == 3
    with pytest.raises(TooLarge, match="4 pages; at most 3"):
        anew(pdf(pages=4), pages=3)


def test_a_page_holds_no_more_words_than_can_be_searched() -> None:
    with pytest.raises(TooLarge, match="simpler"):
        anew(pdf(lambda writer, _: page(writer, "1-" * 60_000)))
    with pytest.raises(TooLarge, match="simpler"):
        anew(pdf(lambda writer, _: outline(writer, "1-" * 60_000)))


def test_no_layer_of_it_stays_switched_off() -> None:
    def change(writer: PdfWriter, made: DictionaryObject) -> None:
        _photographed(writer, made)
        layer = writer._add_object(DictionaryObject({NameObject("/Type"): NameObject("/OCG")}))
        made["/Resources"]["/XObject"]["/P"][NameObject("/OC")] = layer
        off = DictionaryObject({NameObject("/OFF"): ArrayObject([layer])})
        layers = {NameObject("/OCGs"): ArrayObject([layer]), NameObject("/D"): off}
        writer.root_object[NameObject("/OCProperties")] = DictionaryObject(layers)

    new, _ = anew(pdf(change))
    found = PdfReader(io.BytesIO(new))
    assert "/OCProperties" not in found.root_object
    assert "/OC" not in found.pages[0]["/Resources"]["/XObject"]["/P"]


def _plain(data: bytes) -> bytes:
    """All streams of a document, unpacked, beside its own bytes."""
    reader = PdfReader(io.BytesIO(data))
    found = [data]
    for number in (*reader.xref[0], *reader.xref_objStm):
        one = reader.get_object(number)
        found.append(one.get_data() if hasattr(one, "get_data") else repr(one).encode())
    return b"\n".join(found)


NUMBER = "430102199003077518"


def _leads(writer: PdfWriter, _: DictionaryObject) -> None:
    writer.add_annotation(page_number=0, annotation=Link(rect=(1, 1, 9, 9), url=f"https://example.cn/?id={NUMBER}"))


def _labelled(writer: PdfWriter, _: DictionaryObject) -> None:
    writer.set_page_label(0, 0, style="/D", prefix=NUMBER)


@pytest.mark.parametrize("change", [_leads, _labelled])
def test_what_it_says_beside_its_pages_is_read_too(change: Callable[..., None]) -> None:
    sent = pdf(change)
    assert NUMBER in beside(sent), "it stays in the document, so it is searched"
    assert anew(sent)[1] == [SHOWN]


def test_what_is_copied_in_place_of_what_is_shown_is_read_with_its_page() -> None:
    said = f"/Span << /ActualText ({NUMBER}) >> BDC BT /F1 12 Tf 72 700 Td (x) Tj ET EMC".encode()
    assert NUMBER in anew(_drawn(said))[1][0]


def _drawn(content: bytes, font: DictionaryObject | None = None) -> bytes:
    """A document with one page of this content, in this font."""

    def change(writer: PdfWriter, made: DictionaryObject) -> None:
        stream = DecodedStreamObject()
        stream.set_data(content)
        made[NameObject("/Contents")] = writer._add_object(stream)
        if font is not None:
            fonts = made["/Resources"]["/Font"]
            fonts[NameObject("/F1")], fonts[NameObject("/F2")] = font, fonts["/F1"]

    return pdf(change)


def _of_many(encoding: str) -> DictionaryObject:
    """A font of Chinese characters without a table that names them, as programs here write it."""
    info = {
        "/Registry": TextStringObject("Adobe"),
        "/Ordering": TextStringObject("GB1"),
        "/Supplement": NumberObject(2),
    }
    within = DictionaryObject({NameObject("/Type"): NameObject("/Font"), NameObject("/DW"): NumberObject(1000)})
    within[NameObject("/Subtype")] = NameObject("/CIDFontType2")
    within[NameObject("/CIDSystemInfo")] = DictionaryObject({NameObject(key): value for key, value in info.items()})
    font = {"/Type": "/Font", "/Subtype": "/Type0", "/BaseFont": "/SimSun", "/Encoding": encoding}
    made = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
    made[NameObject("/DescendantFonts")] = ArrayObject([within])
    return made


def _shows(codes: bytes) -> bytes:
    return f"BT /F1 12 Tf 72 700 Td <{codes.hex()}> Tj ET".encode()


@pytest.mark.parametrize("encoding", ["/GBK-EUC-H", "/GBKp-EUC-H", "/GBKp-EUC-V", "/GBK2K-H", "/UniGB-UTF16-H"])
def test_chinese_encodings_are_read_and_written_as_they_came(encoding: str) -> None:
    text = f"身份证{NUMBER}号"
    codes = text.encode("utf-16-be" if "Uni" in encoding else "gb18030")
    new, texts = anew(_drawn(_shows(codes), _of_many(encoding)))
    assert texts == [text]
    assert PdfReader(io.BytesIO(new)).pages[0]["/Resources"]["/Font"]["/F1"]["/Encoding"] == encoding


def _glyphs() -> DictionaryObject:
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/ABCDEF+FzBookMaker2DlFont"}
    made = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
    names = [NameObject(f"/G{0x30 + digit:X}") for digit in range(10)]
    differences = ArrayObject([NumberObject(1), *names])
    made[NameObject("/Encoding")] = DictionaryObject({NameObject("/Differences"): differences})
    return made


NUMBERED = b"".join((0x13 + int(digit)).to_bytes(2, "big") for digit in NUMBER)


@pytest.mark.parametrize(
    ("codes", "font"),
    [
        (NUMBERED, _of_many("/Identity-H")),
        (NUMBERED, _of_many("/GBT-EUC-H")),
        (bytes(1 + int(digit) for digit in NUMBER), _glyphs()),
    ],
    ids=["glyphs alone", "encoding unknown", "names unknown"],
)
def test_text_whose_characters_have_no_names_is_refused_with_the_page(codes: bytes, font: DictionaryObject) -> None:
    with pytest.raises(Malformed, match="page 1"):
        anew(_drawn(_shows(codes), font))


def test_a_few_symbols_without_names_do_no_harm() -> None:
    symbols = b" ".join(_shows(NUMBERED[:2]) + f" BT /F2 12 Tf (line {line}) Tj ET".encode() for line in range(20))
    _, (text,) = anew(_drawn(symbols, _of_many("/Identity-H")))
    assert "line 19" in text


def test_a_page_of_very_many_drawings_is_read_to_its_end() -> None:
    def change(writer: PdfWriter, made: DictionaryObject) -> None:
        drawing = DecodedStreamObject()
        drawing.set_data(b"0 0 1 1 re f")
        last = DecodedStreamObject()
        last.set_data(f"BT /F1 12 Tf ({NUMBER}) Tj ET".encode())
        box = ArrayObject([NumberObject(side) for side in (0, 0, 595, 842)])
        named = DictionaryObject()
        for name, one in (("/D", drawing), ("/L", last)):
            one.update({NameObject("/Subtype"): NameObject("/Form"), NameObject("/BBox"): box})
            fonts = DictionaryObject({NameObject("/Font"): DictionaryObject(made["/Resources"]["/Font"])})
            one[NameObject("/Resources")] = fonts
            named[NameObject(name)] = writer._add_object(one)
        made["/Resources"][NameObject("/XObject")] = named
        made[NameObject("/Contents")] = writer._add_object(_content(b"/D Do " * 5_000 + b"/L Do"))

    assert NUMBER in anew(pdf(change))[1][0]


def _content(content: bytes) -> DecodedStreamObject:
    stream = DecodedStreamObject()
    stream.set_data(content)
    return stream
