"""Stanford's Penn Treebank tokenizer (CoreNLP 3.4.1) with pycocoevalcap's settings, without Java.

The automaton of the original is read from the installed program (`tables`), interpreted (`automaton`, `lexer`), and its
matches are made into tokens by rules of our own (`rules`). `tokenizer.tokenize` is the door; `java` is the reference.
"""
