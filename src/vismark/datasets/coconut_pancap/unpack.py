"""Makes the folder of captions from the tars of the release: one ``<stem>.txt`` an image."""

from __future__ import annotations

import shutil
from pathlib import Path

from vismark.problems import Problems, refuse
from vismark.runtime.archives import OFFICIAL, unpack


def tars_to_folder(source: Path, target: Path) -> Problems:
    """Unpack the captions of every tar in the folder `source`; `target` appears whole or not at all.

    Returns:
        Nothing to report.

    Raises:
        Refused: there is no tar, none holds a caption, or one breaks a rule for archives.
    """
    tars = sorted(source.glob("*.tar"))
    work = target.with_name(f".{target.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        for tar in tars:
            for path in unpack(tar, work / "tar", OFFICIAL, wanted=lambda name: name.endswith(".txt")):
                path.rename(work / path.name)
            shutil.rmtree(work / "tar", ignore_errors=True)
        if not any(work.glob("*.txt")):
            message = f"none of the {len(tars)} tar(s) here holds captions (*.txt)"
            raise refuse("CAPTION_FILE_NONE", message, file=source.name, fix="The release changed; tell vismark.")
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Problems()
