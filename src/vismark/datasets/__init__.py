"""Data sets: for each a card (name, files, splits), and the code that loads or makes it."""
