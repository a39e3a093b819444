"""Four fields of work: what fits, what is missing, what to beware of."""

from segdemo.models import catalog
from segdemo.ui import about
from segdemo.ui.learn import lesson, uses

picture = lesson.begin(
    "Where it is used",
    "Four fields that live from segmentation. For each: a checkpoint of the catalogue that fits, its labels and "
    "licence, what it cannot do, and where people have been fooled.",
)
for use in uses.USES:
    uses.show(use, picture)
about.starter_note([catalog.find(uses.STARTER)])
