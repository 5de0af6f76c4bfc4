"""Accounts on WeChat, QQ and other platforms, and people's names there."""

import re

from services.kernel.masking.rule import IS, SAYS, UNIT, Family, Kind, Match, before, rule, where, words

# -- What an account looks like ----------------------------------------------------------------------------------------

_OTHER_WORD = (
    r"(?!(?:app|pay|api|apk|wifi|ios|android|pc|web|vip|bug|link|email|tv|logo|ppt|pdf|id|ok|h5|up)(?![a-z0-9_]))"
    r"(?!https?[:/]|www\.|bv1|[0-9]{1,5}(?![a-z0-9_-]))"
)
"""These words may follow a platform's name and are no account. Nor is the short number of a hotline."""
_TAIL = rf"(?!\s?(?:班|年级)){UNIT}"
_ACCOUNT = rf"(@?{_OTHER_WORD}(?=[a-z0-9_-]*[a-z0-9])[a-z0-9_][a-z0-9_-]{{2,}}+(?:\.[a-z0-9_]++)*+){_TAIL}"
_MIXED = rf"({_OTHER_WORD}(?=[a-z_-]{{0,30}}[0-9_])[a-z0-9_][a-z0-9_-]{{4,}}+){_TAIL}"
"""With nothing between label and value, a mere word may be no account."""
_OPENING, _CLOSING = r"[“\"‘'「『]", r"[”\"’'」』]"
_QUOTED = rf"@?{_OPENING}([^“”\"‘’'「」『』,。!?;:，、\n\0]{{1,16}}){_CLOSING}"
_CALLED = r"([\w·]{2,15})(?![\w·\0])"
_NICKNAME = r"([\w·-]++(?:\.[a-z0-9_]++)*+)"
_NAMED = r"(?:昵称|网名|名称|名字|名)(?:叫做?|是|为)?"


# -- Whose it is -------------------------------------------------------------------------------------------------------

_OFFICIAL = re.compile(r"(?:公众|服务|订阅|官方|政务|官微)[^,。;\n]{0,8}$")
_OFFICE = re.compile(
    r"所有人|全体|各位|大家|领导|书记|市长|县长|区长|省长|局长|群主|管理员|业主|物业|官方|发布|政府|公安|交警|消防|警方|警务"
    r"|法院|检察|日报|晚报|早报|晨报|电视|广播|新闻|热线|信箱|电台|网信|共青团|妇联|工会|社区|街道|居委|村委|^平安(?!是福|喜乐|健康|就好|一生|快乐|幸福|吉祥|如意|无事)|问政|政务|政协"
    r"|人大|城管|教育|卫健|文旅|气象|应急|税务|海关|银行|医院|学校|大学|中学|小学|公司|公交|地铁|水务|供水|燃气|电力|部门|客服|小助手|央视|新华社|人民网|红网|(?<![a-z0-9_])12345(?![a-z0-9_])|\.gov\.(?:cn|hk|mo|tw)$"
    r"|[局厅委办署院站所镇乡队]$"
)
_SENTENCE = re.compile(
    r"^(?:对|在|把|请|因|由|如|关于|目前|现在|现场|第|有|视频|直播|网友|这|那|是|不|没|被|就|也|都|要|我|你|他|她|它|到底|的|里|上"
    r"|和|与|及|等|中|各|平台|已经|希望|建议|反映|投诉)"
    r"|[需须应该]|希望|建议|显示|曝光|请求|禁止|要求|拍了|不能|以及|已经|正在|没有"
)


def _is_unofficial(match: Match) -> bool:
    return _OFFICIAL.search(before(match)) is None


def _is_persons(match: Match) -> bool:
    """Whether a word can be an account, since no office, paper or group of people has this name."""
    return _OFFICE.search(match[1].lstrip("@")) is None and _is_unofficial(match)


def _is_name(match: Match) -> bool:
    """Platforms allow names of at most 30 half-width places.

    Anything longer, or anything that reads like one, is a sentence.
    """
    name = match[1].lstrip("@")
    width = sum(2 if ord(char) > 0x2E7F else 1 for char in name)
    return width <= 30 and not name.isdigit() and _SENTENCE.search(name) is None and _is_persons(match)


# -- WeChat ------------------------------------------------------------------------------------------------------------

_CHINESE_WECHAT = "微信|微 信|威信|薇信|徽信|卫星|微x(?![a-z0-9])|微❤|v信"
_WECHAT = f"(?:{_CHINESE_WECHAT}|{words('wechat|weixin|vx|wx|v x|w x')})"
_WECHAT_HOW = (
    r"(?:\s?(?:[/、]?(?:电话|手机|qq)|同手?机?号?|号码|帐号|账号|帐户|账户|搜索?|扫码|群主|添加|:?联系|:?加|号|id(?![a-z])|是|为"
    r"))*+"
)
_SHORT_WECHAT = (
    r"(?:(?:加|\+(?<![a-z0-9]\+))我?的?\s?(?:[vw]x|v|微|薇|威)(?!ip|认证)"
    r"|薇(?<![蔷紫采]薇)|微(?<![细轻略稍]微)(?=\s?:)|v(?<![a-z0-9]v)[❤♥]?(?=\s?[:-]))"
)

WECHAT = Family(
    re.compile(
        r"(?:微|威信|薇|徽信|卫星|v信|wechat|weixin|vx|wx|v x|w x|加v|加我|加微|加威|加[vw]x|\+|v[❤♥]? ?[:-])"
        r"[^。;\0]{0,12}?(?:[a-z0-9_-]{3}|名|昵)"
    ),
    (
        rule(Kind.ACCOUNT, r"(wxid_[a-z0-9_-]++)"),
        rule(Kind.ACCOUNT, rf"{_WECHAT}{_WECHAT_HOW}(?:{SAYS}|\s){IS}{_ACCOUNT}", where(_is_persons)),
        rule(Kind.ACCOUNT, rf"{_WECHAT}(?:号码|帐号|账号|号|id)[是为]?{_ACCOUNT}", where(_is_persons)),
        rule(Kind.ACCOUNT, rf"(?:{_CHINESE_WECHAT}){_WECHAT_HOW}{IS}{_MIXED}", where(_is_persons)),
        rule(Kind.ACCOUNT, rf"{_WECHAT}(?![a-z]){_WECHAT_HOW}{IS}{_MIXED}", where(_is_persons)),
        rule(Kind.ACCOUNT, rf"{_WECHAT}{_NAMED}{IS}{_CALLED}", where(_is_name)),
        rule(Kind.ACCOUNT, rf"{_SHORT_WECHAT}[信号]?{IS}{_MIXED}"),
        rule(Kind.ACCOUNT, rf"{_SHORT_WECHAT}[信号]?(?:{SAYS}|\s){_ACCOUNT}"),
    ),
)

# -- QQ ----------------------------------------------------------------------------------------------------------------

_QQ = f"(?:{words('qq|q q|q-q')}|扣扣|口口|球球|企鹅)"
_QQ_HOW = r"(?::?群|[/、]?微信|同号|群号|群|号码|号|帐号|账号|是|为)*+"
_NOT_SERVICE = r"(?!(?:1[02][0-9]{3}|9[56][0-9]{3,4})(?![0-9a-z_]))"
_QQ_END = rf"(?![0-9a-z@])(?!\s?[月日人台项]){UNIT}"

QQ = Family(
    re.compile(r"(?:qq|q q|q-q|扣扣|球球|企鹅|口口|q|扣:|扣号|群号)[^。;\0]{0,8}?(?:[0-9]|名|昵)"),
    (
        rule(Kind.ACCOUNT, rf"{_QQ}{_QQ_HOW}{IS}({_NOT_SERVICE}[1-9](?:[ -]?[0-9]){{4,11}}){_QQ_END}"),
        rule(
            Kind.ACCOUNT,
            rf"(?:q(?<![a-z0-9&]q)[号群]{{0,2}}|扣号?(?=\s?:)|群号){IS}([1-9](?:[ -]?[0-9]){{5,11}}){_QQ_END}",
        ),
        rule(Kind.ACCOUNT, rf"{_QQ}{_NAMED}{IS}{_CALLED}", where(_is_name)),
    ),
)

# -- Other platforms ---------------------------------------------------------------------------------------------------

_PLATFORM_WORDS = (
    "微博|抖音|快手|小红书|知乎|b站|哔哩哔哩|贴吧|头条号|视频号|陌陌|支付宝|钉钉|推特|脸书|电报|豆瓣|论坛"
    "|weibo|bilibili|twitter|telegram|tg|facebook|instagram|ins|tiktok|skype|whatsapp|threads"
)
_PLATFORM = f"(?:{words(_PLATFORM_WORDS)})"
_WHAT = r"(?:用户名|用户|博主|up主|主播|作者|网友|昵称|网名|名称|名字|帐号|账号|帐户|账户|号码|号|名|uid|id)"

PLATFORMS = Family(
    re.compile(rf"(?:{_PLATFORM_WORDS})(?:{_WHAT}|[\s:=就是为叫(“\"「【‘'@『\[→>_a-z0-9-])"),
    (
        rule(Kind.ACCOUNT, rf"{_PLATFORM}{_WHAT}*{IS}{_QUOTED}", where(_is_persons)),
        rule(Kind.ACCOUNT, rf"{_PLATFORM}{_WHAT}*(?:{SAYS}|\s){IS}{_ACCOUNT}", where(_is_persons)),
        rule(Kind.ACCOUNT, rf"{_PLATFORM}{_WHAT}*[是为]?{IS}{_MIXED}", where(_is_persons)),
        rule(Kind.ACCOUNT, rf"{_PLATFORM}{_WHAT}+\s?[:是为叫]{{0,2}}\s?{_CALLED}", where(_is_name)),
        rule(Kind.ACCOUNT, rf"{_PLATFORM}\s?:\s?{_CALLED}", where(_is_name)),
    ),
)

# -- Names on the net --------------------------------------------------------------------------------------------------

_LABELS = f"(?:网名|昵称|用户名|网络户名|{words('id')})"

NICKNAMES = Family(
    re.compile(
        rf"网(?:名|[友民](?:(?<={_CLOSING}..)|(?<={_CLOSING} ..)| ?{_OPENING}|:?[a-z0-9]))|昵称|户名"
        rf"|楼主 ?{_OPENING}|博主 ?{_OPENING}|id ?[:是为“]|帐号 ?[:是为]|账号 ?[:是为]"
    ),
    (
        rule(Kind.ACCOUNT, rf"{_LABELS}\s?[:是为叫]{{0,2}}\s?{_QUOTED}", where(_is_unofficial)),
        rule(Kind.ACCOUNT, rf"(?:网名|昵称|用户名|网络户名)\s?(?::|是|为|叫做?)\s?{_NICKNAME}", where(_is_name)),
        rule(Kind.ACCOUNT, rf"(?:网名|昵称|用户名){_MIXED}"),
        rule(Kind.ACCOUNT, rf"(?:{words('id|uid')}|帐号|账号)\s?[:是为]\s?(?=[a-z0-9_-]*[a-z]){_MIXED}"),
        rule(Kind.ACCOUNT, rf"(?:网友|网民|楼主|博主)\s?{_QUOTED}", where(_is_unofficial)),
        rule(Kind.ACCOUNT, rf"{_QUOTED}\s?(?:网友|网民)", where(_is_unofficial)),
        rule(Kind.ACCOUNT, r"(?:网友|网民):?([a-z0-9][a-z0-9_]{4,}+)"),
    ),
)

AT = Family(
    re.compile("@"),
    (
        rule(
            Kind.ACCOUNT,
            r"(@(?=[0-9]*+[a-z_]|[^\W0-9])[\w·-]++(?:\.[a-z0-9_]++)*+)",
            where(_is_name),
        ),
    ),
)
