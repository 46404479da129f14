"""ImageNet (ILSVRC 2012) as generation is measured with it: reference batches, statistics, the validation crops."""
