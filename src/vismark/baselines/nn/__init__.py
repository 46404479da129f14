"""Blocks that two or more baseline families share; a block moves here at its second use."""
