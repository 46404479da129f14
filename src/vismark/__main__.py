"""``python -m vismark``."""

from vismark.cli.main import run

run()
