"""Files and folders that only their owner can read, since they hold what people wrote."""

import contextlib
import os
from pathlib import Path


def private_folder(folder: Path) -> None:
    """Makes the folder if it is missing. Closes an existing one, and the files in it, to others."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (folder, *folder.iterdir()):
        # A folder or file of somebody else stays as it is.
        with contextlib.suppress(PermissionError, FileNotFoundError):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


def private_file(path: Path) -> Path:
    """The path. Makes an empty file there if there is none. The file is closed to others."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        with contextlib.suppress(PermissionError):
            path.chmod(0o600)
    return path
