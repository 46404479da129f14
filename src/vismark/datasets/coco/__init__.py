"""MSCOCO: loaders and validators of instances, keypoints, stuff, captions, panoptic maps and the Karpathy split."""
