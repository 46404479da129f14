"""Judges: the three ways to answer, the log that is never asked twice, and every way to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from vismark.instruments.base import Absent, Tools
from vismark.instruments.judge import endpoint
from vismark.instruments.judge.base import Judge, Question
from vismark.problems import Missing, Refused, Usage
from vismark.runtime.torchvision import make_importable

PNG = b"\x89PNG\r\n\x1a\n..."


class Talker(BaseHTTPRequestHandler):
    """Repeats the last message, or answers with the statuses in `script` first."""

    script: ClassVar[list[int]] = []
    seen: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Talker.seen.append(body | {"path": self.path, "key": self.headers.get("authorization")})
        status = Talker.script.pop(0) if Talker.script else 200
        content = body["messages"][-1]["content"]
        text = content if isinstance(content, str) else content[-1]["text"]
        reply = {"choices": [{"message": {"role": "assistant", "content": f"said: {text}"}}]}
        data = json.dumps(reply if status != 299 else {"error": "no"}).encode()
        self.send_response(status if status != 299 else 200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """An OpenAI-compatible server, a cache of this test's own, and no waiting between attempts."""
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(endpoint.time, "sleep", lambda seconds: None)
    Talker.script, Talker.seen = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Talker)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def told(refused: pytest.ExceptionInfo[Refused]) -> list[tuple[str, str]]:
    """Code and item of each error."""
    return [(p.code, p.item) for p in refused.value.problems if p.severity == "error"]


def load(name: str, **choice: Any) -> Any:
    return Tools(names=(name,), **choice).load("judge", name)


def at(address: str, **more: Any) -> Judge:
    judge = load("judge-endpoint", settings={"judge": {"endpoint": address, "model": "m", **more}})
    assert isinstance(judge, Judge)
    return judge


def test_turns_are_said_in_one_conversation_and_pictures_with_the_first(address: str) -> None:
    question = Question("a", ("look", "grade"), system="be fair", images=(PNG,))
    (reply,) = at(address).measure([question])
    assert (reply.item, reply.answers) == ("a", ("said: look", "said: grade"))
    first, second = (one["messages"] for one in Talker.seen)
    assert [one["role"] for one in second] == ["system", "user", "assistant", "user"]
    assert first[1]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert second[2]["content"] == "said: look"
    assert {one["temperature"] for one in Talker.seen} == {0}
    assert Talker.seen[0]["path"] == "/v1/chat/completions"


def test_what_was_answered_is_not_asked_again_not_even_by_another_process(address: str) -> None:
    questions = [Question(str(number), (f"is {number} even?",)) for number in range(20)]
    first = at(address).measure(questions[:12])
    assert len(Talker.seen) == 12
    again = at(address).measure(questions)
    assert len(Talker.seen) == 20
    assert again[:12] == first
    # Another model is another judge.
    at(address, max_tokens=7).measure(questions[:1])
    assert len(Talker.seen) == 21


def test_replies_before_a_failure_are_kept(address: str) -> None:
    Talker.script = [200, 200, 401]
    judge = load("judge-endpoint", settings={"judge": {"endpoint": address, "model": "m"}}, batch_size=1)
    with pytest.raises(Refused) as refused:
        judge.measure([Question(str(n), (str(n),)) for n in range(3)])
    assert told(refused) == [("JUDGE_UNREACHABLE", "2")]
    assert len(judge.measure([Question(str(n), (str(n),)) for n in range(3)])) == 3
    assert [one["messages"][-1]["content"] for one in Talker.seen] == ["0", "1", "2", "2"]


def test_a_busy_server_is_asked_again_and_a_key_comes_from_the_environment(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint.KEY, "secret")
    Talker.script = [429, 503]
    assert at(address).measure([Question("a", ("hi",))])[0].answers == ("said: hi",)
    assert [one["key"] for one in Talker.seen] == ["Bearer secret"] * 3


def test_a_reply_that_is_no_completion_is_a_problem(address: str) -> None:
    Talker.script = [299]
    with pytest.raises(Refused) as refused:
        at(address).measure([Question("a", ("hi",))])
    assert told(refused) == [("JUDGE_REPLY", "a")]


@pytest.mark.parametrize(
    "settings", [{}, {"endpoint": "http://x"}, {"endpoint": "file:///etc", "model": "m"}, {"colour": 1}]
)
def test_settings_that_are_wrong(settings: dict[str, Any]) -> None:
    with pytest.raises(Usage):
        load("judge-endpoint", settings={"judge": settings})


def test_a_log_can_be_replayed_without_the_model(address: str, tmp_path: Path) -> None:
    questions = [Question("a", ("one",)), Question("b", ("two",))]
    judge = at(address)
    spoken = judge.measure(questions)
    (log,) = judge.folder.glob("*.jsonl")
    replay = load("judge-recorded", weights={"judge-recorded": log})
    assert replay.measure(questions) == spoken
    with pytest.raises(Refused) as refused:
        replay.measure([Question("c", ("three",))])
    assert told(refused) == [("JUDGE_UNRECORDED", "c")]


def test_every_bad_line_of_a_recording_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"key":"x"}\nnonsense\n{"id":"a","item":"a","answers":["x"]}\n{"id":1}\n')
    with pytest.raises(Refused) as refused:
        load("judge-recorded", weights={"": path})
    assert [p.where for p in refused.value.problems] == ["line 2", "line 4"]


@pytest.mark.parametrize("name", ["judge-recorded", "judge-local"])
def test_without_files_the_judge_is_absent_until_it_is_asked(name: str) -> None:
    judge = load(name)
    assert isinstance(judge, Absent)
    with pytest.raises(Missing, match=f"--weights {name}="):
        judge.measure([])


def tiny_model(folder: Path) -> Path:
    """A random causal model of a few thousand parameters with a tokenizer of whole words."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs vismark[models]")
    make_importable()
    transformers = pytest.importorskip("transformers", reason="needs vismark[models]")
    import torch

    words = {word: number for number, word in enumerate(["<unk>", "</s>", "yes", "no", "maybe", "user", ":"])}
    words |= {f"w{number}": len(words) + number for number in range(9)}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="</s>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }} {% endfor %}"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_local_model_answers_greedily_or_draws_and_its_files_are_its_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    folder = tiny_model(tmp_path / "model")
    choice = {"weights": {"judge-local": folder}, "settings": {"judge": {"max_tokens": 5}}, "device": "cpu"}
    judge = load("judge-local", **choice)
    (reply,) = judge.measure([Question("a", ("yes no", "w1 w2"), system="maybe")])
    assert len(reply.answers) == 2
    assert judge.speaker.answer(Question("a", ("yes no", "w1 w2"), system="maybe")) == reply.answers
    drawn = load("judge-local", **choice | {"settings": {"judge": {"max_tokens": 5, "temperature": 2.0}}})
    said = {drawn.speaker.answer(Question("a", ("yes no",), draw=draw)) for draw in range(8)}
    assert len(said) > 1 and drawn.identity != judge.identity
    assert drawn.speaker.answer(Question("a", ("yes no",), draw=3)) in said
    before = judge.identity
    (folder / "generation_config.json").write_text('{"max_length": 3}')
    assert load("judge-local", **choice).identity != before
