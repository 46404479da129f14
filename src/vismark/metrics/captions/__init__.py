"""Caption metrics, equal to those of pycocoevalcap 1.2 but without Java: `ptb`, `bleu`, `rouge`, `cider`, `meteor`.

They take captions that are tokenized already: the tokens joined by single blanks, as `ptb.Tokenizer` gives them.
`capture` and `spice` reduce what their instruments measured.
"""
