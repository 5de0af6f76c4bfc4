"""The pages at the printed address: a page that leads on, and the documents of the API, served from here."""

from importlib import resources
from pathlib import PurePath

from fastapi import APIRouter, Request, Response

from services.kernel.core.problems import NotFound
from services.kernel.serving.problems import language_of, spoken
from services.kernel.settings import Settings

SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
"""Files of Swagger UI, from `fastapi-offline`."""
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
OF_DOCUMENTS = {
    **HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""Swagger UI sets its own styles. Nothing comes from elsewhere, and only the two scripts run."""
FRONT = {
    "zh": """<!doctype html>
<html lang="zh-Hans">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="docs/front.css"></head>
<body><main>
<h1>{title}</h1>
<ul>
{console}{form}<li><a href="{bulletin}">公告栏</a>：各单位公开发布的回应，不需登录</li>
<li><a href="docs">接口文档</a>：外部系统和工作人员客户端所用的接口（<a href="openapi.json">openapi.json</a>）</li>
<li><a href="readyz">运行状态</a>：各服务是否可用，有什么在等待处理（<a href="metrics">指标</a>）</li>
</ul>
</main></body>
</html>
""",
    "en": """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="docs/front.css"></head>
<body><main>
<h1>{title}</h1>
<ul>
{console}{form}<li><a href="{bulletin}">Bulletin</a>: the offices' public statements, to read without signing in</li>
<li><a href="docs">Documents of the API</a>, for integrations and clients of staff
(<a href="openapi.json">openapi.json</a>)</li>
<li><a href="readyz">Health</a>: the services that take commands now, and the work that waits for a person
(<a href="metrics">metrics</a>)</li>
</ul>
</main></body>
</html>
""",
}
CONSOLE = {
    "zh": '<li><a href="console/">工作台</a>：工作人员登录办理</li>\n',
    "en": '<li><a href="console/">Console</a>, where staff sign in and work</li>\n',
}
FORM = {
    "zh": '<li><a href="form/">反映问题</a>，凭收据号查询：不需登录</li>\n',
    "en": '<li><a href="form/?lang=en">Report a matter</a>, and ask with a receipt number, without signing in</li>\n',
}
DOCUMENTS = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: API</title><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="swagger-ui"><noscript><p>This page needs scripts; <a href="openapi.json">openapi.json</a> says the
same.</p></noscript></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", docExpansion: "none", defaultModelsExpandDepth: 0,
  displayRequestDuration: true, filter: true, validatorUrl: null,
});
"""
STYLE = """:root { color-scheme: light dark; }
body { margin: 0; font: 1.0625rem/1.75 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { width: min(100% - 2rem, 44rem); margin: 2rem auto; }
li { margin-block: .75rem; }
"""


def router(settings: Settings, title: str, *, has_console: bool = False, has_form: bool = False) -> APIRouter:
    """`/` and `/docs`, public. `has_console`, `has_form`: whether these pages stand on the same port."""
    api = APIRouter(include_in_schema=False)
    bulletin = settings.link("bulletin/")

    @api.get("/")
    async def front(request: Request) -> Response:
        """The page that leads to the others."""
        language = language_of(request)
        console = CONSOLE[language] if has_console else ""
        form = FORM[language] if has_form else ""
        page = FRONT[language].format(title=title, bulletin=bulletin, console=console, form=form)
        return Response(page, 200, HEADERS | spoken(language), "text/html; charset=utf-8")

    @api.get("/docs")
    async def documents() -> Response:
        """Swagger UI over this server's `/openapi.json`."""
        return Response(DOCUMENTS.format(title=title), 200, OF_DOCUMENTS, "text/html; charset=utf-8")

    @api.get("/docs/{name}")
    async def file(name: str) -> Response:
        """The files that the two pages load."""
        own = {"start.js": START.encode(), "front.css": STYLE.encode()}
        if name in SWAGGER:
            content = resources.files("fastapi_offline").joinpath("static", name).read_bytes()
        elif name in own:
            content = own[name]
        else:
            raise NotFound(f"there is no {name[:60]!r}", what=name[:60])
        return Response(content, 200, HEADERS, KINDS[PurePath(name).suffix])

    return api
