"""Patterns over the files of a Hugging Face repository."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from vismark.problems import Missing, Usage, refuse

_PATTERN = re.compile(r"hf://(datasets/)?([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


def expand(url: str, mirrored: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """The files that ``hf://datasets/OWNER/NAME@REVISION/PATTERN`` names, as (address, path in the repository).

    An address without wildcards stands for itself, with an empty path.

    Args:
        mirrored: the paths that a mirror has; the hub is not asked then.

    Raises:
        Missing: the hub cannot be asked (offline, or access must be requested).
        Refused: no file of the repository, or of the mirror, fits the pattern.
        Usage: the address has another form.
    """
    parts = _PATTERN.fullmatch(url)
    if not parts:
        raise Usage(f"{url!r} is not of the form hf://datasets/OWNER/NAME@REVISION/PATH.")
    kind, repository, revision, pattern = parts.groups()
    if not any(c in pattern for c in "*?["):
        return [(url, "")]
    known = _names(repository, kind, revision) if mirrored is None else mirrored
    names = [name for name in known if fnmatch.fnmatch(name, pattern)]
    if not names and mirrored is not None:
        fix = "Make the mirror with `vismark download … --bundle DIR` where there is a network."
        raise refuse("FETCH_MIRROR", f"the mirror has no file that fits {pattern}", file=repository, fix=fix)
    if not names:
        fix = "The source changed; report it to vismark."
        raise refuse("HUB_PATTERN", f"no file fits {pattern}", file=repository, fix=fix)
    stem = url.removesuffix(pattern)
    return [(stem + name, name) for name in sorted(names)]


def _names(repository: str, kind: str | None, revision: str | None) -> list[str]:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        return HfApi().list_repo_files(repository, repo_type="dataset" if kind else "model", revision=revision)
    except OfflineModeIsEnabled as error:
        raise Missing(
            f"{repository} is needed from the hub, and HF_HUB_OFFLINE is set: unset it, or use --mirror."
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise Missing(f"{repository}: the hub cannot be asked which files it has: {error}") from error
