"""A reader who opens every page that pages lead to: whatever stands in the record, no link of the console is broken."""

import re

from services.console.access.accounts import Accounts
from tests.console.browser import HOME, Browser

PASSWORD = "a phrase for these tests"
ONE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[a-z-]+-\d{4}-\d{5}|[0-9a-f]{16,}|\d+|@[^/&#]*")
"""What tells one record of a kind from another one."""


def kind_of(link: str) -> str:
    """The kind of a page: its address without what names a record, and without the values of its query."""
    path, _, query = link.partition("?")
    return ONE.sub("*", path) + "?" + ",".join(sorted(part.partition("=")[0] for part in query.split("&")))


async def broken(address: str, accounts: Accounts, post: str, language: str = "zh-CN") -> tuple[list[str], int]:
    """Every link that a post is offered and that does not open, with where it stood; and how many pages were opened.

    One page of a kind is opened.
    """
    login = f"crawl-{post.replace('@', '-')}"
    await accounts.make(login, "王敏", PASSWORD, (post,), must_change=False)
    browser = Browser(address, language)
    try:
        entered = await browser.sign_in(login, PASSWORD)
        found, seen, kinds = list[str](), {entered.path}, set[str]()
        waiting = [(link, entered.path) for link in entered.links]
        while waiting:
            link, at = waiting.pop(0)
            link = link.partition("#")[0]
            if link.startswith("?"):
                link = at.partition("?")[0] + link
            if not link.startswith(f"{HOME}/") or link in seen or "/static/" in link or kind_of(link) in kinds:
                continue
            seen.add(link)
            kinds.add(kind_of(link))
            page = await browser.open(link.removeprefix(HOME))
            if page.status != 200:
                found.append(f"{post} on {at}: {link} answers {page.status}")
            waiting += [(further, page.path) for further in page.links]
        return found, len(seen)
    finally:
        await browser.client.aclose()
