"""E-mail addresses, also with hidden signs."""

import re

from services.kernel.masking.rule import Family, Kind, Match, before, rule, where

_LOCAL = r"([a-z0-9._+*%-](?<![a-z0-9._+*%-].)[a-z0-9._+*%-]*+"
_AT = r"\s?(?:@|#|[(\[【<{]\s?(?:at|@|艾特)\s?[)\]】>}]|艾特|圈a|小老鼠)\s?"
_DOT = r"\s?(?:\.|。|,|点|•|·|[(\[【]\s?(?:dot|点)\s?[)\]】])\s?"
_TOP = "(?:com|c om|cn|net|org|con|cc|edu|gov|hk|tw|me|info|vip)"
_KNOWN = (
    "qq|163|126|139|189|yeah|gmail|sina|sohu|hotmail|outlook|foxmail|aliyun|yahoo|icloud|live|msn|tom|21cn|wo|188|vip"
)

_OFFICES = re.compile(r"(?:\.|^|@)gov\.(?:cn|hk|mo|tw)$")
_OWN = re.compile(r"(?:我|本人|个人|私人)的?(?:邮箱|邮件|email|e-mail)[\s:是为(]{0,3}$")


def _is_persons(match: Match) -> bool:
    """An address at a government domain belongs to an office, unless the writer calls it their own."""
    return _OFFICES.search(match[1].rstrip(".-")) is None or _OWN.search(before(match)) is not None


MAIL = Family(
    re.compile(r"@|#[a-z0-9]|at[ )\]】>}_0-9a-z]|艾特|圈a|小老鼠"),
    (
        rule(
            Kind.EMAIL,
            rf"{_LOCAL}(?:@|#|\(at\)|\[at\])(?:[a-z0-9-]++\.)+[a-z]{{2,}}[a-z0-9._+*%-]*+)",
            where(_is_persons),
        ),
        rule(
            Kind.EMAIL,
            rf"{_LOCAL}(?:{_AT}|\s?at\s?)(?:[a-z0-9-]++{_DOT}){{1,3}}?{_TOP}(?:{_DOT}{_TOP})?)(?![a-z0-9])",
            where(_is_persons),
        ),
        rule(Kind.EMAIL, rf"{_LOCAL}(?:{_AT}|\sat\s)(?:{_KNOWN})(?:\s?dot\s?|\s){_TOP})(?![a-z0-9])"),
        rule(Kind.EMAIL, rf"{_LOCAL}@(?:{_KNOWN})(?![a-z0-9.]))"),
        rule(Kind.EMAIL, rf"([a-z](?<![a-z0-9._+*%-].)[a-z0-9._-]{{2,30}}?_?at_?(?:{_KNOWN}){_DOT}{_TOP})(?![a-z0-9])"),
    ),
)
