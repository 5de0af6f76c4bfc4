"""The shipped systemd units: each may read and write what its settings name."""

import configparser
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from services.kernel.access import signing
from services.kernel.settings import Settings

SYSTEMD = Path(__file__).parents[1] / "deploy" / "systemd"
ALIKE = {"%i": "triage"}


class Folder(NamedTuple):
    mode: int
    owner: str

    def lets(self, user: str, right: int) -> bool:
        """Whether a user has this right. No unit's user is in the group of another one."""
        return bool(self.mode & (right << 6 if user == self.owner else right))


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((SYSTEMD / name).read_text().replace("%i", ALIKE["%i"]))
    return parser["Service"]


def folders() -> dict[str, Folder]:
    """What is there when the units start. Everything else belongs to root, and each may enter it."""
    found = dict[str, Folder]()
    for line in (SYSTEMD / "tmpfiles.conf").read_text().splitlines():
        if line.startswith("d "):
            _, path, mode, owner, _ = line.split()
            found[path] = Folder(int(mode, 8), owner)
    for name in ("huiying@.service", "huiying-console.service", "huiying-backup.service"):
        one = unit(name)
        found[f"/var/lib/{one['StateDirectory']}"] = Folder(int(one["StateDirectoryMode"], 8), one["User"])
    return found


def may(user: str, path: str, right: int) -> bool:
    """Whether a user may enter all folders above, and has this right in the one of the path."""
    known, (own, *above) = folders(), PurePosixPath(path).parents
    of = {str(one): known.get(str(one), Folder(0o755, "root")) for one in (own, *above)}
    return all(of[str(one)].lets(user, stat.S_IXOTH) for one in (own, *above)) and of[str(own)].lets(user, right)


def test_the_console_makes_the_keys_of_tokens_and_the_services_read_them() -> None:
    settings = dict(re.findall(r"^(HUIYING_\w+)=(.+)$", (SYSTEMD / "environment.example").read_text(), re.MULTILINE))
    keys, console, service = settings["HUIYING_TOKEN_KEYS"], unit("huiying-console.service"), unit("huiying@.service")
    assert may(console["User"], keys, stat.S_IWOTH | stat.S_IROTH)
    assert str(PurePosixPath(keys).parent) in console["ReadWritePaths"].split(), "ProtectSystem=strict"
    assert console["ExecStartPre"].endswith("huiying users rotate --if-none")
    for name in ("huiying@.service", "huiying-backup.service"):
        assert may(unit(name)["User"], keys, stat.S_IXOTH), name
        private = f"{console['Environment'].partition('HUIYING_DATA=')[2]}/{signing.SIGNING_KEY_FILE}"
        assert not may(unit(name)["User"], private, stat.S_IXOTH), "it signs in the name of everybody"
    assert may(unit("huiying-backup.service")["User"], f"{settings['HUIYING_BACKUPS']}/x", stat.S_IWOTH)
    assert service["User"] != console["User"]


def test_public_keys_can_be_read_whatever_mask_the_process_has(tmp_path: Path) -> None:
    public, private = tmp_path / "keys" / "token-keys.json", tmp_path / "console"
    settings = Settings(data=private, token_keys=str(public))
    public.parent.mkdir()
    before = os.umask(0o077)
    try:
        signing.rotate(settings)
    finally:
        os.umask(before)
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert stat.S_IMODE(signing.signing_key_file(settings).stat().st_mode) == 0o600
