"""An encoder is explained at the bases that it reads."""

from __future__ import annotations

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from motif_tables import SMALL, random_tokens
from random_modules import drawn

from zoo.genomics import explain as explanations
from zoo.genomics.gue import predict as predict_gue
from zoo.genomics.gue import recipes
from zoo.genomics.models import low_rank as low_rank_model
from zoo.interfaces.explanation import NotExplainable


@pytest.mark.slow
def test_an_encoder_of_a_subset_is_explained_at_the_bases_that_it_reads(tmp_path):
    settings = SMALL | {"depth": 1}
    config = low_rank_model.SequenceEncodersConfig(("tf_0", "prom_300_tata"), (13, 13), settings)
    module = drawn(lambda: low_rank_model.SequenceEncoders(config, rngs=nnx.Rngs(0)))
    options = {"subsets": list(config.subsets), "lengths": recipes.BASES, "crop": recipes.CROP}
    card = types.SimpleNamespace(
        id="genomics/tiny", truth="observed", predictor_config=options, tasks=[]
    )
    predictor = predict_gue.GueClassifier([module], **options)
    model = types.SimpleNamespace(card=card, predict=predictor, module=lambda: module)
    for subset, length in (("tf_0", 101), ("prom_300_tata", 300)):
        tokens = random_tokens(2, length)
        source = tmp_path / f"{subset}.csv"
        source.write_text(
            "sequence\n" + "".join("".join("ACGT"[base] for base in row) + "\n" for row in tokens)
        )
        found = explanations.explainable(model, source, examples=2, target=None)
        shown = predictor.read(tokens, subset)
        np.testing.assert_array_equal(found.arrays["tokens"], shown)
        np.testing.assert_allclose(
            found.function(jnp.asarray(found.inputs)),
            jax.jit(lambda shown, one=module.networks[subset]: one.classify(shown))(shown)[:, 0],
            atol=1e-5,
        )
        maps = found.attention()
        assert set(maps) == {"layer 1"} and maps["layer 1"].shape == (2, settings["heads"], 13, 13)
        np.testing.assert_allclose(maps["layer 1"].sum(-1), 1.0, atol=1e-5)
    with pytest.raises(NotExplainable, match="it knows tf_0, prom_300_tata"):
        explanations.explainable(model, source, examples=2, target="tf_3")
