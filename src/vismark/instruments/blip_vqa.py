"""BLIP-VQA: how sure a network is that a noun phrase is in a picture (T2I-CompBench's attribute binding)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vismark.cards import InstrumentCard
from vismark.instruments.base import Tools
from vismark.problems import Missing, Problems
from vismark.runtime.devices import device
from vismark.runtime.digests import digest_of_file, digest_of_parts
from vismark.runtime.torchvision import make_importable

if TYPE_CHECKING:
    import torch

# Tokens of BLIP's BERT vocabulary: what begins a decoder and an encoder text, and the two answers.
_DECODE, _ENCODE, _YES, _NO = 30522, 30523, 2748, 2053
_SIDE, _LONGEST, _WORDS = 480, 35, 50
_MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
_SPREAD = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)
_DELETED = re.compile(r'[.!"()*#:;~]')


@dataclass(frozen=True)
class Asked:
    """A picture (uint8 RGB of shape (height, width, 3)) and the phrases that are looked for in it."""

    pixels: NDArray[np.uint8]
    phrases: tuple[str, ...]


class BlipVqa:
    """The share of "yes" in what the decoder would say first, for each phrase (``BLIPvqa_eval``, 1b70949).

    The official script also asks eight questions of every picture, empty ones too, and gives those the answer 1.

    Raises:
        Missing: the folder with config, vocabulary and weights is not there.
    """

    batch = 8

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        self.tools = tools
        self.folder = tools.place(card)
        if not (self.folder / "config.json").is_file():
            raise Missing(
                f"{card.name} needs a folder with config.json, vocab.txt and weights: --weights {card.name}=DIR."
            )
        files = [path for path in sorted(self.folder.iterdir()) if path.suffix in (".json", ".txt", ".safetensors")]
        weights = digest_of_parts({path.name: digest_of_file(path) for path in files})
        self.identity: Mapping[str, str] = {"weights": weights, "dtype": tools.dtype}

    @cached_property
    def device(self) -> torch.device:
        """Where the network runs."""
        return device(self.tools.device)

    @cached_property
    def network(self) -> Any:
        """The network, made when it is first used."""
        make_importable()
        import torch
        from transformers import BlipForQuestionAnswering

        network: Any = BlipForQuestionAnswering.from_pretrained(
            self.folder, local_files_only=True, use_safetensors=True
        )
        return network.train(False).requires_grad_(False).to(self.device, getattr(torch, self.tools.dtype))

    @cached_property
    def tokenizer(self) -> Any:
        """BERT's uncased tokenizer with BLIP's vocabulary."""
        make_importable()
        from transformers import BertTokenizer

        return BertTokenizer.from_pretrained(self.folder, local_files_only=True)

    def measure(self, items: Sequence[Asked]) -> list[tuple[float, ...]]:
        """p(yes) / (p(yes) + p(no)) of each phrase of each picture, in order."""
        import torch

        out = []
        with torch.inference_mode():
            for item in items:
                pixels = torch.from_numpy(prepared(item.pixels)).to(self.device, self.network.dtype)
                image = self.network.vision_model(pixel_values=pixels[None]).last_hidden_state
                out.append(tuple(self._share(image, phrase) for phrase in item.phrases))
        return out

    def selftest(self) -> Problems:
        """Whether a red picture is rather red than blue."""
        problems = Problems()
        red = np.zeros((_SIDE, _SIDE, 3), np.uint8)
        red[..., 0] = 220
        ((yes, no),) = self.measure([Asked(red, ("a red picture", "a blue picture"))])
        if not yes > no:
            message = f"a red picture is red with {yes:.2f} and blue with {no:.2f}"
            problems.add("VQA_SELFTEST", message, fix="Compare with --device cpu, and check the weights.")
        return problems

    def _share(self, image: torch.Tensor, phrase: str) -> float:
        import torch

        tokens = self.tokenizer(question(phrase), truncation=True, max_length=_LONGEST, return_tensors="pt")
        ids, mask = tokens["input_ids"].to(self.device), tokens["attention_mask"].to(self.device)
        ids[:, 0] = _ENCODE
        seen = torch.ones(image.shape[:-1], dtype=torch.long, device=self.device)
        states = self.network.text_encoder(
            input_ids=ids, attention_mask=mask, encoder_hidden_states=image, encoder_attention_mask=seen
        ).last_hidden_state
        start = torch.full((1, 1), _DECODE, device=self.device)
        said = self.network.text_decoder(
            input_ids=start, encoder_hidden_states=states, encoder_attention_mask=mask
        ).logits[0, 0]
        yes, no = said.float().softmax(-1)[[_YES, _NO]].tolist()
        return float(np.float32(yes) / (np.float32(yes) + np.float32(no)))


def question(phrase: str) -> str:
    """The question about a phrase as BLIP's data loader cleans it: lower case, no marks, at most 50 words."""
    return " ".join(_DELETED.sub("", f"{phrase}?".lower()).rstrip().split(" ")[:_WORDS])


def prepared(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture squeezed to 480 × 480 with Pillow's bicubic, normalised: float32 of shape (3, 480, 480)."""
    from PIL import Image

    resized = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    normal = (np.asarray(resized, np.float32) / np.float32(255) - _MEAN) / _SPREAD
    return np.ascontiguousarray(normal.transpose(2, 0, 1))
