"""The two networks, tiny and of random weights: loaded as the real ones are, and blind to a text's neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vismark.instruments.capture import networks
from vismark.instruments.capture.networks import PROMPT, Encoder, Parser
from vismark.runtime.torchvision import make_importable

torch = pytest.importorskip("torch")
make_importable()
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ["Generate", "Scene", "Graph:", "a", "cat", "dog", "man", "rides", "red", "(", ")", ",", "is", "on"]


def save_tokenizer(folder: Path) -> int:
    """Whole words as tokens, an end token as T5's tokenizer has it; the number of tokens."""
    names = ["<pad>", "</s>", "<unk>", *WORDS]
    model = tokenizers.models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    return len(names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models as `capture` wants them."""
    place = tmp_path_factory.mktemp("capture")
    torch.manual_seed(0)
    size = save_tokenizer(place / "parser")
    t5 = transformers.T5Config(
        vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(t5).save_pretrained(place / "parser")
    save_tokenizer(place / "encoder")
    mpnet = transformers.MPNetConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    transformers.MPNetModel(mpnet).save_pretrained(place / "encoder")
    return place


def test_a_graph_does_not_depend_on_its_neighbours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "LONGEST_GRAPH", 12)
    parser = Parser(folder / "parser", "AutoModelForSeq2SeqLM", "cpu", batch=3)
    sentences = ["a cat", "a man rides a red dog", " ", "a dog"]
    together = list(parser.graphs(sentences))
    assert together == [graph for sentence in sentences for graph in parser.graphs([sentence])]
    assert together[::-1] == list(parser.graphs(sentences[::-1]))


def test_the_prompt_is_cut_with_its_end_kept(folder: Path) -> None:
    parser = Parser(folder / "parser", "AutoModelForSeq2SeqLM", "cpu", batch=1)
    tokenizer, _ = parser.loaded
    ids = tokenizer(PROMPT + "cat " * 100, max_length=64, truncation=True)["input_ids"]
    assert len(ids) == 64
    assert ids[-1] == tokenizer.eos_token_id


def test_vectors_are_means_over_tokens_of_length_one(folder: Path) -> None:
    encoder = Encoder(folder / "encoder", "AutoModel", "cpu", batch=2)
    phrases = ["cat", "red dog", "a man rides a red dog " * 4, "cat"]
    found = encoder.vectors(phrases)
    tokenizer, model = encoder.loaded
    for phrase, vector in zip(phrases, found, strict=True):
        with torch.inference_mode():
            states = model(**{k: v for k, v in tokenizer(phrase, return_tensors="pt").items() if k != "token_type_ids"})
        mean = states.last_hidden_state[0].mean(0).numpy()
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert (found[0] == found[3]).all()
