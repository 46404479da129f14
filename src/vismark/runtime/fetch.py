"""Fetches one file: over HTTP, from the Hugging Face hub, or from a mirror, and makes sure that it is the right one.

A file is either absent or whole and verified. Size and digest are checked before it takes its name; a file whose
source states no digest is pinned on first use (`pins`), and the caller is told, so that it can say so.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vismark.problems import Missing, Usage, refuse
from vismark.runtime.atomic import link_or_copy
from vismark.runtime.locks import held
from vismark.runtime.pins import Pin, pin, pinned
from vismark.runtime.transfer import Patience, Progress, Transfer

__all__ = ["Fetched", "Patience", "fetch", "fetch_hub"]

PATIENCE = Patience()
_ALGORITHMS = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
_HUB = re.compile(r"hf://(?:(datasets|spaces)/|(?!datasets/|spaces/))([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


@dataclass(frozen=True)
class Fetched:
    """A file that is here and is the right one.

    Attributes:
        path: where it is.
        bytes: its size.
        digest: ``algorithm:hex`` in the source's algorithm, sha256 where the source states none.
        pinned: the source states no digest and this was the first use: the digest was recorded now. To be said.
    """

    path: Path
    bytes: int
    digest: str
    pinned: bool


@dataclass(frozen=True)
class _Wanted:
    """The file that is to come; `digest` is the source's, or the pin's, or None."""

    url: str
    target: Path
    bytes: int | None
    digest: str | None
    source: str


def fetch(
    url: str,
    target: Path,
    *,
    bytes: int | None = None,
    digest: str | None = None,
    mirror: str | Path | None = None,
    name: str = "",
    progress: Progress | None = None,
    patience: Patience = PATIENCE,
) -> Fetched:
    """Bring the file at an http or https address to `target`, unless it is there already.

    An interrupted download goes on from its ``.part`` file. Proxies are taken from the environment. Two processes
    that want the same file take turns, and the second finds it done.

    Args:
        bytes: size that the source states.
        digest: ``sha256:…`` (or sha512, sha1, md5) that the source states; None pins the file on first use.
        mirror: folder, or base address, that has the file under `name`; `url` is not asked then.
        name: path below the mirror; the name of `target` without one.
        progress: is told (bytes so far, total or None).

    Raises:
        vismark.problems.Refused: the file cannot be had or is not the right one (codes ``FETCH_…``, DISK_SPACE).
        vismark.problems.Usage: the address or the digest is malformed.
    """
    if not url.startswith(("http://", "https://")):
        raise Usage(f"{url!r} is no http or https address.")

    def bring(wanted: _Wanted) -> Pin:
        source = _mirrored(mirror, name or target.name)
        if isinstance(source, Path):
            return _copy(source, wanted)
        return _transfer(source or url, wanted, progress, patience)

    return _settled(url, target, bytes, digest, bring)


def fetch_hub(
    url: str,
    target: Path,
    *,
    bytes: int | None = None,
    digest: str | None = None,
    mirror: str | Path | None = None,
    name: str = "",
) -> Fetched:
    """Bring a file of the Hugging Face hub to `target`, linked from the hub's own cache where the disk is the same.

    ``HF_HUB_OFFLINE``, ``HF_ENDPOINT``, ``HF_HOME`` and the user's token are honoured by huggingface_hub.

    Args:
        url: ``hf://datasets/OWNER/NAME@REVISION/PATH``; without ``datasets/`` it names a model.

    Raises:
        vismark.problems.Missing: offline and not in the hub's cache, or a licence must be accepted first.
        vismark.problems.Refused: as `fetch`.
        vismark.problems.Usage: the address or the digest is malformed.
    """
    parts = _HUB.fullmatch(url)
    if not parts:
        raise Usage(f"{url!r} is not of the form hf://datasets/OWNER/NAME@REVISION/PATH.")

    def bring(wanted: _Wanted) -> Pin:
        source = _mirrored(mirror, name or target.name)
        if isinstance(source, str):
            return _transfer(source, wanted, None, PATIENCE)
        kind = (parts[1] or "models").removesuffix("s")
        return _copy(source or _from_hub(kind, parts[2], parts[3], parts[4]), wanted)

    return _settled(url, target, bytes, digest, bring)


def _settled(url: str, target: Path, size: int | None, digest: str | None, bring: Callable[[_Wanted], Pin]) -> Fetched:
    """The verified file at `target`, brought there when it is not, by one process at a time."""
    if digest is not None:
        _check_form(digest)
    try:
        with held(target):
            known = pinned(url) if digest is None else None
            if known:
                wanted = _Wanted(url, target, known.bytes, known.digest, "pinned on first use")
            else:
                wanted = _Wanted(url, target, size, digest, "as its source states")
            if target.exists():
                found = _measured(target, wanted)
                _compare(found, wanted, "Move it away to download it again; it is not replaced.")
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                found = bring(wanted)
            if wanted.digest is None:
                _compare(found, _Wanted(url, target, None, pin(url, found).digest, "pinned meanwhile"), "Run it again.")
            return Fetched(target, found.bytes, found.digest, pinned=wanted.digest is None)
    except OSError as error:
        raise refuse(
            "FETCH_WRITE",
            f"cannot be stored: {error.strerror or error}",
            file=target.name,
            fix="Check that the data root and VISMARK_CACHE are folders that can be written and have room.",
        ) from error


def _transfer(url: str, wanted: _Wanted, progress: Progress | None, patience: Patience) -> Pin:
    """Over HTTP into the ``.part`` file, checked, and into place."""
    part = wanted.target.with_name(wanted.target.name + ".part")
    transfer = Transfer(url, part, wanted.bytes, wanted.digest, patience, progress)
    transfer.run()
    found = _measured(part, wanted)
    if transfer.resumed and _difference(found, wanted):
        # Halves of two versions of the file may have met: once, all of it is fetched again.
        transfer.discard()
        transfer.run()
        found = _measured(part, wanted)
    if _difference(found, wanted):
        transfer.discard()
    _compare(found, wanted, "Try again later or from a --mirror; if it stays, the file has a new version: report it.")
    _sync(part)
    part.replace(wanted.target)
    transfer.done()
    return found


def _copy(source: Path, wanted: _Wanted) -> Pin:
    """From a folder: linked where the disk is the same, else copied; checked, and into place."""
    if not source.is_file():
        fix = "Make the mirror with `vismark download … --bundle DIR` where there is a network."
        raise refuse("FETCH_MIRROR", "the mirror does not have it", file=wanted.target.name, value=source, fix=fix)
    # Not the `.part` of a transfer: that is written to, and a link would hand the writing on to the mirror.
    temporary = wanted.target.with_name(f".{wanted.target.name}.part")
    try:
        link_or_copy(source, temporary)
        found = _measured(temporary, wanted)
        _compare(found, wanted, "Replace the mirror's copy.")
        temporary.replace(wanted.target)
    finally:
        temporary.unlink(missing_ok=True)
    return found


def _mirrored(mirror: str | Path | None, name: str) -> Path | str | None:
    """Where the mirror has the file: a path, an address, or None without a mirror."""
    if mirror is None:
        return None
    if isinstance(mirror, str) and mirror.startswith(("http://", "https://")):
        return f"{mirror.rstrip('/')}/{quote(name)}"
    return Path(mirror) / name


def _from_hub(kind: str, repository: str, revision: str | None, path: str) -> Path:
    """The file in the hub's own cache, downloaded when it is not there."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    place = f"{path} of {repository}"
    try:
        return Path(hf_hub_download(repository, path, repo_type=kind, revision=revision))
    except GatedRepoError as error:
        raise Missing(
            f"{place} is behind a licence: accept it on huggingface.co/{repository}, then log in with `hf auth login`."
        ) from error
    except LocalEntryNotFoundError as error:
        raise Missing(
            f"{place} is not in the Hugging Face cache and the hub cannot be reached (or HF_HUB_OFFLINE forbids it): "
            "download it where there is a network and give it with --mirror, or copy the cache (HF_HOME)."
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        fix = "It has moved, was withdrawn, or is private: look at the hub, or give a copy with --mirror."
        raise refuse("FETCH_NOT_FOUND", "is not on the hub", file=path, value=repository, fix=fix) from error
    except Exception as error:  # whichever HTTP library the hub's client uses lets its own errors through
        fix = "Run the same command again, or give a copy with --mirror."
        raise refuse(
            "FETCH_FAILED", f"the hub does not give it: {error}", file=path, value=repository, fix=fix
        ) from error


def _check_form(digest: str) -> None:
    algorithm, _, value = digest.partition(":")
    if not re.fullmatch(r"[0-9a-f]+", value) or _ALGORITHMS.get(algorithm) != len(value):
        raise Usage(f"{digest!r} is no digest of the form sha256:HEX (or {', '.join(_ALGORITHMS)}).")


def _measured(path: Path, wanted: _Wanted) -> Pin:
    """Size and digest of what is on the disk, in the algorithm of the wanted digest."""
    algorithm = (wanted.digest or "sha256:").partition(":")[0]
    with path.open("rb") as file:
        value = hashlib.file_digest(file, algorithm).hexdigest()
        return Pin(file.tell(), f"{algorithm}:{value}")


def _difference(found: Pin, wanted: _Wanted) -> str:
    """What is wrong with a file, or ""."""
    if wanted.bytes not in (None, found.bytes):
        return f"has {found.bytes:,} bytes, expected {wanted.bytes:,} ({wanted.source})"
    if wanted.digest not in (None, found.digest):
        return f"has the digest {found.digest}, expected {wanted.digest} ({wanted.source})"
    return ""


def _compare(found: Pin, wanted: _Wanted, fix: str) -> None:
    difference = _difference(found, wanted)
    if difference:
        raise refuse("FETCH_DIGEST", difference, file=wanted.target.name, value=wanted.url, fix=fix)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
