"""The page that checks an event in the browser: served, and saved as a file. It believes the key and nothing else."""

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Request

from services.kernel.tlog.note import encoded
from services.publish.verifying.verify import packaged
from tests.console.conftest import faults
from tests.kernel.sealed.small import small
from tests.kit.logs import KEY, ORIGIN, Log, signer
from tests.publish.conftest import Office
from tests.publish.test_pages import browser, opened, served

LOG = small(300)
AT = 261
EVENT, PROOF, VKEY = LOG.events[AT].bytes, LOG.proof(AT), KEY.verifier.vkey
WITHOUT_ED25519 = """
const known = SubtleCrypto.prototype.importKey;
SubtleCrypto.prototype.importKey = function (form, key, kind, ...more) {
  if (kind.name === "Ed25519") return Promise.reject(new DOMException("", "NotSupportedError"));
  return known.call(this, form, key, kind, ...more);
};
"""

FLIPS = """async ([key, event, proof]) => {
  const passed = [];
  const text = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  for (const [name, raw] of [["event", event], ["proof", proof]]) {
    for (let at = 0; at < raw.length; at += 1) {
      const bad = Uint8Array.from(raw);
      bad[at] ^= 1 << at % 8;
      try {
        if (name === "event") await check(key, bad, text(Uint8Array.from(proof)), "");
        else await check(key, Uint8Array.from(event), text(bad), "");
        passed.push([name, at]);
      } catch {
        continue;
      }
    }
  }
  return passed;
}"""


def test_the_page_names_the_digests_of_its_script_and_its_style_and_nothing_else() -> None:
    page = packaged("proof.html").decode()
    policy = re.search(r'content="(default-src[^"]+)"', page)
    assert policy is not None
    parts = {}
    for tag in ("script", "style"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        parts[tag] = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert policy[1] == (
        f"default-src 'none'; script-src 'sha256-{parts['script']}'; style-src 'sha256-{parts['style']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?://|\ssrc=|url\(|fetch\(|XMLHttpRequest|import\(", page)


async def check(page: Page, event: bytes, proof: bytes, key: str = VKEY, seen: bytes = b"") -> tuple[str, str]:
    """Gives both files, and returns the class of the answer and its text."""
    await page.locator("#key").fill(key)
    await page.locator("#seen").fill(seen.decode())
    for name, content in (("event", event), ("proof", proof)):
        file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        await page.locator(f"#{name}-file").set_input_files(file)  # type: ignore[arg-type]
    await page.locator("button").click()
    told = page.locator("#told:not([hidden])")
    await told.wait_for()
    return await told.get_attribute("class") or "", await told.inner_text()


@pytest.mark.chromium
async def test_an_event_is_checked_in_the_browser(office: Office, chromium: str, tmp_path: Path) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(urlsplit(request.url).path)

    saved = tmp_path / "saved.html"
    saved.write_bytes(packaged("proof.html"))
    forged = Log(LOG.events, key=signer(ORIGIN, 9))
    fork = Log(LOG.events[::-1])
    async with served(office) as address, browser(chromium) as chrome:
        for place in (f"{address}/bulletin/proof.html", saved.as_uri()):
            page, complaints = await opened(chrome, 320)
            page.on("request", note)
            answer = await page.goto(place)
            assert answer is not None
            if place.startswith("http"):
                assert answer.headers["content-security-policy"].endswith("frame-ancestors 'none'")
            kind, said = await check(page, EVENT, PROOF)
            assert (kind, "成立" in said, f"位置 {AT}（从 0 数起）" in said) == ("good", True, True), said
            assert encoded(LOG.root()) in said
            assert await faults(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            for event, proof, key, seen, why in (
                (EVENT.replace(b'"system"', b'"chief"'), PROOF, VKEY, b"", f"第 {AT} 位不是这条事件"),
                (LOG.events[AT - 1].bytes, PROOF, VKEY, b"", f"第 {AT} 位不是这条事件"),
                (EVENT, LOG.proof(AT - 1), VKEY, b"", f"第 {AT - 1} 位不是这条事件"),
                (EVENT, PROOF.replace(f"index {AT}".encode(), b"index 300"), VKEY, b"", "位置不在记录之内"),
                (EVENT, forged.proof(AT), VKEY, b"", "签过"),
                (EVENT, PROOF.replace(b"\n300\n", b"\n301\n"), VKEY, b"", "签名不成立"),
                (EVENT, PROOF, signer(ORIGIN, 9).verifier.vkey, b"", "没有签过"),
                (EVENT, PROOF, VKEY.replace("county", "city"), b"", "公钥的编号与内容不符"),
                (b"{}", PROOF, VKEY, b"", "这不是一条事件"),
                (EVENT, PROOF, VKEY, fork.checkpoint(), "记录有两本"),
            ):
                kind, said = await check(page, event, proof, key, seen)
                assert (kind, why in said) == ("bad", True), (why, said)
            assert await page.evaluate(FLIPS, [VKEY, list(EVENT), list(PROOF)]) == []
            assert complaints == []
            await page.close()
        page, _ = await opened(chrome, 390)
        await page.goto(saved.as_uri())
        await page.locator("#key").fill(VKEY)
        await page.locator("#event").fill(EVENT.decode() + "\n")
        await page.locator("#proof").fill(PROOF.decode().rstrip())
        await page.locator("button").click()
        await page.locator("#told.good").wait_for()
        await page.close()
        page, _ = await opened(chrome, 390)
        await page.add_init_script(WITHOUT_ED25519)
        await page.goto(saved.as_uri())
        kind, said = await check(page, EVENT, PROOF)
        assert (kind, "不能核对 Ed25519 签名，所以什么也没有证明" in said) == ("bad", True)
    assert set(asked) == {"/bulletin/proof.html", saved.as_posix()}
