"""T2I-CompBench (++): attribute binding, places, depth, numbers, and what combines them (arXiv 2307.06350).

Equal to the scripts of github.com/Karine-Huang/T2I-CompBench 1b70949 from detections, depth maps and answers on; the
switch `repaired` turns the faults of those scripts off, which gives other numbers.
"""
