"""Numbers from arrays and strings: no files, no network, no names of data sets.

A metric is two functions: `row` turns one sample into a small exact record, `reduce` turns records into numbers.
Integers are summed; floats stay one row a sample until `reduce`, which works in a fixed order, so that any split of
the work over cores and machines gives the same bits.
"""
