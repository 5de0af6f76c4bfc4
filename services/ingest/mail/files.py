"""The files of mails, which are added to reports after all reports are in: to draw one may take minutes."""

import hashlib
import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError

from services.ingest import additions, evidence
from services.ingest.evidence_files import blobs_of
from services.ingest.mail import codec
from services.ingest.mail.codec import File, Mail, Missed, Told
from services.kernel.core.problems import Problem, TooLarge, Unavailable
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Caller
from services.kernel.serving.idempotency import REMEMBERED, Memory
from services.kernel.store import failures
from services.kernel.tasks import to_the_end
from services.kernel.uploads import contents
from services.kernel.uploads.taking import Sent

PAGES = 30
"""The most pages of a document that anybody sends."""
BYTES, PER_SECONDS = 200_000_000, 600
"""So many bytes of mails with files are read of one address in this time, as of one that sends forms."""
THREADS = ThreadPoolExecutor(1, "mail-files")
"""Draws what anybody sends, one file at a time, so that files of staff and integrations never wait for it."""


@dataclass
class Filing:
    """A mail whose report is in and whose files are not. What is in them is read again when their turn comes."""

    report: str
    receipt: str
    address: str
    size: int
    is_answered: bool
    ended: dict[str, Missed | None] = field(default_factory=dict)
    """The digest of a file as it was sent -> why it was not taken; None if it was."""


class Files:
    """Adds the files of mails to the reports of a unit."""

    def __init__(self, runtime: Runtime, unit: str, defect: Callable[..., str]) -> None:
        self._runtime, self._path, self._actor = runtime, f"/mail/{unit}", codec.sender(unit)
        self._defect = defect

    def are_in(self, report: str) -> bool:
        """Whether the files of a mail that came before were added so long ago that their keys may be forgotten."""
        came = int(report.partition("-")[2].replace("-", "")[:12], 16) / 1000
        age = self._runtime.time_source.now() - datetime.fromtimestamp(came, UTC)
        return age > REMEMBERED - timedelta(days=1)

    async def add(self, filing: Filing, mail: Mail, until: float) -> Told | None:
        """Adds the files of a mail. Returns what to tell; None if the time is over and some are left."""
        digests = [hashlib.sha256(file.content).hexdigest() for file in mail.files]
        for digest, file in zip(digests, mail.files, strict=True):
            if digest not in filing.ended:
                if time.monotonic() > until:
                    return None
                key = f"mail {codec.external_id(mail, self._runtime.keys.digest)} {digest}"
                filing.ended[digest] = await self._attach(filing.report, file, key)
        return told(filing.receipt, mail, [filing.ended[digest] for digest in digests])

    async def _attach(self, report: str, file: File, key: str) -> Missed | None:
        """Adds a file, once however often the mail is read. Returns why it was not taken; None if it was."""
        settings, caller = self._runtime.settings, Caller(actor=self._actor)
        async with self._runtime.database.read() as connection:
            if await Memory(self._runtime, self._actor).knows(connection, key):
                return None
        limits = evidence.limits(settings)
        kind = contents.recognised(io.BytesIO(file.content)) or file.named
        if kind == contents.ARCHIVE:
            return "archive"
        if kind not in limits:
            return "other"
        if len(file.content) > limits[kind]:
            return "large"
        fewer = settings.model_copy(update={"evidence_pages": min(PAGES, settings.evidence_pages)})
        keep = partial(evidence.keep, listed=self._runtime.lists.telephones, threads=THREADS)
        try:
            with tempfile.TemporaryFile() as content:
                content.write(file.content)
                upload = await keep(Sent(content, kind, file.charset, None), None, blobs_of(self._runtime), fewer)
            await to_the_end(additions.add(self._runtime, self._path, report, caller, upload, key))
        except TooLarge:
            return "large"
        except Problem as problem:
            if problem.status >= 500:
                raise
            return "archive" if problem.code == "archive-not-taken" else "other"
        except Exception as error:
            if is_elsewhere(error):
                raise
            self._defect(error)
            return "other"
        return None


def told(receipt: str, mail: Mail, ended: Sequence[Missed | None] = ()) -> Told:
    """What a reply tells of a mail, and of what became of its files."""
    missed = Counter[Missed](mail.missed)
    missed.update(why for why in ended if why is not None)
    return Told(receipt, ended.count(None), missed)


def is_elsewhere(error: BaseException) -> bool:
    """Whether the store or a disk failed, which is no fault of a mail."""
    return isinstance(error, Unavailable | OSError) or (isinstance(error, DBAPIError) and not failures.is_defect(error))
