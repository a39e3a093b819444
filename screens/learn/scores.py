"""What a score hides: grids to paint on, and every convention's score."""

from segdemo.ui.learn import lesson, scores

picture = lesson.begin(
    "What a score hides",
    "“Mean IoU” is a family of numbers. Paint on the grids and watch them part: all cards score the same pixels.",
)
example = scores.choose()
now, before = scores.paint(example)
scores.show(now, before)
scores.on_picture(picture)
