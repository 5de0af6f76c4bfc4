"""The files of a statement, folded from its events. Pure."""

from dataclasses import dataclass, replace

from schemas.envelope import Event
from schemas.fields import WordsRef
from schemas.publish import (
    Persons,
    StatementCorrected,
    StatementFileAttached,
    StatementFileCovered,
    StatementFileDetached,
    StatementNoticePublished,
    StatementPublished,
)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a statement."""

    file: str
    media_type: str
    size: int
    sha256: str
    title: WordsRef
    persons: Persons | None = None
    public: bool = False
    """Whether it is or was in public."""

    @property
    def is_picture(self) -> bool:
        return self.media_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class Files:
    """All files of a statement in the order in which they came."""

    all: tuple[Attached, ...] = ()
    shown: tuple[str, ...] = ()
    """Those that are in public now."""

    def of(self, file: str) -> Attached | None:
        """The file of this name."""
        return next((one for one in self.all if one.file == file), None)


NO_FILES = Files()


def evolve(files: Files, event: Event) -> Files:
    """The files after the event."""
    match event.data:
        case StatementFileAttached() as data:
            new = Attached(data.file, data.media_type, data.size, data.sha256, data.title, data.persons)
            return replace(files, all=(*files.all, new))
        case StatementFileCovered() as data:
            return replace(files, all=tuple(_covered(one, data) for one in files.all))
        case StatementFileDetached() as data:
            return replace(files, all=tuple(one for one in files.all if one.file != data.file))
        case StatementPublished() | StatementNoticePublished() as data:
            return _shown(files, tuple(one.file for one in data.attachments))
        case StatementCorrected() as data if data.attachments is not None:
            return _shown(files, tuple(one.file for one in data.attachments))
        case _:
            return files


def _covered(one: Attached, data: StatementFileCovered) -> Attached:
    if one.file != data.file:
        return one
    return replace(one, size=data.size, sha256=data.sha256, persons="covered")


def _shown(files: Files, names: tuple[str, ...]) -> Files:
    return Files(tuple(replace(one, public=one.public or one.file in names) for one in files.all), names)
