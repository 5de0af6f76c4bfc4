"""The words of HTML pages that come as mails. Pure."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, cast

from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.html_properties import Display
from inscriptis.model.config import ParserConfig
from inscriptis.model.html_element import HtmlElement
from lxml import html as trees  # type: ignore[import-untyped]

_FLAT = {tag: HtmlElement(display=Display.block) for tag in ("ul", "ol")}
STYLE = ParserConfig(css=CSS_PROFILES["strict"] | _FLAT)
_ROWS = {"table": "div", "thead": "div", "tbody": "div", "tfoot": "div", "tr": "div", "td": "span", "th": "span"}


def text(source: str) -> str:
    """The words of an HTML page, without what it hides. Tables are read row by row and lists stand at the edge: padded,
    a small page could fill the memory.
    """
    source = re.sub(r"^\s*<\?xml[^>]*>", "", source)
    try:
        tree = trees.fromstring(source)
        for element in list(_elements(tree)):
            if _is_hidden(element.attrib.pop("style", "")):
                for child in list(element):
                    element.remove(child)
                element.text = None
            elif element.tag in _ROWS:
                if element.tag in ("td", "th"):
                    element.tail = f" {element.tail or ''}"
                element.tag = _ROWS[element.tag]
        return cast("str", Inscriptis(tree, STYLE).get_text())
    except Exception:  # noqa: BLE001  the libraries raise anything at a page that is wrong enough
        return unescape(re.sub(r"<[^<>]{0,2000}>", " ", source))


def _elements(tree: Any) -> Iterator[Any]:
    return (one for one in tree.iter() if isinstance(one.tag, str))


def _is_hidden(style: str) -> bool:
    return "display:none" in "".join(style.split()).lower()
