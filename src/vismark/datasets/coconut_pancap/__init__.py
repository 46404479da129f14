"""COCONut-PanCap: detailed captions whose phrases are tied to the panoptic masks of COCONut (arXiv:2502.02589)."""
