"""The entry point: collects the commands and turns every expected failure into a message and an exit code."""

from __future__ import annotations

import errno
import gc
import sys
from typing import Annotated

import typer

from vismark import __version__
from vismark.cli import (
    catalogue,
    check,
    convert,
    demo,
    diff,
    download,
    leaderboard,
    predict,
    prepare,
    report,
    requests,
    score,
    selftest,
    stats,
    status,
    validate,
    verify,
)
from vismark.problems import Missing, Refused, Usage

app = typer.Typer(
    name="vismark",
    help="Benchmarks for models that see and draw: download, check, score, compare.",
    epilog="First steps: `vismark demo`, then `vismark list` and `vismark info coco-panoptic`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

for name, command in (
    ("list", catalogue.list_),
    ("info", catalogue.info),
    ("demo", demo.demo),
    ("download", download.download),
    ("validate", validate.validate),
    ("prepare", prepare.prepare),
    ("requests", requests.requests),
    ("predict", predict.predict),
    ("status", status.status),
    ("convert", convert.convert),
    ("check", check.check),
    ("measure", score.measure),
    ("score", score.score),
    ("selftest", selftest.selftest),
    ("verify", verify.verify),
    ("diff", diff.diff),
    ("report", report.report),
    ("stats", stats.stats),
):
    app.command(name)(command)
app.command("detect", help=score.DETECT)(score.measure)
app.add_typer(leaderboard.app, name="leaderboard")


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Benchmarks for models that see and draw: download, check, score, compare."""
    if version:
        typer.echo(f"vismark {__version__}")
        raise typer.Exit


def run() -> None:
    """Run the command line: 0 done, 1 the input has problems, 2 wrong usage, 3 something needed is missing."""
    # Files become many thousand records without cycles: looking for some less often saves a sixth of the time.
    gc.set_threshold(100_000)
    sys.exit(_run())


def _run() -> int:
    from vismark.cli import show

    try:
        app()
    except Refused as refused:
        if "--json" in sys.argv:
            show.problems(refused.problems)
        else:
            show.findings(refused.problems, stderr=True)
        show.note(f"Refused: {show.summary(refused.problems)}.")
        return 1
    except Usage as error:
        show.note(f"vismark: {error}")
        return 2
    except Missing as error:
        show.note(f"vismark: {error}")
        return 3
    except KeyboardInterrupt:
        show.note("Stopped. What is finished is kept: the same command goes on from there.")
        return 130
    except BrokenPipeError:
        return 0
    except MemoryError:
        show.note("vismark: there is not enough memory for this (or a limit on it was reached).")
        return 1
    except OSError as error:
        if error.errno not in _OUTSIDE:
            raise
        show.note(f"vismark: {error.filename or 'the disk'}: {error.strerror}.")
        return 1
    return 0


# What is the machine's or the user's doing, and no bug: full disks, forbidden folders, limits.
_OUTSIDE = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EISDIR,
    errno.EMFILE,
    errno.ENAMETOOLONG,
    errno.ENFILE,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
