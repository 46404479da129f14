"""A judge behind an OpenAI-compatible address: vLLM, Ollama, llama.cpp, hosted services."""

from __future__ import annotations

import base64
import os
import time
from typing import Any

import msgspec

from vismark.cards import InstrumentCard
from vismark.instruments.base import Tools
from vismark.instruments.judge.base import Judge, Question, chosen
from vismark.problems import Usage, refuse

# The environment variable of the key; a key on the command line would be seen by others on the machine.
KEY = "VISMARK_JUDGE_KEY"

_ATTEMPTS = 4
_AT_ONCE = 8
# Answers of a server that may be better in a moment.
_BUSY = {408, 409, 425, 429, 500, 502, 503, 504}
# The longest reply that is read.
_LIMIT = 16 << 20


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`endpoint` ends before ``/chat/completions``; `model` as the server calls it; `seconds` to wait for a reply.

    With a `temperature` above 0 words are drawn, with the number of the draw as seed; `top_p` cuts their distribution.
    """

    endpoint: str
    model: str
    max_tokens: int = 512
    seconds: float = 120.0
    temperature: float = 0.0
    top_p: float = 1.0


class Completion:
    """Speaks the chat completions interface."""

    def __init__(self, settings: Settings, at_once: int) -> None:
        if not settings.endpoint.startswith(("http://", "https://")):
            raise Usage(f"The endpoint of a judge begins with http:// or https://, not {settings.endpoint[:20]!r}.")
        self.settings = settings
        self.at_once = at_once
        # Where the model is served changes nothing that it says, as far as anybody can tell.
        self.identity = {
            "model": settings.model,
            "max_tokens": str(settings.max_tokens),
            "temperature": f"{settings.temperature:g}",
        } | ({"top_p": f"{settings.top_p:g}"} if settings.temperature else {})

    def answer(self, question: Question) -> tuple[str, ...]:
        """The reply to each turn.

        Raises:
            Refused: the server gave no reply in four attempts, or none of the right form.
        """
        messages: list[dict[str, Any]] = [{"role": "system", "content": question.system}] if question.system else []
        answers = []
        for number, turn in enumerate(question.turns):
            messages.append({"role": "user", "content": _content(turn, question.images if number == 0 else ())})
            answers.append(self._complete(messages, question))
            messages.append({"role": "assistant", "content": answers[-1]})
        return tuple(answers)

    def _complete(self, messages: list[dict[str, Any]], question: Question) -> str:
        settings = self.settings
        body = {"model": settings.model, "messages": messages, "temperature": settings.temperature}
        body |= {"seed": question.draw, "max_tokens": settings.max_tokens}
        body |= {"top_p": settings.top_p} if settings.temperature else {}
        item = question.id
        data = self._post(msgspec.json.encode(body), item)
        try:
            text = msgspec.json.decode(data)["choices"][0]["message"]["content"]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError) as error:
            fix = "Check that the address is that of an OpenAI-compatible chat interface."
            raise refuse("JUDGE_REPLY", f"the reply is no chat completion: {error}", item=item, fix=fix) from error
        return text if isinstance(text, str) else ""

    def _post(self, body: bytes, item: str) -> bytes:
        import httpx

        address, key = self.settings.endpoint.rstrip("/") + "/chat/completions", os.environ.get(KEY, "")
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        fault = ""
        for attempt in range(_ATTEMPTS):
            time.sleep(0 if attempt == 0 else 2.0 ** (attempt - 1))
            try:
                reply = httpx.post(address, content=body, headers=headers, timeout=self.settings.seconds)
            except httpx.HTTPError as error:
                fault = f"{type(error).__name__}: {error}"
                continue
            if reply.is_success and len(reply.content) <= _LIMIT:
                return reply.content
            fault = f"status {reply.status_code}: {reply.text[:200]}"
            if reply.status_code not in _BUSY:
                break
        fix = f"Check endpoint and model, and {KEY} where the service wants a key; replies so far are kept."
        raise refuse("JUDGE_UNREACHABLE", f"the judge gave no reply ({fault})", item=item, fix=fix)


def judge(card: InstrumentCard, tools: Tools) -> Judge:
    """The judge at the address in the settings ``endpoint`` and ``model``."""
    settings = chosen(tools.settings.get("judge", {}), Settings, card.name)
    return Judge(card.name, Completion(settings, tools.batch_size or _AT_ONCE))


def _content(turn: str, images: tuple[bytes, ...]) -> str | list[dict[str, Any]]:
    if not images:
        return turn
    kinds = ["png" if image.startswith(b"\x89PNG") else "jpeg" for image in images]
    addresses = [f"data:image/{k};base64,{base64.b64encode(i).decode()}" for k, i in zip(kinds, images, strict=True)]
    shown = [{"type": "image_url", "image_url": {"url": address}} for address in addresses]
    return [*shown, {"type": "text", "text": turn}]
