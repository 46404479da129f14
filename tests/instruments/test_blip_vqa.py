"""BLIP-VQA: questions, pictures and answers as the official script makes them, on a tiny network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vismark.instruments.base import Absent, Tools
from vismark.instruments.blip_vqa import Asked, prepared, question
from vismark.runtime.torchvision import make_importable

torch = pytest.importorskip("torch", reason="needs vismark[models]")
make_importable()
transformers = pytest.importorskip("transformers", reason="needs vismark[models]")


@pytest.mark.parametrize(
    ("phrase", "asked"),
    [
        ("a green bench", "a green bench?"),
        ('The "Big" (red) hat.', "the big red hat?"),
        (" ".join(["word"] * 60), " ".join(["word"] * 50)),
        ("x; y: z~", "x y z?"),
    ],
)
def test_questions_are_cleaned(phrase: str, asked: str) -> None:
    assert question(phrase) == asked


def test_pictures_are_squeezed_and_normalised() -> None:
    grey = prepared(np.full((20, 90, 3), 128, np.uint8))
    assert grey.shape == (3, 480, 480)
    assert grey[:, 5, 5] == pytest.approx(
        [(128 / 255 - m) / s for m, s in ((0.48145466, 0.26862954), (0.4578275, 0.26130258), (0.40821073, 0.27577711))],
        rel=1e-5,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network with BLIP's full vocabulary and a few thousand parameters a layer."""
    path = tmp_path_factory.mktemp("blip")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "green", "bench", "?"]
    vocabulary = words + [f"[unused{n}]" for n in range(30524 - len(words))]
    (path / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(0)
    text = {"vocab_size": 30524, "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "projection_dim": 8}  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 480, "patch_size": 240}  # fmt: skip
    config = transformers.BlipConfig(text_config=text, vision_config=vision)
    transformers.BlipForQuestionAnswering(config).save_pretrained(path)
    return path


def test_answers_are_the_share_of_yes_in_the_first_word_said(folder: Path) -> None:
    blip = Tools(weights={"blip-vqa": folder}, device="cpu").load("vqa", "blip-vqa")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    ((one, other),) = blip.measure([Asked(pixels, ("a green bench", "a bench"))])
    assert one != other
    assert one == pytest.approx(_by_hand(blip.network, pixels), abs=1e-6)
    assert blip.measure([Asked(pixels, ())]) == [()]
    # What else is asked changes nothing.
    assert blip.measure([Asked(pixels, ("a bench",)), Asked(pixels, ("a green bench",))]) == [(other,), (one,)]


def _by_hand(network: Any, pixels: Any) -> float:
    """[ENC] a green bench ? [SEP], then the decoder's first word after [DEC]."""
    with torch.inference_mode():
        image = network.vision_model(pixel_values=torch.from_numpy(prepared(pixels))[None])[0]
        ids = torch.tensor([[30523, 5, 6, 7, 8, 3]])
        states = network.text_encoder(input_ids=ids, encoder_hidden_states=image)[0]
        logits = network.text_decoder(input_ids=torch.tensor([[30522]]), encoder_hidden_states=states).logits[0, 0]
        yes, no = logits.softmax(-1)[[2748, 2053]].tolist()
    return yes / (yes + no)


def test_without_a_folder_the_instrument_is_absent() -> None:
    assert isinstance(Tools().load("vqa", "blip-vqa"), Absent)
