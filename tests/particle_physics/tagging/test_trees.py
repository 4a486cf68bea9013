"""Trees are scikit-learn's to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from substructure import features

from zoo.particle_physics.tagging.trees import Trees, from_sklearn


@pytest.mark.parametrize("n_classes", [2, 4])
def test_trees_from_arrays_are_sklearns(n_classes):
    x, label = features()
    x, label = x[label < n_classes], label[label < n_classes]
    fitted = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=16, max_depth=5, early_stopping=False, random_state=0
    ).fit(x, label)
    arrays = from_sklearn(fitted)
    fresh = np.concatenate([features(9000, seed=7)[0], x, x + np.float32(1e-7)])
    np.testing.assert_allclose(
        Trees(arrays).probability(fresh), fitted.predict_proba(fresh), atol=1e-6
    )
    assert Trees(arrays).n_classes == n_classes and all(
        array.dtype != object for array in arrays.values()
    )


def test_the_tree_test_can_fail():
    x, label = features()
    arrays = from_sklearn(
        HistGradientBoostingClassifier(max_iter=20, early_stopping=False).fit(x, label)
    )
    turned = arrays | {"left": arrays["right"], "right": arrays["left"]}
    assert np.abs(Trees(turned).probability(x) - Trees(arrays).probability(x)).max() > 0.1


def test_trees_that_do_not_fit_the_format_are_refused():
    x, label = features()
    big = HistGradientBoostingClassifier(
        max_iter=1, max_leaf_nodes=300, min_samples_leaf=1, early_stopping=False
    ).fit(x, label)
    with pytest.raises(ValueError, match="at most 256 nodes"):
        from_sklearn(big)
