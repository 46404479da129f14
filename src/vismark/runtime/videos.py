"""Frames of videos: decoded lazily with PyAV at a fixed rate, read from a folder of pictures, or written into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vismark.problems import Missing, refuse
from vismark.runtime.atomic import filling
from vismark.runtime.pictures import read_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Frames of a video are decoded until here; an hour at 30 a second.
MOST_FRAMES = 108_000
_MOST_PIXELS = 100_000_000
# One step of libav's quality scale: -q:v 1.
_LAMBDA = 118


@dataclass(frozen=True)
class Source:
    """Where the frames of a video are: files called `names` in `folder`, else `file`, decoded at `rate` a second."""

    names: Sequence[str]
    size: tuple[int, int]
    folder: Path | None
    file: Path | None
    rate: int


def read_frames(source: Source, wanted: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    """The frames called `wanted` as uint8 RGB; see `vismark.tasks.Frames.pixels`."""
    if source.folder is not None and source.folder.is_dir():
        for name in wanted:
            yield read_picture(source.folder / name, source.size)
        return
    if source.file is None or not source.file.is_file():
        said = source.file.name if source.file else source.folder.name if source.folder else "the video"
        raise Missing(f"Neither frames nor the video of {said} are here: `vismark download` its data set.")
    place = {name: number for number, name in enumerate(source.names)}
    numbers = [place[name] for name in wanted]
    kept: dict[int, NDArray[np.uint8]] = {}
    video = _Video(source.file, source.rate, source.size)
    for number in numbers:
        if number not in kept:
            kept |= video.until(number, frozenset(numbers))
        yield kept[number]
        if numbers == sorted(numbers):
            kept.clear()


def decode(file: Path, rate: int) -> Iterator[Any]:
    """The frames of a video as PyAV frames, `rate` a second: repeated or left out to hold the rate, as ffmpeg does.

    Raises:
        Missing: PyAV is not installed.
        Refused: the file is no readable video, or has too many or too large frames.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise Missing("Reading videos needs PyAV: `pip install 'vismark[video]'`.") from error
    fix = "Download the video again."
    try:
        with av.open(str(file)) as container:
            if not container.streams.video:
                raise refuse("VIDEO_UNREADABLE", "has no pictures", file=file.name, fix=fix)
            stream = container.streams.video[0]
            if stream.width * stream.height > _MOST_PIXELS:
                raise refuse("VIDEO_UNREADABLE", "its frames are too large", file=file.name, fix=fix)
            yield from _at_rate(container.decode(stream), stream, rate, file)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise refuse("VIDEO_UNREADABLE", f"cannot be decoded: {error}", file=file.name, fix=fix) from error


def write_frames(file: Path, folder: Path, rate: int) -> int:
    """Decode a video into ``00000.jpg`` … of the best quality; `folder` appears when all are there.

    Returns:
        The number of frames.

    Raises:
        Missing, Refused: see `decode`.
    """
    with filling(folder) as part:
        count = _encode(decode(file, rate), part, rate)
        if not count:
            raise refuse("VIDEO_UNREADABLE", "has no frame", file=file.name, fix="Download the video again.")
    return count


def _encode(frames: Iterator[Any], folder: Path, rate: int) -> int:
    """Write JPEGs as ``ffmpeg -q:v 1 -start_number 0 %05d.jpg`` does, with the same encoder; the number of frames."""
    import av

    pattern = str(folder).replace("%", "%%") + "/%05d.jpg"
    count = 0
    with av.open(pattern, "w", format="image2", options={"start_number": "0"}) as target:
        for count, frame in enumerate(frames, 1):
            if count == 1:
                stream = target.add_stream("mjpeg", rate=rate)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuvj420p"
                stream.options = {"flags": "+qscale", "global_quality": str(_LAMBDA)}
            target.mux(stream.encode(frame))
        if count:
            target.mux(stream.encode(None))
    return count


def _at_rate(decoded: Iterator[Any], stream: Any, rate: int, file: Path) -> Iterator[Any]:
    from av.filter import Graph

    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream), graph.add("fps", f"fps={rate}"), graph.add("buffersink")
    ).configure()
    count = 0
    for frame in decoded:
        graph.push(frame)
        for one in _pulled(graph):
            count += 1
            if count > MOST_FRAMES:
                message = f"has more than {MOST_FRAMES:,} frames"
                raise refuse("VIDEO_UNREADABLE", message, file=file.name, fix="Is this the right video?")
            yield one
    graph.push(None)
    yield from _pulled(graph)


def _pulled(graph: Any) -> Iterator[Any]:
    """What the filter has ready."""
    import av

    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


class _Video:
    """A video that is decoded forwards, once."""

    def __init__(self, file: Path, rate: int, size: tuple[int, int]) -> None:
        self.file = file
        self.size = size
        self.frames = enumerate(decode(file, rate))

    def until(self, number: int, wanted: frozenset[int]) -> dict[int, NDArray[np.uint8]]:
        """Decode on to the frame `number`; it and the others of `wanted` on the way."""
        found = {}
        for place, frame in self.frames:
            if place in wanted:
                pixels = frame.to_ndarray(format="rgb24")
                if pixels.shape[:2] != self.size:
                    size = f"{pixels.shape[1]}×{pixels.shape[0]}"
                    message = f"is {size}, the annotation says {self.size[1]}×{self.size[0]} (width×height)"
                    raise refuse("VIDEO_SIZE", message, file=self.file.name, fix="Use the videos of this data set.")
                found[place] = pixels
            if place == number:
                return found
        message = f"ends before frame {number}"
        raise refuse("VIDEO_SHORT", message, file=self.file.name, fix="Use the videos of this data set.")
