"""The offline check of a statement that was saved from the bulletin."""

from pathlib import Path

from services.kernel.access import notary, signing

KEYS = "huiying.json"
_STATES = {
    "published": "it was not corrected or withdrawn until then",
    "corrected": "the last release in it corrects the earlier ones",
    "withdrawn": "it was withdrawn",
}


def verify(file: Path, keys: Path) -> tuple[bool, str]:
    """Whether the file proves what it says, and one sentence. Raises `OSError` and `ValueError` for unusable files."""
    trusted = signing.believed(keys.read_text("utf-8-sig"), str(keys))
    try:
        proven = notary.proven(file.read_bytes(), trusted)
    except notary.NotSigned as error:
        return False, f"not proven: {error}"
    last, first = proven.manifests[-1], proven.manifests[0]
    number, releases = last["number"] or last["statement"], len(proven.manifests)
    return True, (
        f"{number}: published by {first['unit_name']} ({first['unit']}, {first['deployment']}) at {first['at']}, "
        f"{releases} release{'' if releases == 1 else 's'} until {last['at']}; {_STATES[proven.state['state']]}"
    )
