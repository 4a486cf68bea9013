"""What tests of the simulation share: Pythia, where it is installed."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def pythia():
    return pytest.importorskip("pythia8mc", reason='needs pip install "scizoo[generate]"')
