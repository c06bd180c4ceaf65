"""Models on the Hugging Face hub, or another place that speaks its protocol (HF_ENDPOINT): what is there, and fetching.

Does not decide whether it fits, and asks nobody; cli/pull.py does.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from advrepl import AdvreplError, program
from advrepl.engines.files import parts

XOR = "xor_encoded_files/"
INCOMING = ".incoming"  # in the models folder: what is not whole and checked yet
CHUNK = 1 << 22
OWN_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)  # what no hub is to blame for


class RemoteFile(Struct, frozen=True):
    """A file of a repository."""

    name: str  # with its folder
    bytes: int
    sha256: str  # empty: the hub does not say


class Offer(Struct, frozen=True):
    """What is to be fetched of a repository."""

    repo: str
    revision: str  # the commit, so that all files are of one version
    license: str  # empty: none is named
    files: tuple[RemoteFile, ...]
    target: str  # the file's or folder's name in the models folder
    kind: str  # "gguf", "folder" or "xor"

    @property
    def bytes(self) -> int:
        """Return what all files take."""
        return sum(file.bytes for file in self.files)


def offer(repo: str, wanted: str) -> Offer:
    """Look a repository up, and return what of it is to be fetched; AdvreplError says what is there instead.

    `wanted`: a part of a GGUF file's name; empty: the usual one, or the whole folder where there is no GGUF.
    """
    from huggingface_hub import HfApi

    with _told(repo):
        info = HfApi(endpoint=_endpoint()).model_info(repo, files_metadata=True)
    files = tuple(
        RemoteFile(each.rfilename, each.size or 0, (each.lfs.sha256 if each.lfs else None) or "")
        for each in info.siblings or ()
    )
    chosen, kind = _chosen(repo, files, wanted)
    name = Path(chosen[0].name).name if kind == "gguf" else repo.rpartition("/")[2]
    return Offer(repo, info.sha or "main", _license(info), chosen, name, kind)


def _chosen(repo: str, files: tuple[RemoteFile, ...], wanted: str) -> tuple[tuple[RemoteFile, ...], str]:
    ggufs = {file.name: file for file in files if file.name.endswith(".gguf")}
    if wanted or ggufs:
        first = _one_gguf(repo, [name for name in ggufs if _is_first_part(name)], wanted)
        wanted_parts = [str(path) for path in parts(Path(first))]
        if missing := [name for name in wanted_parts if name not in ggufs]:
            raise AdvreplError(f"{repo} has not all parts of {first}: {missing[0]} is missing")
        return tuple(ggufs[name] for name in wanted_parts), "gguf"
    xored = tuple(file for file in files if file.name.startswith(XOR))
    if xored:
        return xored, "xor"
    top = [file for file in files if "/" not in file.name]
    if not any(file.name == "config.json" for file in top):
        raise AdvreplError(f"{repo} holds no GGUF file and no config.json: it is no model that could be played")
    kind = next((kind for kind in (".safetensors", ".bin") if any(file.name.endswith(kind) for file in top)), "")
    if not kind:
        raise AdvreplError(f"{repo} holds no weights (.safetensors, .bin or .gguf)")
    return tuple(f for f in top if f.name.endswith((kind, ".json", ".txt", ".md", ".model", ".jinja"))), "folder"


def _is_first_part(name: str) -> bool:
    return parts(Path(name))[0] == Path(name) and "mmproj" not in name.casefold()


def _one_gguf(repo: str, names: list[str], wanted: str) -> str:
    """The file that is meant: by its name, by a part of it alone, else Q4_K_M."""
    found = [name for name in names if (wanted or "q4_k_m").casefold() in name.casefold()]
    exact = [name for name in found if name == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if len(names) == 1 and not wanted:
        return names[0]
    there = sorted(found or names)
    if not there:
        raise AdvreplError(f"{repo} has no GGUF file")
    one = program.command("pull", f"{repo}:{Path(there[0]).name}")
    raise AdvreplError(f"{repo} has {', '.join(there[:12])}: name one, as in `{one}`")


def fetch(chosen: Offer, models: Path, on_check: Callable[[int], None] = lambda _: None) -> Path:
    """Fetch the files into the models folder, check them, and return where the model lies; raises AdvreplError.

    What is broken off goes on where it stood the next time. `on_check` is told of bytes that are checked.
    """
    from huggingface_hub import hf_hub_download

    target = models / chosen.target
    if target.exists():
        raise AdvreplError(f"{target} is there already: remove it to fetch it again")
    incoming = models / INCOMING / chosen.repo.replace("/", "--")
    for file in chosen.files:
        with _told(chosen.repo):
            got = hf_hub_download(
                chosen.repo, file.name, revision=chosen.revision, local_dir=incoming, endpoint=_endpoint()
            )
        _check(Path(got), file, on_check)
    if chosen.kind == "gguf":
        for file in chosen.files:
            (incoming / file.name).replace(models / Path(file.name).name)
    else:
        shutil.rmtree(incoming / ".cache", ignore_errors=True)
        incoming.replace(target)
    shutil.rmtree(incoming, ignore_errors=True)
    return target


def _check(path: Path, file: RemoteFile, on_check: Callable[[int], None]) -> None:
    """Compare with the size and the sum that the hub names; what differs is removed, so that it is fetched anew."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while data := opened.read(CHUNK):
            digest.update(data)
            on_check(len(data))
    if path.stat().st_size != file.bytes or (file.sha256 and digest.hexdigest() != file.sha256):
        path.unlink()
        raise AdvreplError(f"{file.name} came out wrong, and is removed: run the command again")


def _license(info: Any) -> str:
    card = getattr(info, "card_data", None)
    named = card.get("license") if card else None
    tagged = next((tag.partition(":")[2] for tag in info.tags or () if tag.startswith("license:")), "")
    return str(named or tagged or "")


def _page(repo: str) -> str:
    return f"{_endpoint() or 'https://huggingface.co'}/{repo}"


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _told(repo: str) -> Iterator[None]:
    """Turn what the hub's library raises into a sentence that says what to do."""
    from huggingface_hub import errors

    place = _endpoint() or "huggingface.co"
    try:
        yield
    except errors.GatedRepoError as error:
        raise AdvreplError(
            f"{repo} is given out only to those who agree to its terms: do so on {_page(repo)}, then set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise AdvreplError(f"there is no model {repo} on {place}, or it is private (HF_TOKEN)") from error
    except errors.HFValidationError as error:
        raise AdvreplError(f"{repo!r} is no name of a repository: it is OWNER/NAME") from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        if isinstance(error, OSError) and error.errno in OWN_DISK:
            raise AdvreplError(
                f"{error.filename or 'the models folder'}: {error.strerror}: make room, or set ADVREPL_HOME to another "
                "place; what has come is kept"
            ) from error
        raise AdvreplError(f"{place} could not be reached, or broke off ({_reason(error)}): try again") from error
    except Exception as error:  # its HTTP library is another one in each release
        if not type(error).__module__.startswith(("http", "requests", "urllib3")):
            raise
        raise AdvreplError(f"{place} could not be reached, or broke off ({_reason(error)}): try again") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
