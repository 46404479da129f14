"""The frame of every page: escaping, a content security policy, and libraries packed into the page.

A page asks nothing of the network. Its policy allows scripts by their hash only (and modules that such a script
unpacks), so that text which slipped through the escaping still could not run.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from vismark.problems import Missing, printable

_TEMPLATES = Path(__file__).parent / "templates"

# Library → (package that vendors it, script, style sheet).
_LIBRARIES = {
    "plotly": ("plotly", "package_data/plotly.min.js", ""),
    "datatables": ("itables", "html/dt_bundle.js", "html/dt_bundle.css"),
}


def page(template: str, libraries: tuple[str, ...] = (), **values: Any) -> str:
    """The complete HTML page that `template` makes of `values`.

    Every string is escaped for HTML, and its control, bidirectional and invisible characters are made visible.

    Args:
        template: a file in ``pages/templates``.
        libraries: what the page's script needs, of ``plotly`` and ``datatables``.

    Raises:
        Missing: a library's package is not installed.
    """
    script = (_TEMPLATES / "page.js").read_text("utf-8")
    styles = [_library(name, 2) for name in libraries if _LIBRARIES[name][2]]
    return (
        _environment()
        .get_template(template)
        .render(
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
            styles=Markup("\n".join([*styles, (_TEMPLATES / "page.css").read_text("utf-8")])),
            packed={name: _packed(name) for name in libraries},
            **values,
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _visible(value: Any) -> Any:
    # `isprintable` alone is quick, and a page holds megabytes of packed text.
    return printable(value, len(value)) if type(value) is str and not value.isprintable() else value


@cache
def _packed(name: str) -> str:
    """The library's script, gzipped and in base64: a third of its size, and no markup in it."""
    return base64.b64encode(gzip.compress(_library(name, 1).encode(), mtime=0)).decode("ascii")


def _library(name: str, which: int) -> str:
    """The script (1) or style sheet (2) of a library, found without importing the package that vendors it."""
    package = _LIBRARIES[name][0]
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Missing(f"The report needs the package {package}, which is not installed: `pip install {package}`.")
    return Path(spec.submodule_search_locations[0], _LIBRARIES[name][which]).read_text("utf-8")
