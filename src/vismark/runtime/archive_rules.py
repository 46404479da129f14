"""What an archive may hold: the bounds and the names, the same for zip and tar (threat model §2, items 1 and 2).

The readers (`zips`, `tars`) turn what a file says of itself into `Member` records; nothing is written before all of
them have passed `check`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from vismark.problems import Problems, Refused, refuse

CHUNK = 1 << 16
LONGEST_NAME = 1000
_LONGEST_PART = 255
_DRIVE = re.compile(r"[A-Za-z]:")
_INNER = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_PACKED = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!")


@dataclass(frozen=True)
class Limits:
    """Bounds on what an archive may unpack to. The defaults suit a submission.

    Attributes:
        members: most entries, folders included; the default is the most a plain zip can count.
        member_bytes: largest file.
        total_bytes: all files together.
        ratio: most bytes unpacked from one packed byte, by file and altogether.
        ratio_from: sizes up to this many unpacked bytes are not asked for their ratio.
    """

    members: int = 65_535
    member_bytes: int = 4 << 30
    total_bytes: int = 64 << 30
    ratio: int = 100
    ratio_from: int = 1 << 20


SUBMISSION = Limits()
# COCO's train2017.zip holds 118,287 images, COCONut-XL 288,000 masks.
OFFICIAL = Limits(members=2_000_000, member_bytes=64 << 30, total_bytes=512 << 30)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive.

    Attributes:
        name: path with ``/`` between its parts; bytes that are not UTF-8 stand as lone surrogates (and are refused).
        bytes: unpacked size as declared; reading more or fewer bytes is refused.
        kind: ``other`` is everything that is no plain file or folder, `what` says what.
        packed: size inside the archive, where each member is packed on its own (zip).
    """

    name: str
    bytes: int
    kind: Literal["file", "folder", "other"] = "file"
    what: str = ""
    packed: int | None = None


def readable(raw: bytes) -> str:
    """The name that `raw` spells, without the ``./`` that tar likes to start with and the ``/`` that ends a folder."""
    name = raw.decode("utf-8", "surrogateescape")
    return name.removeprefix("./").removesuffix("/")


def is_junk(name: str) -> bool:
    """Whether a file is what macOS leaves in archives; it is never unpacked."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] == ".DS_Store"


def is_archive(name: str) -> bool:
    """Whether a name is that of an archive or a compressed file."""
    return name.lower().endswith(_INNER)


def is_packed(start: bytes, name: str) -> bool:
    """Whether the first bytes of a file are those of an archive; ``.npz`` files are zips by nature and pass."""
    return start.startswith(_PACKED) and not name.lower().endswith(".npz")


def damaged(file: str, message: str, item: str = "") -> Refused:
    """The refusal of an archive that contradicts itself or ends too early."""
    return refuse(
        "ARCHIVE_DAMAGED",
        message,
        file=file,
        item=item,
        fix="Make the archive again with a common tool, or download it again.",
    )


def too_many(file: str, limits: Limits) -> Refused:
    """The refusal of an archive with more entries than allowed."""
    return refuse("ARCHIVE_MEMBERS", f"holds more than the {limits.members:,} entries that are allowed", file=file)


def check(members: Sequence[Member], limits: Limits, file: str, *, nested: bool) -> None:
    """Check every entry against the rules and raise one refusal that lists all faults.

    Args:
        file: name of the archive, for the messages.
        nested: archives inside are welcome.

    Raises:
        vismark.problems.Refused: ARCHIVE_NAME, _PATH, _KIND, _DUPLICATE, _SIZE, _RATIO, _NESTED.
    """
    problems = Problems()
    for member in members:
        fault = _name_fault(member.name) or _fault(member, limits, nested)
        if fault:
            problems.add(fault[0], fault[1], file=file, item=member.name, fix="Leave it out and pack again.")
    for name in _duplicates(members):
        problems.add(
            "ARCHIVE_DUPLICATE",
            "the name occurs twice (capitals and accents aside), or is both a file and a folder",
            file=file,
            item=name,
            fix="Give every file its own name.",
        )
    _check_totals(members, limits, file, problems)
    if problems.errors:
        raise Refused(problems)


def _check_totals(members: Sequence[Member], limits: Limits, file: str, problems: Problems) -> None:
    total = sum(member.bytes for member in members)
    if total > limits.total_bytes:
        problems.add("ARCHIVE_SIZE", f"unpacks to {total:,} bytes; {limits.total_bytes:,} are allowed", file=file)
    packed = sum(member.packed for member in members if member.packed is not None)
    if any(member.packed is not None for member in members) and _is_bomb(total, packed, limits):
        problems.add("ARCHIVE_RATIO", f"unpacks to {total:,} bytes from {packed:,}: a bomb", file=file)


def _fault(member: Member, limits: Limits, nested: bool) -> tuple[str, str] | None:
    if member.kind == "other":
        return "ARCHIVE_KIND", f"is {member.what}; only plain files and folders are unpacked"
    if member.bytes > limits.member_bytes:
        return "ARCHIVE_SIZE", f"has {member.bytes:,} bytes; {limits.member_bytes:,} are allowed"
    if member.packed is not None and _is_bomb(member.bytes, member.packed, limits):
        return "ARCHIVE_RATIO", f"unpacks to {member.bytes:,} bytes from {member.packed:,}: a bomb"
    if not nested and member.kind == "file" and is_archive(member.name) and not is_junk(member.name):
        return "ARCHIVE_NESTED", "is an archive inside the archive"
    return None


def _is_bomb(size: int, packed: int, limits: Limits) -> bool:
    return size > limits.ratio_from and size > limits.ratio * packed


def _name_fault(name: str) -> tuple[str, str] | None:
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return "ARCHIVE_NAME", "the name is not UTF-8"
    parts = name.split("/")
    if name.startswith("/") or _DRIVE.match(name):
        return "ARCHIVE_PATH", "the name is absolute"
    if not {"", ".", ".."}.isdisjoint(parts):
        return "ARCHIVE_PATH", "the name is no plain path: it has an empty part, `.` or `..`"
    if "\\" in name:
        return "ARCHIVE_PATH", "the name holds a backslash"
    if not name.isprintable():
        return "ARCHIVE_NAME", "the name holds control or invisible characters"
    if len(raw) > LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in parts):
        return "ARCHIVE_NAME", "the name is too long"
    return None


def _duplicates(members: Iterable[Member]) -> list[str]:
    """Names of files that a file system without capitals or with composed accents would lay over another entry."""
    files: dict[str, str] = {}
    folders: set[str] = set()
    twice = []
    for member in members:
        key = unicodedata.normalize("NFC", member.name).casefold()
        if member.kind == "folder":
            folders.add(key)
            continue
        if key in files:
            twice.append(member.name)
        files[key] = member.name
    for parent in {key.rpartition("/")[0] for key in files}:
        folders.update([parent, *map(str, PurePosixPath(parent).parents)])
    return twice + [files[key] for key in files.keys() & folders]
