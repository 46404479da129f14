"""Patterns over the files of a Hugging Face repository."""

from __future__ import annotations

import fnmatch
import re

from vismark.problems import Missing, Usage, refuse

_PATTERN = re.compile(r"hf://(datasets/)?([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


def expand(url: str) -> list[tuple[str, str]]:
    """The files that ``hf://datasets/OWNER/NAME@REVISION/PATTERN`` names, as (address, path in the repository).

    An address without wildcards stands for itself, with an empty path.

    Raises:
        Missing: the hub cannot be asked (offline, or access must be requested).
        Refused: no file of the repository fits the pattern.
        Usage: the address has another form.
    """
    parts = _PATTERN.fullmatch(url)
    if not parts:
        raise Usage(f"{url!r} is not of the form hf://datasets/OWNER/NAME@REVISION/PATH.")
    kind, repository, revision, pattern = parts.groups()
    if not any(c in pattern for c in "*?["):
        return [(url, "")]
    names = [name for name in _names(repository, kind, revision) if fnmatch.fnmatch(name, pattern)]
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
