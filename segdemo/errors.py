"""The errors that a person may see: one sentence each, naming the thing and the remedy.

Whatever the app or the command line catches and shows derives from `SegdemoError`; everything else is a fault of ours
and goes to the log.
"""


class SegdemoError(Exception):
    """Base of all errors whose text is meant for the person at the screen."""


class ImageError(SegdemoError):
    """An uploaded picture or label image cannot be used."""


class ModelError(SegdemoError):
    """A model is unknown, cannot be loaded or failed on a picture."""


class WeightsError(ModelError):
    """A model's weights are not here and could not be fetched."""


class ResultsError(SegdemoError):
    """The store of results cannot be read or written."""
