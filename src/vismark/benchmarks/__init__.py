"""Benchmarks: a data set, a submission format and metrics, bound by a protocol; one module and one card each."""
