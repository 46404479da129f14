"""What every job stands on: atomic files, journals, shards, work over cores, progress, digests, folders."""
