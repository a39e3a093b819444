"""Run segmentation models of many families on your own pictures, compare what they see, measure what they cost."""

__version__ = "0.1.0"
