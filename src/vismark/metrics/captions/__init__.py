"""Caption metrics, equal to those of pycocoevalcap 1.2 but without Java: `ptb`, `bleu`, `rouge`, `cider`.

All of them take captions that are tokenized already: the tokens joined by single blanks, as `ptb.Tokenizer` gives them.
"""
