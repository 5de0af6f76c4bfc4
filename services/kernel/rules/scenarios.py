"""The scenarios of drills: their files, and the details that a seed chooses.

As of a pack, the digest is SHA-256 over the canonical content, so comments and layout do not change it.
"""

import functools
import hashlib
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from schemas.scenario import Inject, ReportInject, Scenario
from services.kernel.rules.documents import Document, read, read_file

FOLDER = "drills"
"""The folder within the policy folder."""


class LoadedScenario(NamedTuple):
    """A scenario, and its content as the record keeps it."""

    model: Scenario
    digest: str
    canonical: str


def load_scenario(path: Path) -> LoadedScenario:
    """The scenario of a file. Raises `DocumentError` with all faults, or `OSError`."""
    return _loaded(read_file(path))


@functools.lru_cache(maxsize=64)
def parse_scenario(text: str, origin: str = "<text>") -> LoadedScenario:
    """The scenario of a text: YAML, or a scenario's `canonical`. Raises `DocumentError`."""
    return _loaded(read(text, origin))


def _loaded(document: Document) -> LoadedScenario:
    model = document.model(Scenario)
    canonical = json.dumps(document.content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return LoadedScenario(model, hashlib.sha256(canonical.encode()).hexdigest(), canonical)


def scenarios(policies: Path) -> Mapping[str, LoadedScenario]:
    """The scenarios of a policy folder by id, in the order of their files."""
    found = [load_scenario(path) for path in sorted((policies / FOLDER).glob("*.yaml"))]
    return {one.model.id: one for one in found}


def chosen(scenario: Scenario, seed: int) -> Mapping[str, str]:
    """Name in `vary` -> the value that the seed chooses: the same for all injects of a drill."""
    return {
        name: random.Random(f"{seed} {name}").choice(values)  # noqa: S311 - nothing here is secret
        for name, values in scenario.vary.items()
    }


def filled(inject: Inject, values: Mapping[str, str]) -> Inject:
    """The inject with the values in its texts."""
    if not isinstance(inject, ReportInject):
        return inject
    texts = {name: getattr(inject, name) for name in ("subject", "text", "place")}
    return inject.model_copy(update={name: text and _with(text, values) for name, text in texts.items()})


def _with(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{([^{}]*)\}", lambda found: values[found[1]], text)
