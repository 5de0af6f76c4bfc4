"""How a problem goes over HTTP: RFC 9457, in the language that the client likes."""

import re

import orjson
from fastapi import Request, Response

from schemas.titles import Language
from services.kernel.core.problems import Problem, TooMany, Unauthenticated, Unavailable

PROBLEM = "application/problem+json"
PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "Problem details (RFC 9457). `type` is stable; some problems have further members.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong and what to do."},
        "field": {"type": "string", "description": "The place in the request."},
        "version": {"type": "integer", "description": "The newest version, where another one was named."},
        "defect": {"type": "string", "description": "The number under which the service's log says more."},
    },
    "required": ["type", "title", "status", "detail"],
}


def language_of(request: Request) -> Language:
    """What `Accept-Language` likes best of Chinese and English (RFC 9110, 12.5.4); English where it says nothing."""
    liked: dict[Language, float] = {"en": 0.0, "zh": 0.0}
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, weight = part.replace(" ", "").lower().partition(";q=")
        for language, most in liked.items():
            if tag.partition("-")[0] == language:
                liked[language] = max(most, _weight(weight))
    return "zh" if liked["zh"] > liked["en"] else "en"


def _weight(written: str) -> float:
    return float(written) if re.fullmatch(r"[01](\.\d{0,3})?", written) else 0.0 if written else 1.0


def problem_response(problem: Problem, language: Language) -> Response:
    """RFC 9457, in one language."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": {"zh": "zh-Hans", "en": "en"}[language],
        "Vary": "Accept-Language",
    }
    if isinstance(problem, TooMany | Unavailable):
        headers["Retry-After"] = str(problem.retry_after)
    if isinstance(problem, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(problem.body(language)), problem.status, headers, PROBLEM)
