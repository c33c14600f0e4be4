"""The garbage collector while a run is on, and after it."""

import gc

from provisioner.cli.night import _rare_collections


def test_collections_are_rare_during_a_run_and_as_before_after_it():
    before = gc.get_threshold()
    with _rare_collections():
        assert gc.get_threshold() > before
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
