"""Judges: language models that are asked about answers or pictures; every raw reply is kept."""
