"""Leaderboards: boards (TOML cards), rows (published CSVs and results), tracks, ranking, tables."""
