"""Files and folders that their owner alone can read: what lies there is what people wrote."""

import contextlib
import os
from pathlib import Path


def private_folder(folder: Path) -> None:
    """Makes the folder where it is missing; one that is there, and the files in it, are closed to others."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (folder, *folder.iterdir()):
        # Somebody else's folder or file stays as they made it.
        with contextlib.suppress(PermissionError, FileNotFoundError):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


def private_file(path: Path) -> Path:
    """The path, with an empty file made there unless there is a file already, which is then closed to others."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        with contextlib.suppress(PermissionError):
            path.chmod(0o600)
    return path
