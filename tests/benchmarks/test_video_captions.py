"""`vicas-caption` and its twin: the official aggregation, the judge's wording, repeats, and judges that misbehave."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import vismark
from vicas_builder import Json, annotation, blobs
from vismark import registry
from vismark.benchmarks import video_caption_wording as wording
from vismark.instruments.base import Tools
from vismark.instruments.judge import endpoint
from vismark.instruments.judge.base import Question
from vismark.problems import Missing, Refused
from vismark.results import Result

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "vicas" / "judge_aggregate.json"


def build(folder: Path, answers: list[list[str]]) -> dict[str, Path]:
    """Videos with as many references as there are answers, and a caption for each; what they are scored against."""
    true = blobs(np.random.default_rng(0), 1, 2, (6, 8))
    for kind in ("annotations", "predictions"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for id, told in enumerate(answers):
        video = annotation(id, true, [[0]])
        video |= {key: f"{key} of {id}" for key in ("caption_parsed_en", "caption_parsed_en_gpt")}
        video["reworded_en_captions"] = [f"reworded {number} of {id}" for number in range(len(told) - 2)]
        found = {"video_id": id, "pred_caption": f"prediction of {id}"}
        for kind, value in (("annotations", video), ("predictions", found)):
            (folder / kind / f"{id:06d}.json").write_text(json.dumps(value))
    (folder / "val.json").write_text(json.dumps(list(range(len(answers)))))
    return {"annotations": folder / "annotations", "split": folder / "val.json"}


def references_of(id: int, count: int) -> list[str]:
    named = [f"{key} of {id}" for key in ("caption_parsed_en", "caption_parsed_en_gpt")]
    return [*named, *(f"reworded {number} of {id}" for number in range(count - 2))]


def record(path: Path, answers: list[list[str]]) -> Path:
    """A log of a judge that gave these answers."""
    lines = []
    for id, told in enumerate(answers):
        for text, answer in zip(references_of(id, len(told)), told, strict=True):
            asked = Question("", (wording.OWN.asked(text, f"prediction of {id}"),), wording.OWN.system)
            lines.append(json.dumps({"id": asked.digest, "item": "", "answers": [answer]}))
    path.write_text("\n".join(lines) + "\n")
    return path


def recorded(folder: Path, answers: list[list[str]], **options: Any) -> Result:
    references = build(folder, answers)
    log = record(folder / "log.jsonl", answers)
    tools = Tools(names=("judge-recorded",), weights={"judge-recorded": log})
    metrics = ["Captioning", "Captioning_repaired", "Captioning_se", "unparsable"]
    options = {"references": references, "tools": tools, "metrics": metrics, **options}
    return vismark.score("vicas-caption", folder / "predictions", **options)


# Aggregation


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"{GOLDEN.name} is not here")
def test_the_official_mean(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    result = recorded(tmp_path, golden["judge_outputs_per_video"])
    assert repr(result.metrics["Captioning"]) == golden["mean_avg_bs1"]
    assert result.metrics["unparsable"] == 6  # Score: 4 · 4/5 · 0x3 · nothing · five · 4 out of 5
    assert "JUDGE_UNPARSABLE" in {problem.code for problem in result.warnings}


def test_a_nan_is_told_and_repaired(tmp_path: Path) -> None:
    result = recorded(tmp_path, [["4", "nan"], ["3", "5"]])
    assert result.metrics["Captioning"] is None and result.metrics["Captioning_repaired"] == 3.0
    assert "METRIC_UNDEFINED" in {problem.code for problem in result.warnings}


def test_the_standard_error_over_videos_and_the_kinds_of_references(tmp_path: Path) -> None:
    result = recorded(tmp_path, [["4", "4", "1"], ["2", "2"]])
    assert result.metrics["Captioning"] == 2.5
    assert result.metrics["Captioning_se"] == pytest.approx(np.std([3.0, 2.0], ddof=1) / math.sqrt(2))
    assert {name: row["Captioning"] for name, row in result.breakdowns["reference"].items()} == {
        "human": 3.0, "language-cleaned": 3.0, "reworded": 1.0,
    }  # fmt: skip


def test_a_number_in_other_words_says_so(tmp_path: Path) -> None:
    basis = recorded(tmp_path, [["4", "4"]]).basis["Captioning"]
    assert basis.kind == "deviates" and "vismark's wording" in basis.why and "Llama-3-70B-Instruct" in basis.why


def test_a_question_without_a_recorded_answer_is_named(tmp_path: Path) -> None:
    references = build(tmp_path, [["4", "4"], ["3", "3"]])
    tools = Tools(names=("judge-recorded",), weights={"": record(tmp_path / "log.jsonl", [["4", "4"]])})
    with pytest.raises(Refused) as refused:
        vismark.score("vicas-caption", tmp_path / "predictions", references=references, tools=tools)
    errors = [problem.item for problem in refused.value.problems if problem.severity == "error"]
    assert errors == ["000001/0", "000001/1"]


# Wording


def test_the_official_text_is_read_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vismark.runtime.digests import digest_of

    file = tmp_path / "caption_eval.py"
    file.write_text(
        f'SYSTEM_MSG = """\nBe brief.\n"""\nUSER_MSG = "{{}} or {{}}?"\nopen({str(tmp_path / "run")!r}, "w")\n'
    )
    references = build(tmp_path, [["4", "4"]]) | {"prompt": file}
    problems = vismark.check("vicas-caption", tmp_path / "predictions", references=build(tmp_path, [["4", "4"]]))
    assert not problems.errors
    with pytest.raises(Refused, match="REF_PROMPT"):
        vismark.check("vicas-caption", tmp_path / "predictions", references=references)
    monkeypatch.setattr(wording, "_SYSTEM", digest_of(b"\nBe brief.\n"))
    monkeypatch.setattr(wording, "_USER", digest_of(b"{} or {}?"))
    from vismark.problems import Problems

    found = wording.read_wording(file, Problems())
    assert found is not None and found.official
    assert (found.system, found.asked("{a}", "b ")) == ("Be brief.", "{a} or b ?")
    assert not (tmp_path / "run").exists()


def test_wording_is_part_of_what_a_score_is_compared_by(tmp_path: Path) -> None:
    one = wording.OWN
    other = wording.Wording(one.system, one.user + " ", official=False)
    assert one.digest != other.digest


# Checks


@pytest.mark.parametrize(
    ("found", "code"),
    [({"pred_caption": " "}, "SUB_CAPTION"), ({"pred_caption": 3}, "SUB_CAPTION"), ({}, "SUB_CAPTION"),
     ({"pred_caption": "x", "video_id": 9}, "SUB_VIDEO_ID")],
)  # fmt: skip
def test_captions_that_cannot_be_judged(tmp_path: Path, found: Json, code: str) -> None:
    references = build(tmp_path, [["4", "4"]])
    (tmp_path / "predictions" / "000000.json").write_text(json.dumps({"video_id": 0} | found))
    problems = vismark.check("vicas-caption", tmp_path / "predictions", references=references)
    assert [problem.code for problem in problems if problem.severity == "error"] == [code]


def test_a_reference_that_is_empty(tmp_path: Path) -> None:
    references = build(tmp_path, [["4", "4"]])
    file = tmp_path / "annotations" / "000000.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"caption_parsed_en": ""}))
    problems = vismark.check("vicas-caption", tmp_path / "predictions", references=references)
    assert "REF_CAPTION" in problems


def test_word_metrics_need_no_judge(tmp_path: Path) -> None:
    vismark.predict("oracle", "shapes-video-caption", tmp_path / "out", settings={"amount": "0"})
    result = vismark.score("shapes-video-caption", tmp_path / "out", metrics=["CIDEr", "BLEU-4", "ROUGE-L"])
    assert result.metrics["BLEU-4"] == pytest.approx(1.0) and result.metrics["ROUGE-L"] == pytest.approx(1.0)
    with pytest.raises(Missing, match="judge-local"):
        vismark.score("shapes-video-caption", tmp_path / "out")


def test_the_twin_is_the_same_class_with_the_same_numbers() -> None:
    real, twin = (registry.card("benchmarks", name) for name in ("vicas-caption", "shapes-video-caption"))
    assert real.code == twin.code and real.metrics == twin.metrics and real.protocols == twin.protocols


# Judges at an address


class Server(BaseHTTPRequestHandler):
    """An OpenAI-compatible judge that is as bad as judges get: slow, busy, broken, wrong; and may die."""

    lock = threading.Lock()
    asked: ClassVar[Counter[str]] = Counter()  # every request that arrived
    answered: ClassVar[Counter[str]] = Counter()  # every reply that was a completion
    lives = 10**9  # replies until it dies
    seeds: ClassVar[set[int]] = set()
    slow = 0.0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"]
        key = f"{body['seed']} {text}"
        number = int(re.findall(r"of (\d+)", text)[-1]) if " of " in text else len(text)
        with Server.lock:
            Server.asked[key] += 1
            Server.seeds.add(body["seed"])
            times, dead = Server.asked[key], Server.lives <= 0
        if dead:
            self.close_connection = True
            self.connection.close()
            return None
        time.sleep(Server.slow)
        if times == 1 and number % 4 == 1:
            return self.say(429, "{}")
        if times == 1 and number % 4 == 2:
            return self.say(500, "down")
        if times == 1 and number % 4 == 3:
            self.connection.close()  # in the middle of a reply
            return None
        answer = ("Score: 4", "3", "4.5", "nan")[number % 4]
        with Server.lock:
            Server.answered[key] += 1
            Server.lives -= 1
        return self.say(200, json.dumps({"choices": [{"message": {"content": answer}}]}))

    def say(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(endpoint.time, "sleep", lambda seconds: None)
    Server.asked, Server.answered, Server.lives, Server.seeds, Server.slow = Counter(), Counter(), 10**9, set(), 0.0


@pytest.fixture
def address(cache: None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def judged(folder: Path, references: dict[str, Path], address: str, **options: Any) -> Result:
    settings = {"judge": {"endpoint": address, "model": "small", **options.pop("settings", {})}}
    tools = Tools(names=("judge-endpoint",), settings=settings)
    metrics = ["Captioning", "Captioning_repaired", "unparsable"]
    return vismark.score(
        "vicas-caption", folder / "predictions", references=references, tools=tools, metrics=metrics, **options
    )


def answers_of(videos: int) -> list[list[str]]:
    """What the server says of each video, whose number decides."""
    return [[("Score: 4", "3", "4.5", "nan")[id % 4]] * 3 for id in range(videos)]


def test_a_slow_busy_broken_judge_is_asked_until_it_answers(tmp_path: Path, address: str) -> None:
    references = build(tmp_path, answers_of(12))
    Server.slow = 0.01
    result = judged(tmp_path, references, address)
    assert set(Server.answered.values()) == {1} and len(Server.answered) == 36
    # "Score: 4" and nan count 0 where they are repaired.
    assert result.metrics["Captioning_repaired"] == pytest.approx((3 + 4.5) / 4)
    assert result.metrics["unparsable"] == 9 and result.metrics["Captioning"] is None
    judged(tmp_path, references, address)
    assert set(Server.answered.values()) == {1}, "scored again from what is kept"


def test_a_judge_that_dies_loses_nothing_and_is_asked_nothing_twice(tmp_path: Path, address: str) -> None:
    references = build(tmp_path, answers_of(24))
    Server.lives = 20
    with pytest.raises(Refused) as refused:
        judged(tmp_path, references, address)
    problems = refused.value.problems
    assert {problem.code for problem in problems} == {"JUDGE_UNREACHABLE", "JUDGE_LEFT"}
    left = next(problem for problem in problems if problem.code == "JUDGE_LEFT")
    given = len(Server.answered)
    assert f"{given} of 72 questions have a reply" in left.message and "Run the same command again" in left.fix
    # After the first question that cannot be answered only those under way are still asked, four times each.
    assert sum(Server.asked.values()) < 150
    Server.lives = 10**9
    result = judged(tmp_path, references, address)
    assert set(Server.answered.values()) == {1} and len(Server.answered) == 72
    assert result.samples == 24


def test_runs_of_a_judge_that_samples_give_an_interval(tmp_path: Path, address: str) -> None:
    references = build(tmp_path, answers_of(4))
    settings = {"temperature": 0.6, "top_p": 0.9}
    result = judged(tmp_path, references, address, settings=settings, protocol="repeated")
    assert Server.seeds == set(range(5)) and len(Server.answered) == 60
    assert "JUDGE_GREEDY" in {problem.code for problem in result.warnings}, "this one always says the same"
    low, high = result.basis["Captioning_repaired"].interval or (0, 0)
    assert low == high == result.metrics["Captioning_repaired"]
    # The first draw is that of the official protocol.
    judged(tmp_path, references, address, settings=settings)
    assert len(Server.answered) == 60 and set(Server.answered.values()) == {1}


def test_the_interval_is_students() -> None:
    from vismark.benchmarks.video_caption_judge import Judged
    from vismark.benchmarks.video_caption_numbers import scores

    runs = ("3", "4", "3", "4", "5")
    row = Judged(id="000000", digest="", answers=tuple((one,) for one in runs), judge="model x")
    found = scores({"video-judge-5": [row]}, wording.OWN)
    error = np.std([3, 4, 3, 4, 5], ddof=1) / math.sqrt(5)
    assert found.metrics["Captioning"] == pytest.approx(3.8)
    assert found.intervals["Captioning"] == pytest.approx((3.8 - 2.776 * error, 3.8 + 2.776 * error))


@pytest.mark.timeout(60)
def test_a_killed_run_goes_on(tmp_path: Path, address: str) -> None:
    references = build(tmp_path, answers_of(24))
    Server.slow = 0.3
    words = [
        sys.executable, "-m", "vismark", "score", "vicas-caption", str(tmp_path / "predictions"),
        "--references", ",".join(f"{name}={path}" for name, path in references.items()), "--metrics", "Captioning",
        "--instrument", "judge-endpoint", "--set", f"judge.endpoint={address}", "--set", "judge.model=small",
    ]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    while len(Server.answered) < 20 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 20 <= len(Server.answered) < 72
    time.sleep(0.6)  # replies under way arrive nowhere
    Server.slow = 0.0
    result = judged(tmp_path, references, address)
    assert result.samples == 24 and len(Server.answered) == 72
    twice = [key for key, count in Server.answered.items() if count > 1]
    assert len(twice) <= 8, "at the most those that were under way when the process died"
