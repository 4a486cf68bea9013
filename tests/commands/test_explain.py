"""`zoo explain`: figures and numbers for models of every domain."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from zoo.commands.explain import explain, run
from zoo.interfaces.explanation import NotExplainable
from zoo.pretrained.model import load_model
from zoo.scoring import record


def test_a_sequence_gets_a_logo_and_its_numbers(tmp_path):
    lines: list[str] = []
    methods = ("ism", "integrated_gradients", "occlusion")
    written = explain(
        "genomics/cnn_dist.exponential", methods=methods, out=tmp_path, examples=1, log=lines.append
    )
    assert {path.suffix for path in written} == {".png", ".json", ".zip"}
    pictures = [path for path in written if path.suffix == ".png"]
    assert pictures and all(path.stat().st_size > 1000 for path in pictures)
    content = json.loads((tmp_path / "explanation.json").read_text())
    assert [each["method"] for each in content["explained"]] == list(methods)
    assert any("completeness error" in line for line in lines)
    assert content["explained"][1]["completeness_error"] < 0.01
    arrays = record.read(tmp_path / "explanation.zarr.zip")
    assert arrays["ism"].shape == (1, 200)
    np.testing.assert_array_equal(arrays["inputs"].argmax(-1), arrays["tokens"])


def test_a_sequence_of_the_users_own(tmp_path):
    source = tmp_path / "mine.fa"
    source.write_text(">a/b\n" + "ACGTTGCA" * 25 + "\n")
    written = explain(
        "genomics/cnn_dist.exponential",
        source,
        methods=("gradient_x_input",),
        out=tmp_path / "out",
        form="svg",
    )
    assert written[0].name == "a_b.gradient_x_input.svg"
    source.write_text(">short\nACGT\n")
    with pytest.raises(NotExplainable, match="200 bases"):
        explain(
            "genomics/cnn_dist.exponential", source, methods=("saliency",), out=tmp_path / "out"
        )


@pytest.mark.slow
def test_occlusion_of_a_particle_is_the_tagger_without_it():
    from zoo.particle_physics.explain import explainable

    model = load_model("particle_physics/particle_transformer.top_tagging")
    made = explainable(model, None, examples=1, target=None)
    found = run(made, "occlusion").values[0]
    from zoo.interfaces.task import load_task

    every = load_task("particle_physics/top_tagging").examples()
    row = int(np.flatnonzero(every.targets.label == 1)[0])
    jets = every.inputs[np.array([row, row])]
    mask = jets.mask.copy()
    mask[1, 2] = False
    particles = np.where(mask[..., None], jets.particles, 0.0)
    logits = model.predict.logits(dataclasses.replace(jets, mask=mask, particles=particles))[0]
    odds = logits[:, 1] - logits[:, 0]
    assert odds[0] == pytest.approx(float(run(made, "saliency").score[0]), abs=1e-3)
    assert found[2] == pytest.approx(odds[0] - odds[1], abs=2e-3)


def test_attention_of_particles_sums_to_one_and_skips_the_absent():
    from zoo.particle_physics.explain import explainable

    made = explainable(
        load_model("particle_physics/particle_transformer.top_tagging"),
        None,
        examples=2,
        target="QCD",
    )
    assert made.attention is not None
    maps, mask = made.attention(), made.arrays["mask"]
    assert list(maps) == ["layer 1", "layer 2", "class token"]
    for weights in maps.values():
        np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
        assert np.abs(np.where(mask[:, None, None], 0.0, weights)).max() == 0.0


def test_a_search_is_explained_by_its_features(tmp_path):
    written = explain(
        "particle_physics/event_classifier.supervised",
        methods=("integrated_gradients",),
        out=tmp_path,
        examples=1,
    )
    assert record.read(written[-1])["integrated_gradients"].shape == (1, 8)
    assert json.loads(written[-2].read_text())["explained"][0]["completeness_error"] < 0.01


@pytest.mark.slow
def test_a_forecast_depends_on_its_surroundings(tmp_path):
    written = explain(
        "climate/convnext.held_suarez", methods=("saliency",), out=tmp_path, examples=1
    )
    values = record.read(written[-1])["saliency"][0]
    assert values.shape == (64, 32)
    near = values[28:37, 19:28].max()
    far = values[:4].max()  # the other side of the planet
    assert near > 20 * far


def test_what_cannot_be_explained_says_why(tmp_path):
    with pytest.raises(NotExplainable, match="generates jets"):
        explain("particle_physics/epic_flow.dijets", out=tmp_path)
    with pytest.raises(NotExplainable, match="no method 'shap'; there are saliency"):
        explain("genomics/cnn_dist.exponential", methods=("shap",), out=tmp_path)
    with pytest.raises(NotExplainable, match="attention does not suit"):
        explain("genomics/cnn_dist.exponential", methods=("attention",), out=tmp_path)
    with pytest.raises(NotExplainable, match="tells QCD, Tbqq apart"):
        explain(
            "particle_physics/particle_transformer.top_tagging",
            methods=("saliency",),
            target="Higgs",
            out=tmp_path,
        )
    with pytest.raises(ValueError, match="png, svg"):
        explain("genomics/cnn_dist.exponential", form="jpg", out=tmp_path)
