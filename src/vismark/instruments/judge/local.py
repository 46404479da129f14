"""A judge on this machine: an instruction-tuned model in transformers' own format, with or without eyes."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from vismark.cards import InstrumentCard
from vismark.instruments.base import Tools
from vismark.instruments.judge.base import Judge, Question, chosen
from vismark.problems import Missing
from vismark.runtime.digests import digest_of_file, digest_of_parts
from vismark.runtime.torchvision import make_importable

_MODEL_FILES = {".safetensors", ".json", ".txt", ".jinja", ".model"}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`max_tokens`: of one reply. With a `temperature` above 0 words are drawn, cut at `top_p`, seeded by the draw."""

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0


class Generation:
    """Decoding one question at a time: batches would pad, and padding can change words."""

    at_once = 1

    def __init__(self, folder: Path, settings: Settings, device: str, dtype: str) -> None:
        self.folder = folder
        self.settings = settings
        self.device = device
        self.dtype = dtype
        self.identity = {
            "model": _digest(folder),
            "max_tokens": str(settings.max_tokens),
            "dtype": dtype,
            "decoding": f"temperature {settings.temperature:g}, top_p {settings.top_p:g}"
            if settings.temperature
            else "greedy",
        }
        self._loaded: tuple[Any, Any] | None = None
        self._lock = Lock()

    def answer(self, question: Question) -> tuple[str, ...]:
        """The reply to each turn."""
        import torch

        with self._lock:
            processor, model = self._loaded or self._load()
            messages, answers = [], []
            if question.system:
                messages.append({"role": "system", "content": _said(question.system, ())})
            for number, turn in enumerate(question.turns):
                messages.append({"role": "user", "content": _said(turn, question.images if number == 0 else ())})
                inputs = processor.apply_chat_template(
                    messages if question.images else _plain(messages),
                    add_generation_prompt=True,
                    tokenize=True,
                    return_dict=True,
                    return_tensors="pt",
                ).to(model.device)
                torch.manual_seed(question.draw)
                with torch.inference_mode():
                    out = model.generate(**inputs, **self._decoding(), max_new_tokens=self.settings.max_tokens)
                text = processor.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
                answers.append(text)
                messages.append({"role": "assistant", "content": _said(text, ())})
        return tuple(answers)

    def _decoding(self) -> dict[str, Any]:
        settings = self.settings
        if not settings.temperature:
            return {"do_sample": False}
        return {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}

    def _load(self) -> tuple[Any, Any]:
        import torch

        make_importable()
        import transformers

        sees = hasattr(transformers.AutoConfig.from_pretrained(self.folder, local_files_only=True), "vision_config")
        kind: Any = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
        reader: Any = transformers.AutoProcessor if sees else transformers.AutoTokenizer
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = kind.from_pretrained(
            self.folder, dtype=getattr(torch, self.dtype), local_files_only=True, use_safetensors=True
        )
        self._loaded = reader.from_pretrained(self.folder, local_files_only=True), model.to(device).eval()
        return self._loaded


def judge(card: InstrumentCard, tools: Tools) -> Judge:
    """The judge whose model folder was given with ``--weights judge-local=DIR``.

    Raises:
        Missing: no folder was given, or it holds no model.
    """
    folder = tools.weights.get(card.name, tools.weights.get(""))
    if folder is None or not (folder / "config.json").is_file():
        raise Missing(
            f"{card.name} needs its model: --weights {card.name}=DIR, a folder with config.json, tokenizer and "
            "safetensors, as `hf download OWNER/NAME --local-dir DIR` leaves it."
        )
    settings = chosen(tools.settings.get("judge", {}), Settings, card.name)
    return Judge(card.name, Generation(folder, settings, tools.device, tools.dtype))


def _said(text: str, images: tuple[bytes, ...]) -> list[dict[str, Any]]:
    from PIL import Image

    shown = [{"type": "image", "image": Image.open(io.BytesIO(i), formats=["PNG", "JPEG"])} for i in images]
    return [*shown, {"type": "text", "text": text}]


def _plain(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages for models that only read: their chat templates take text, no parts."""
    return [{"role": one["role"], "content": one["content"][0]["text"]} for one in messages]


def _digest(folder: Path) -> str:
    """Of the weights, the configuration and the tokenizer: every file that words depend on."""
    files = sorted(path for path in folder.glob("*") if path.suffix in _MODEL_FILES)
    return digest_of_parts({path.name: digest_of_file(path) for path in files})
