"""ViCaS: captions of videos whose phrases are tied to object tracks, and expressions that mean tracks."""
