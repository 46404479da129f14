"""What people look at: the HTML report of a result and the figure for a paper. Self-contained, escaped, offline."""
