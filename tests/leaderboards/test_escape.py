"""Escaping: text of strangers stays text in every format."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vismark.leaderboards.escape import clean, latex, markdown, spreadsheet

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[x](javascript:alert(1))",
    "<javascript:alert(1)>",
    "a | b \\| c",
    "`code` **bold** _em_ ~~s~~ # $x$",
    r"\write18{rm -rf ~}",
    r"\input{/etc/passwd} % ^^5c",
    "=cmd|' /C calc'!A0",
    "\u202eevil\u202c \u200b\ufe0f\u3164",
    "line\nbreak\rreturn\ttab\x1b[31mred\x00",
]


@pytest.mark.parametrize("write", [clean, markdown, latex, spreadsheet])
@given(text=st.text(max_size=80))
def test_nothing_invisible_remains(write, text: str) -> None:
    shown = write(text)
    assert shown.isprintable()
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for c in shown)
    assert not set(shown) & set("\u034f\u115f\u1160\u2800\u3164\ufe00\ufe0f\uffa0\U000e0100")


def test_look_alikes_stay_and_long_text_is_cut() -> None:
    assert clean("Вert ΔE 模型 é") == "Вert ΔE 模型 é"
    assert len(clean("x" * 5000)) == 301


@given(st.text(max_size=80))
def test_markdown_has_no_pipe_no_tag_no_live_mark(text: str) -> None:
    shown = markdown(text)
    assert not set("|<>\n") & set(shown)
    live = re.sub(r"\\[\\`*_{}\[\]~#$]", "", shown)
    assert not set("\\`*_[]~$") & set(live)
    assert not re.search(r"&(?!(amp|lt|gt|#124);)", shown)


@given(st.text(max_size=80))
def test_latex_has_only_the_commands_that_we_wrote(text: str) -> None:
    shown = latex(text)
    ours = r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}"
    ours += r"|\\[{}$&#%_]|\$-\$|\$\\(approx|Delta|cdot)\$|\{[\[\]*]\}"
    assert not set('\\{}$&#%_^~[]*"') & set(re.sub(ours, "", shown))


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "＝1", " =1", "-1+1", "+1;x", "-٣", "--1"])
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert spreadsheet(text) == "'" + text


@pytest.mark.parametrize("text", ["-0.2", "+0.1", "53.3", "-7", "model=3", "a-b", "", "–", "3="])
def test_numbers_and_plain_text_do_not(text: str) -> None:
    assert spreadsheet(text) == text


def test_control_characters_cannot_start_a_cell() -> None:
    assert spreadsheet("\t=1") == "\\t=1"
    assert spreadsheet("\r\n=1") == "\\r\\n=1"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless(text: str) -> None:
    assert not set("<>|") & set(markdown(text))
    assert "](" not in markdown(text).replace("\\](", "")
    assert not re.search(r"\\(write|input)", latex(text))
    assert not spreadsheet(text).startswith(("=", "+", "@", "\t", "\r"))
