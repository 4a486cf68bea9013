"""A classifier of GUE treats sites as strands and promoters not, and says what it cannot read."""

from __future__ import annotations

import numpy as np
import pytest
from motif_tables import classifier, random_tokens

from zoo.genomics.data.sequences import reverse_complement


def test_a_site_is_a_site_on_both_strands_and_a_promoter_is_not():
    model = classifier()
    site, promoter = random_tokens(300, 101), random_tokens(5, 70)
    assert (
        np.abs(model.logits(site, "tf_0") - model.logits(reverse_complement(site), "tf_0")).max()
        < 1e-5
    )
    assert (
        np.abs(
            model.logits(promoter, "prom_core_tata")
            - model.logits(reverse_complement(promoter), "prom_core_tata")
        ).max()
        > 1e-3
    )


def test_a_classifier_says_what_it_cannot_read():
    model = classifier()
    with pytest.raises(ValueError, match="it knows tf_0, prom_core_tata"):
        model(random_tokens(2, 101), subset="tf_3")
    with pytest.raises(ValueError, match="101 bases, these have 70"):
        model(random_tokens(2, 70), subset="tf_0")
    with pytest.raises(ValueError, match="subset= one of"):
        model(random_tokens(2, 101))
