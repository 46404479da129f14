"""T2I-CompBench: its prompts, and their grammar frozen with spaCy."""
