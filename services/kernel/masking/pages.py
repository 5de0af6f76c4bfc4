"""Addresses of personal pages, and the poster's name in addresses of posts."""

import re

from services.kernel.masking.rule import Family, Kind, rule

_HOST = r"(?=[a-z0-9])(?<![a-z0-9_.-])(?:https?://)?(?:[a-z0-9-]{1,63}\.){0,3}"
_REST = r"[a-z0-9_./@&=%#+-]*+(?:\?[a-z0-9_./@&=%#+-]++)*+"
_NAMED = r"(?=[a-z0-9_%])"
_PAGES = "|".join(
    (
        r"weibo\.(?:com|cn)/(?:(?:u|p|profile)/(?=[a-z0-9])|n/[\w%-]++)",
        rf"zhihu\.com/(?:people|org)/{_NAMED}",
        rf"(?:ies)?douyin\.com/(?:share/)?user/{_NAMED}",
        rf"live\.douyin\.com/{_NAMED}",
        rf"(?:live\.)?kuaishou\.com/(?:profile|u)/{_NAMED}",
        rf"xiaohongshu\.com/user/profile/{_NAMED}",
        r"space\.bilibili\.com/(?=[0-9])",
        r"live\.bilibili\.com/(?=[0-9])",
        r"bilibili\.com/space/(?=[0-9])",
        rf"toutiao\.com/c/user/{_NAMED}",
        rf"ixigua\.com/home/{_NAMED}",
        rf"u\.wechat\.com/{_NAMED}",
        r"user\.qzone\.qq\.com/(?=[0-9])",
        r"(?<=[0-9]\.)qzone\.qq\.com",
        rf"(?:douban\.com/people|jianshu\.com/u|xueqiu\.com/u|blog\.sina\.com\.cn/u|linkedin\.com/in|line\.me/ti/p)/{_NAMED}",
        rf"(?:blog\.csdn\.net|wa\.me|m\.me)/{_NAMED}",
        rf"youtube\.com/(?:c|user|channel)/{_NAMED}",
        r"tieba\.baidu\.com/home/main\?(?:[a-z]++=[\w%.-]++&?)++",
        r"facebook\.com/(?:profile\.php\?|people/)",
        rf"t\.me/s/{_NAMED}",
        # Telephones make short addresses of pages and posts alike; the address does not say which.
        rf"(?:xhslink\.com|v\.kuaishou\.com|v\.douyin\.com)/(?:[a-z]/)?{_NAMED}",
    )
)
# Sites whose first path segment is a person, except for the sites' own words; and any site's /@name.
_OWNER = (
    r"(?:[a-z0-9-]{1,63}\.[a-z]{2,10}/(?=@[0-9_.-]{0,30}[a-z])"
    r"|(?:(?<!s\.)weibo\.(?:com|cn)|x\.com|twitter\.com|t\.me|facebook\.com|instagram\.com|threads\.(?:com|net)"
    r"|github\.com|gitee\.com)/"
    r"(?!(?:a|about|c|compose|detail|events|explore|features|groups|hashtag|home|hot|i|intent|joinchat|login|messages"
    r"|marketplace|newlogin|n|notifications|orgs|p|permalink\.php|photo\.php|photo|privacy|profile\.php|reel|reels|s"
    r"|search|settings|share|sharer|signup|status|stories|story\.php|topics|tos|ttarticle|tv|u|watch)(?![a-z0-9_.-])))"
)
_OWNER_NAME = r"@?[a-z0-9_][a-z0-9_.-]*+"
_WHO = (
    r"uid|user_?id|uin|un|user_?name|user|screen_name|author_?id|author|sec_uid|sec_user_id|open_?id|union_?id|vmid|host_mid"
    "|account"
)

PAGES = Family(
    re.compile(r"\.[a-z]|space-u|\?[a-z]|&[a-z]"),
    (
        rule(Kind.PROFILE, rf"({_HOST}(?:{_PAGES}){_REST})"),
        # The address of a post stays readable, without the poster's name.
        rule(Kind.ACCOUNT, rf"{_HOST}{_OWNER}({_OWNER_NAME})(?=/[a-z0-9])"),
        rule(Kind.PROFILE, rf"({_HOST}{_OWNER}{_OWNER_NAME}{_REST})"),
        rule(Kind.ACCOUNT, rf"(?:space-uid-|space-username-|[?&](?:{_WHO})=)([\w%@+*-]++)"),
    ),
)
