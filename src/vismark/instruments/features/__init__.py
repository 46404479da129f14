"""Feature networks: what turns images (and captions) into the vectors that generation is measured with."""
