"""How generated images are measured: distances between sets of features, scores of single sets, and of pairs of images.

Everything takes arrays of features, one row an image; which network made them is the business of the instruments.
"""
