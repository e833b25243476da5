"""A cross-encoder with random weights, made here, against the library it runs on."""

from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from assistant.backends.sentence_transformers import CrossEncoderReranker


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return the folder of a cross-encoder with random weights that reads single letters."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = {word: place for place, word in enumerate([*marks, *ascii_lowercase])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=1,  # type: ignore[call-arg]  # its base class takes it
        initializer_range=0.3,
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(tmp_path)
    return tmp_path


def test_a_pair_scorer_reads_each_text_together_with_the_question(pairs: Path) -> None:
    texts = ["a b c d", "e f", "z y x w v u"]
    scores = CrossEncoderReranker(pairs, name="pairs", limit_tokens=64).scores("a b", texts)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(pairs)
    model = BertForSequenceClassification.from_pretrained(pairs)
    model.train(False)
    together = tokenizer([("a b", text) for text in texts], return_tensors="pt", padding=True)
    with torch.no_grad():
        expected = model(**together).logits[:, 0].sigmoid().numpy()
    np.testing.assert_allclose(scores, expected, atol=0.03)  # bfloat16 on some machines
    assert np.ptp(scores) > 0.1


def test_a_pair_scorer_cuts_long_texts_and_scores_none_at_all(pairs: Path) -> None:
    scorer = CrossEncoderReranker(pairs, name="pairs", limit_tokens=16)
    long, longer = scorer.scores("a b", ["c " * 60, "c " * 600])
    assert long == longer
    assert scorer.scores("a b", []).shape == (0,)
