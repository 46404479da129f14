"""GenEval: its prompts, made by the official sampler, and the human annotations that its authors published."""
