"""A problem over HTTP: RFC 9457, in the client's preferred language."""

import re
from typing import cast

import orjson
from fastapi import Request, Response

from schemas.titles import Language
from services.kernel.core.problems import Problem, TooMany, Unauthenticated, Unavailable

PROBLEM = "application/problem+json"


def language_of(request: Request) -> Language:
    """Chinese or English: the language of `lang`, else the best one of `Accept-Language`; English without both."""
    if (asked := request.query_params.get("lang")) in ("zh", "en"):
        return cast(Language, asked)
    liked: dict[Language, float] = {"en": 0.0, "zh": 0.0}
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, weight = part.replace(" ", "").lower().partition(";q=")
        for language, most in liked.items():
            if tag.partition("-")[0] == language:
                liked[language] = max(most, _weight(weight))
    return "zh" if liked["zh"] > liked["en"] else "en"


def _weight(written: str) -> float:
    return float(written) if re.fullmatch(r"[01](\.\d{0,3})?", written) else 0.0 if written else 1.0


def spoken(language: Language) -> dict[str, str]:
    """The headers of an answer in a language."""
    return {"Content-Language": {"zh": "zh-Hans", "en": "en"}[language], "Vary": "Accept-Language"}


def problem_response(problem: Problem, language: Language) -> Response:
    """RFC 9457, in one language."""
    headers = {"Cache-Control": "no-store"} | spoken(language)
    if isinstance(problem, TooMany | Unavailable):
        headers["Retry-After"] = str(problem.retry_after)
    if isinstance(problem, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(problem.body(language)), problem.status, headers, PROBLEM)
