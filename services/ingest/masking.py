"""Masks personal numbers and handles in free text, before anything is stored.

One ordered table says what is masked; `mask` is a loop over it. Two rules carry its properties:

- Patterns see a plain copy of the text, one character for each of the original: full-width digits and letters, dashes
  and spaces in their ASCII form, letters small. Found places are replaced in the original, so the rest keeps its form.
- A marker is a wall: what lies between two markers is masked as if it stood alone, until no pattern finds anything.
  A second call meets the same pieces and finds nothing, so masking is idempotent whatever the table says.

Every pattern is bounded in length, or begins only where a run of characters begins and takes it whole (possessively):
the work grows with the text, whatever somebody sends. Every rule names what no text without it can match (`_NEEDS`),
and most texts are done after those few looks.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType


class Kind(StrEnum):
    """What is masked."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    IDENTITY_CARD = "identity_card"
    DOCUMENT = "document"
    BANK_CARD = "bank_card"
    EMAIL = "email"
    PLATE = "plate"
    ACCOUNT = "account"
    PROFILE = "profile"


MARKERS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.MOBILE: "[手机号]",
        Kind.LANDLINE: "[电话]",
        Kind.IDENTITY_CARD: "[身份证号]",
        Kind.DOCUMENT: "[证件号]",
        Kind.BANK_CARD: "[银行卡号]",
        Kind.EMAIL: "[电子邮箱]",
        Kind.PLATE: "[车牌号]",
        Kind.ACCOUNT: "[账号]",
        Kind.PROFILE: "[个人主页]",
    }
)


@dataclass(frozen=True, slots=True)
class Masked:
    """The text as it may be stored, and how often each kind was masked in it."""

    text: str
    counts: Mapping[str, int]


def mask(text: str) -> Masked:
    """Replaces personal numbers, handles and profile addresses by markers; everything else stays as written."""
    plain = _OTHER.sub(_plain_of, text)
    found: list[tuple[int, int, Kind]] = []
    pending = list(_between([match.span() for match in _MARKER.finditer(text)], 0, len(text)))
    while pending:
        start, end = pending.pop()
        piece = plain[start:end]
        has = {name for name, needed in _NEEDS.items() if needed.search(piece)}
        for kind, need, pattern, holds in _TABLE:
            if need not in has:
                continue
            places = [match.span(1) for match in pattern.finditer(piece) if holds(match[1])]
            if places:
                walls = [(start + first, start + last) for first, last in places]
                found.extend((first, last, kind) for first, last in walls)
                pending.extend(_between(walls, start, end))
                break
    if not found:
        return Masked(text, _NOTHING)
    found.sort()
    parts: list[str] = []
    position = 0
    for first, last, kind in found:
        parts += text[position:first], MARKERS[kind]
        position = last
    parts.append(text[position:])
    return Masked("".join(parts), MappingProxyType(dict(Counter(kind.value for _, _, kind in found))))


def normalise(text: str) -> str:
    """The same string for the same subject: no case, width, white space or punctuation. For keyed matching."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(char for char in folded if char not in _ASCII_MARKS and unicodedata.category(char)[0] not in "ZPC")
    # What was removed may have kept a letter from its accent.
    return unicodedata.normalize("NFKC", kept)


def luhn(digits: str) -> bool:
    """The check of bank card numbers (ISO/IEC 7812-1)."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(sum(divmod(2 * value, 10)) for value in values[1::2])) % 10 == 0


def identity_check(number: str) -> bool:
    """The check character of an 18-digit identity card number (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _IDENTITY_WEIGHTS, strict=True))
    return "10x98765432"[total % 11] == number[17].lower()


def is_post_number(text: str) -> bool:
    """Whether an identifier is a number such as platforms give to posts; an identity card names a birthday."""
    number = len(text) in range(16, 20) and text.isascii() and text.isdigit()
    return number and not (len(text) == 18 and _names_birth(text, text[6:14]))


_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ASCII_MARKS = frozenset(string.punctuation)
_NOTHING: Mapping[str, int] = MappingProxyType({})
_MARKER = re.compile("|".join(re.escape(marker) for marker in MARKERS.values()))


def _between(walls: list[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The non-empty pieces of start..end that lie outside the walls, which are in order."""
    for first, last in (*walls, (end, end)):
        if first > start:
            yield start, first
        start = last


# Most characters of a text are their own plain form; only the others are looked up.
_OTHER = re.compile(r"[^a-z0-9 \n\u4e00-\u9fff、。-]")


def _plain_of(match: re.Match[str]) -> str:
    return _plain(match[0])


@lru_cache(16_384)
def _plain(char: str) -> str:
    """One character in its ASCII form where it has one; never more than one, so that places stay the same."""
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    if category == "Cf":
        return _UNSEEN
    if category == "No":
        return char  # the ① before a number is not its first digit
    plain = unicodedata.normalize("NFKC", char).lower()
    return plain if len(plain) == 1 else char


# -- Checks: what a pattern alone cannot tell ------------------------------------------------------------------------


def _any(_: str) -> bool:
    return True


def _digits(found: str) -> str:
    return "".join(char for char in found if char in "0123456789x")


def _is_identity(found: str) -> bool:
    """The check character, or a province and a birthday: a mistyped number is still somebody's."""
    number = _digits(found)
    return identity_check(number) or _names_birth(number, number[6:14])


def _is_old_identity(found: str) -> bool:
    return _names_birth(found, "19" + found[6:12])


def _names_birth(number: str, birth: str) -> bool:
    if number[0] not in "12345689" or number[1] not in "1234567" or not "1850" < birth[:4] < "2100":
        return False
    try:
        date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))
    except ValueError:
        return False
    return True


def _is_card(found: str) -> bool:
    return luhn(_digits(found))


def _is_plate(found: str) -> bool:
    """A plate carries two digits at least; a word after a province's short name does not."""
    return sum(char in string.digits for char in found) >= 2


def _is_name(found: str) -> bool:
    """Names on the platforms have at most 30 half-width places; a longer run is a sentence after a stray sign."""
    return sum(2 if ord(char) > 0x2E7F else 1 for char in found) <= 31


# -- Patterns. Group 1 is what is masked; all are written for the plain copy ------------------------------------------

_UNSEEN = "\u200b"
_GAP = rf"[ \t{_UNSEEN}-]{{0,3}}"  # what people put between the groups of a number
_GAPPED = rf"[ \t{_UNSEEN}.-]{{1,3}}"
_FROM, _TO = r"(?=[0-9])(?<![0-9])", r"(?![0-9])"  # looking ahead first costs least
_DIAL = r"(?=[+(]|(?<![0-9])[0-9])"
_ID = r"[a-z0-9_]"  # ASCII only: \w takes Chinese text along
_IS = r"[\s:=是为叫加(“‘\"'「《<【-]{0,4}"  # between a word such as 微信号 and what it announces
_SAYS = r"\s?[:=是为(“\"「]\s?"  # the same where the word alone announces nothing

# In an address of a post the long number is the post's own.
_NOT_A_POST = "".join(
    f"(?<!/{word}/)"
    for word in ("status", "statuses", "detail", "video", "note", "article", "answer", "question", "photo", "group")
)

_HOST = r"(?=[a-z0-9])(?<![a-z0-9_.-])(?:https?://)?(?:[a-z0-9-]{1,63}\.){0,3}"
_REST = r"[a-z0-9_./@&=%#+-]*+(?:\?[a-z0-9_./@&=%#+-]++)*+"
_PAGES = (
    r"weibo\.(?:com|cn)/(?:(?:u|p|profile)/(?=[a-z0-9])|n/[\w%-]++)"
    r"|zhihu\.com/(?:people|org)/(?=[a-z0-9_])"
    r"|(?:ies)?douyin\.com/(?:share/)?user/(?=[a-z0-9_])"
    r"|kuaishou\.com/(?:profile|u)/(?=[a-z0-9_])"
    r"|xiaohongshu\.com/user/profile/(?=[a-z0-9_])"
    r"|space\.bilibili\.com/(?=[0-9])"
    r"|bilibili\.com/space/(?=[0-9])"
    r"|toutiao\.com/c/user/(?=[a-z0-9_])"
    r"|user\.qzone\.qq\.com/(?=[0-9])"
    r"|(?:douban\.com/people|jianshu\.com/u|xueqiu\.com/u|blog\.sina\.com\.cn/u|linkedin\.com/in)/(?=[a-z0-9_%])"
    r"|youtube\.com/(?:c|user|channel)/(?=[a-z0-9_])"
    r"|tieba\.baidu\.com/home/main\?(?:[a-z]++=[\w%.-]++&?)++"
    r"|facebook\.com/(?:profile\.php\?|people/)"
    r"|t\.me/s/(?=[a-z0-9_])"
)
# Sites whose first path segment is a person, except the words that the sites keep for themselves; any site's /@name.
_OWNER = (
    r"(?:[a-z0-9-]{1,63}\.[a-z]{2,10}/(?=@[0-9_.-]{0,30}[a-z])"
    r"|(?:weibo\.(?:com|cn)|x\.com|twitter\.com|t\.me|facebook\.com|instagram\.com|threads\.(?:com|net)"
    r"|github\.com|gitee\.com)/"
    r"(?!(?:a|about|c|compose|detail|events|explore|features|groups|hashtag|home|hot|i|intent|joinchat|login|messages"
    r"|marketplace|newlogin|n|notifications|orgs|p|permalink\.php|photo\.php|photo|privacy|profile\.php|reel|reels|s"
    r"|search|settings|share|sharer|signup|status|stories|story\.php|topics|tos|ttarticle|tv|u|watch)(?![a-z0-9_.-])))"
)
_OWNER_NAME = r"@?[a-z0-9_][a-z0-9_.-]*+"

_PLATFORMS = "微信|威信|薇信|v信|微博|扣扣|抖音|快手|小红书|知乎|b站|哔哩哔哩|贴吧|陌陌|支付宝|钉钉|推特|脸书|电报"
_LATIN_PLATFORMS = "qq|wechat|weixin|wx|vx|weibo|twitter|telegram|tg|facebook|instagram|whatsapp|skype|tiktok"
_PLATFORM = rf"(?:{_PLATFORMS}|(?<![a-z])(?:{_LATIN_PLATFORMS}))"
_NUMBER_WORD = r"(?:号码|帐号|账号|帐户|账户|用户名|用户|昵称|名称|名字|群号|号|id|名|群)"
# A hotline's short number is no account.
_ACCOUNT = rf"((?![0-9]{{1,5}}(?!{_ID})){_ID}[a-z0-9_.-]{{4,}}+)"
_NICKNAME = r"([\w·-]++(?:\.[a-z0-9_]++)*+)"
_OPENING, _CLOSING = r"[“\"‘'「『]", r"[”\"’'」』]"
_QUOTED = rf"{_OPENING}([^“”\"‘’'「」『』,。!?;:，、\n]{{1,16}}){_CLOSING}"

_MOBILE_FORMS = "|".join(
    (
        # 135 2016-2020 is a count and two years.
        rf"1[3-9][0-9](?![ -]{{1,3}}(?:19|20)..[ -]{{1,3}}(?:19|20)..{_TO}){_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}",
        r"1[3-9][0-9]\.[0-9]{4}\.[0-9]{4}",
        rf"1[3-9][0-9]{{2}}{_GAPPED}[0-9]{{3}}{_GAPPED}[0-9]{{4}}",
        rf"1[3-9][0-9]{_GAPPED}[0-9]{{3}}{_GAPPED}[0-9]{{5}}",
        rf"1[ {_UNSEEN}-][3-9](?:[ {_UNSEEN}-][0-9]){{9}}",
    )
)
_SPELLED = "[零〇○一二三四五六七八九幺]"
_AREA = r"(?:010|02[0-9]|0[3-9][0-9]{2})"
_LOCAL = rf"[2-8][0-9]{{2,3}}{_GAP}[0-9]{{4}}"
_OR = r"(?:、|,|/|和|或者?)"  # a second number after the first
_CARD_GROUPS = rf"[2-69][0-9]{{3}}(?:[ {_UNSEEN}-][0-9]{{4}}){{3}}"

_PLATE = r"[ ·•]?[a-hj-np-z][ .·•-]?(?:[a-hj-np-z0-9]{5,6}|[a-hj-np-z0-9]{4}[挂学警港澳领])(?![a-z0-9])"
# 楚 stands for a province in coded data; after 清 and the like it is a word. GB, JGJ and the like are standards.
_PROVINCE = (
    r"(?:(?!新(?:gb|db|jg|cj|hj))[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]|(?<![清酸苦痛])楚)"
)

# What a rule's match always contains. A rule is not tried on a piece that lacks it.
_NEEDS = {
    name: re.compile(pattern)
    for name, pattern in {
        "address": r"[a-z][/=-]|\.[a-z]",
        "number": rf"[0-9](?:[ \t{_UNSEEN}.-]{{0,3}}[0-9]){{5}}",
        "handle": rf"{_PLATFORMS}|{_LATIN_PLATFORMS}|加v|网[友民]",
        "plate": r"[a-z][ .·•-]?[a-z0-9]{4}",
        "spelled": r"[一幺][三四五六七八九]",
        "named": r"网[友民名络]|楼主|博主|微博|抖音|快手|小红书|知乎|b站|哔哩哔哩|贴吧|昵称|用户名",
        "at": "@",
    }.items()
}

# Order counts: a form that contains another one stands first.
_TABLE: tuple[tuple[Kind, str, re.Pattern[str], Callable[[str], bool]], ...] = tuple(
    (kind, need, re.compile(pattern), holds)
    for kind, need, pattern, holds in (
        (Kind.PROFILE, "address", rf"({_HOST}(?:{_PAGES}){_REST})", _any),
        # The address of a post stays readable, without who posted it.
        (Kind.ACCOUNT, "address", rf"{_HOST}{_OWNER}({_OWNER_NAME})(?=/[a-z0-9])", _any),
        (Kind.PROFILE, "address", rf"({_HOST}{_OWNER}{_OWNER_NAME}{_REST})", _any),
        (
            Kind.ACCOUNT,
            "address",
            (
                r"(?:space-uid-|space-username-|[?&](?:uid|user_?id|uin|un|user_?name|user|screen_name|author_?id|author|sec_uid|sec_user_id|open_?id"
                r"|union_?id|vmid|host_mid|account)=)([\w%@+*-]++)"
            ),
            _any,
        ),
        (
            Kind.EMAIL,
            "address",
            (
                r"(?<![a-z0-9._+*%-])([a-z0-9._+*%-]++(?:@|#|\(at\)|\[at\])(?:[a-z0-9-]++\.)+[a-z]{2,}"
                r"[a-z0-9._+*%-]*+)"
            ),
            _any,
        ),
        (
            Kind.IDENTITY_CARD,
            "number",
            rf"身份证(?:件)?(?:号码|号)?{_IS}([0-9](?:{_GAP}[0-9]){{13,16}}{_GAP}[0-9x]){_TO}",
            _any,
        ),
        (
            Kind.IDENTITY_CARD,
            "number",
            (
                rf"{_FROM}{_NOT_A_POST}([0-9]{{6}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{3}}"
                rf"{_GAP}[0-9x]){_TO}"
            ),
            _is_identity,
        ),
        (Kind.IDENTITY_CARD, "number", rf"{_FROM}{_NOT_A_POST}([0-9]{{15}}){_TO}", _is_old_identity),
        (
            Kind.DOCUMENT,
            "number",
            (
                r"(?:护照|通行证|军官证|士兵证|驾驶证|居住证|社保卡?|医保卡?|学籍|学)(?:号码|号|:)"
                rf"{_IS}([a-z]{{0,3}}[0-9]{{6,18}}x?)(?![a-z0-9])"
            ),
            _any,
        ),
        (Kind.BANK_CARD, "number", rf"{_FROM}{_NOT_A_POST}([0-9]{{16,19}}){_TO}", _is_card),
        (Kind.BANK_CARD, "number", rf"{_FROM}({_CARD_GROUPS}[ {_UNSEEN}-]?[0-9]{{1,3}}){_TO}", _is_card),
        (Kind.BANK_CARD, "number", rf"{_FROM}({_CARD_GROUPS}){_TO}", _is_card),
        (Kind.BANK_CARD, "number", rf"{_FROM}([2-69][0-9]{{5}}[ {_UNSEEN}-][0-9]{{10,13}}){_TO}", _is_card),
        (Kind.ACCOUNT, "handle", r"(wxid_[a-z0-9_-]++)", _any),
        (Kind.ACCOUNT, "handle", rf"{_PLATFORM}(?:\s?{_NUMBER_WORD}{_IS}|{_SAYS}){_ACCOUNT}", _any),
        (Kind.ACCOUNT, "handle", rf"加(?:微信|v信|v|qq|wx|vx){_IS}{_ACCOUNT}", _any),
        (
            Kind.ACCOUNT,
            "handle",
            rf"(?:(?<![a-z])qq|扣扣)(?:群号|群|号码|号)?{_IS}([1-9][0-9]{{4,11}})(?![0-9年月日元])",
            _any,
        ),
        (
            Kind.ACCOUNT,
            "named",
            (
                r"(?<!官方)(?<!政务)(?:微博|抖音|快手|小红书|知乎|b站|哔哩哔哩|贴吧|网名|昵称|用户名)"
                rf"{_NUMBER_WORD}?\s?[:是为叫]?\s?{_QUOTED}"
            ),
            _any,
        ),
        (
            Kind.ACCOUNT,
            "named",
            rf"(?:(?:微博|抖音|快手|小红书|知乎|b站|哔哩哔哩|贴吧){_NUMBER_WORD}|网名|昵称|用户名|网络户名)\s?:\s?{_NICKNAME}",
            _is_name,
        ),
        (Kind.ACCOUNT, "named", rf"(?:网友|网民|楼主|博主)\s?{_QUOTED}", _any),
        (Kind.ACCOUNT, "named", rf"{_QUOTED}\s?(?:网友|网民)", _any),
        (Kind.ACCOUNT, "handle", r"(?:网友|网民):?([a-z0-9][a-z0-9_]{4,}+)", _any),
        (
            Kind.BANK_CARD,
            "number",
            rf"(?:卡号|帐号|账号|帐户|账户|存折)(?:号码?)?{_IS}([0-9](?:[ {_UNSEEN}-]?[0-9]){{11,24}}){_TO}",
            _any,
        ),
        (
            Kind.MOBILE,
            "number",
            rf"{_DIAL}{_NOT_A_POST}((?:(?:\+|00)?86{_GAP}|\(\+?86\){_GAP}|0)?(?:{_MOBILE_FORMS})){_TO}(?!元(?!旦))",
            _any,
        ),
        (Kind.MOBILE, "spelled", rf"(?<!{_SPELLED})([一幺][三四五六七八九]{_SPELLED}{{9}})(?!{_SPELLED})", _any),
        (
            Kind.LANDLINE,
            "number",
            (
                rf"{_DIAL}((?:(?:\+|00)?86{_GAP})?(?:{_AREA}|\({_AREA}\)){_GAP}{_LOCAL}"
                rf"(?:{_GAP}(?:转|-){_GAP}[0-9]{{1,5}})?(?:{_OR}{_LOCAL})*){_TO}"
            ),
            _any,
        ),
        (Kind.LANDLINE, "number", rf"((?:\+|00)86{_GAP}(?:10|2[0-9]|[3-9][0-9]{{2}}){_GAP}{_LOCAL}){_TO}", _any),
        (
            Kind.LANDLINE,
            "number",
            (
                r"(?:电话|热线|座机|固话|传真|号码|手机|联系方式|致电|拨打|来电|tel|phone|[股科室站所局办台处队](?=[:-]))"
                r"[\s:号码是为.(-]{0,4}"
                rf"(?:[0-9]{{3,5}}{_OR})*+({_LOCAL}(?:{_OR}{_LOCAL})*){_TO}(?![元年])"
            ),
            _any,
        ),
        (Kind.LANDLINE, "number", rf"{_FROM}({_LOCAL})(?=打来|打电话|来电)", _any),
        (Kind.PLATE, "plate", rf"({_PROVINCE}{_PLATE})", _is_plate),
        (
            Kind.PLATE,
            "plate",
            (
                r"(?:车牌|牌照|号牌|牌号|车号)(?:号码|号)?[\s:=是为叫(“]{0,4}"
                r"([\u4e00-\u9fff]?[a-z][ .·•-]?[a-z0-9]{4,6})(?![a-z0-9])"
            ),
            _is_plate,
        ),
        (Kind.ACCOUNT, "at", rf"(@(?=[0-9]*+[a-z_]|[^\W0-9]){_NICKNAME[1:-1]})", _is_name),
    )
)
