"""Frozen measurers (feature networks, detectors, judges): what turns samples into evidence when arithmetic cannot."""
