"""Labelled samples: folders, archives, COCO files, and generated street scenes."""
