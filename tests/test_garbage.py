"""Libraries are spared from the collection that follows every run of a page; what the app itself drops is not."""

import gc
import sys
import types
import weakref

from segdemo.ui import garbage


class Loop:
    def __init__(self):
        self.itself = self


def test_libraries_are_spared_and_what_comes_later_is_collected():
    try:
        garbage.spare_libraries()
        assert gc.get_freeze_count() > 10_000
        seen = weakref.ref(Loop())
        garbage.spare_libraries()  # nothing was imported: the loop is not spared
        gc.collect()
        assert seen() is None
    finally:
        gc.unfreeze()


def test_a_library_that_comes_later_is_spared_too_and_no_garbage_with_it(monkeypatch):
    try:
        garbage.spare_libraries()
        before = gc.get_freeze_count()
        seen, kept = weakref.ref(Loop()), [[] for _ in range(1000)]
        monkeypatch.setitem(sys.modules, "a_new_library", types.ModuleType("a_new_library"))
        garbage.spare_libraries()
        assert gc.get_freeze_count() >= before + len(kept)
        assert seen() is None
    finally:
        gc.unfreeze()
