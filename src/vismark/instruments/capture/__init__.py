"""CAPTURE: scene graphs of captions, parsed by a language model, compared element by element.

Source: Dong et al., Benchmarking and Improving Detail Image Caption (2024), and the package capture_metric 0.1.13.
"""
