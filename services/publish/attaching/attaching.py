"""Puts files to a statement, covers persons in pictures, takes files away, and says what goes public. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas import deeds
from schemas.fields import Fact, Typed
from schemas.publish import Attachment, StatementFileAttached, StatementFileCovered, StatementFileDetached
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed, Rejected
from services.publish.attaching.attached import Attached, Files
from services.publish.attaching.commands import AttachFile, Covered, DetachFile
from services.publish.writing import wording

MOST = 20
"""So many files a statement may have."""
WHAT = "a file's title"


def attach(files: Files, command: AttachFile, by: str) -> Fact:
    """Of a picture somebody must say whether persons in it can be recognised: nothing is taken for granted."""
    is_picture = command.media_type.startswith("image/")
    if is_picture and command.persons is None:
        raise Malformed(
            "persons: say none if nobody in the picture can be recognised, or else to_cover and cover them then",
            code="persons-unsaid",
            field="persons",
        )
    if not is_picture and command.persons is not None:
        raise Malformed("persons is said of pictures alone; leave it out", code="persons-of-pictures", field="persons")
    # What was in public and is not any more takes no place: its texts stay, and it cannot be taken away.
    if sum(not one.public or one.file in files.shown for one in files.all) >= MOST:
        raise Rejected(
            f"the statement has {MOST} files, and no more are taken; remove one, or put several into one document",
            code="files-full",
            limit=MOST,
        )
    told = command.model_dump(exclude={"title"})
    return StatementFileAttached(**told, title=Typed(text=command.title), by=by)


def cover(files: Files, command: Covered, by: str) -> Fact:
    may_be_covered(files, command.file)
    return StatementFileCovered(**command.model_dump(), by=by)


def may_be_covered(files: Files, file: str) -> Attached:
    """The picture. Raises `Rejected` for what is no picture, or is or was in public."""
    found = _own(files, file)
    if not found.is_picture:
        raise Rejected("only a picture has areas to cover; this is a document", code="not-a-picture")
    return found


def remove(files: Files, command: DetachFile, by: str) -> Fact:
    return StatementFileDetached(file=_own(files, command.file).file, by=by)


def must_be_known(files: Files, file: str) -> Attached:
    """The file. Raises `Malformed` if the statement has none of this name."""
    found = files.of(file)
    if found is None:
        known = [one.file for one in files.all]
        raise Malformed(
            f"the statement has no file {file[:60]!r}; it has {', '.join(known) or 'none'}",
            code="statement-file-unknown",
            field="file",
            given=file[:60],
            known=known,
        )
    return found


def _own(files: Files, file: str) -> Attached:
    found = must_be_known(files, file)
    if found.public:
        raise Rejected(
            "this file is or was in public, so it stays as it is; correct the statement without it",
            code="file-public",
        )
    return found


def must_be_ready(files: Sequence[Attached], ctx: Ctx) -> None:
    """Raises `Rejected` if one of these files must not go public as it is."""
    for one in files:
        title = titles(ctx).get(one.title.ref)
        if title is None:
            raise Rejected("the title of a file was erased; remove the file", code="words-erased")
        if one.persons == "to_cover":
            raise Rejected(
                f"persons in the picture “{title}” can be recognised; cover them first",
                code="persons-uncovered",
                what=title,
            )
        wording.check(WHAT, title, ctx.offices.lists.telephones)


def titles(ctx: Ctx) -> Mapping[str, str | None]:
    """Reference -> title of a file; None if it was erased."""
    found: Mapping[str, str | None] = ctx.seen.get("file_titles", {})
    return found


def submitted(files: Files) -> list[dict[str, Any]]:
    """The files to which approvers agree."""
    return [deeds.attached(one.media_type, one.size, one.sha256, one.title.digest) for one in files.all]


def public(files: Sequence[Attached], ctx: Ctx, salts: Mapping[str, str]) -> tuple[Attachment, ...]:
    """The files as they go public. `salts` are those of the titles, if posts sign."""
    must_be_ready(files, ctx)
    return tuple(
        Attachment(
            file=one.file,
            media_type=one.media_type,
            size=one.size,
            sha256=one.sha256,
            title=titles(ctx)[one.title.ref] or "",
            title_salt=salts.get(one.title.ref),
        )
        for one in files
    )


def corrected(files: Files, wanted: Sequence[str] | None, ctx: Ctx) -> tuple[Attachment, ...] | None:
    """The files that hold after a correction; None if they stay. Raises `Malformed` for an unknown one."""
    if wanted is None or tuple(dict.fromkeys(wanted)) == files.shown:
        return None
    return public([must_be_known(files, file) for file in dict.fromkeys(wanted)], ctx, {})
