"""Give a story another passphrase, a first one, or none: its file and its backup.

Does not ask for passphrases (cli/passphrases.py).
"""

from contextlib import suppress
from pathlib import Path

import msgspec

from advrepl import AdvreplError, paths
from advrepl.story.crypt import Lock
from advrepl.story.save_file import SaveFile

CARD_CACHES = f"{paths.CARD_CACHE}*{paths.CACHE_SUFFIX}"


def relock(path: Path, lock: Lock | None) -> None:
    """Write a story under this lock, whose passphrase is known; None: in the clear. Raises AdvreplError.

    Nothing that belongs to it stays under the old one: the backup is written anew, and caches of its text go.
    """
    with SaveFile(path) as file:
        save, notice = file.load()
        if notice:
            raise AdvreplError(f"{notice}; try again")
        for _ in range(2):  # the second time the backup is what was written first
            file.write(msgspec.structs.replace(save, lock=lock))
        if lock:
            for cache in (
                file.path.with_name(file.path.stem + paths.CACHE_SUFFIX),
                *file.path.parent.glob(CARD_CACHES),
            ):
                with suppress(OSError):
                    cache.unlink(missing_ok=True)
