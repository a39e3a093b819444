"""Run segmentation models of many families on your own pictures, compare what they see, measure how right and how fast."""

__version__ = "0.1.0"
