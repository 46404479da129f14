"""The miniature: coloured shapes on textured ground, drawn from a seed and written in the real COCO formats."""
