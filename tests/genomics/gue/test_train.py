"""Recipes of GUE from `zoo train` to `zoo publish`, on two small subsets of our own making."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from zoo import cards, registry
from zoo.cards import ModelCard
from zoo.genomics.data.sequences import decode
from zoo.genomics.gue import stacking, train, transfer_curve
from zoo.genomics.gue.baselines.kmers import KmerRegression, features
from zoo.genomics.gue.recipes import RECIPES, Schedule
from zoo.pretrained import weights as storage
from zoo.pretrained.model import PretrainedModel
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs

SUBSETS = {"tf_0": 101, "prom_core_tata": 70}
TINY = {"filters": 8, "channels": 8, "hidden": 8, "bins": 4}
SMALL = {
    "channels": (4, 4, 8),
    "widths": (3, 3, 3),
    "features": 8,
    "heads": 1,
    "depth": 1,
    "head_features": 2,
}
CNN = dataclasses.replace(RECIPES["cnn.gue"], network=TINY, subsets=tuple(SUBSETS))
ENCODER = dataclasses.replace(
    RECIPES["sequence_encoder.gue"],
    pretraining=Schedule(1.0, batch_size=16, network=SMALL),
    tuning=Schedule(1.0, batch_size=16, network=SMALL, rank=2),
    subsets=tuple(SUBSETS),
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A folder of GUE's tables with random sequences."""
    folder, rng = tmp_path_factory.mktemp("gue"), np.random.default_rng(0)
    for subset, length in SUBSETS.items():
        for split in ("train", "dev", "test"):
            tokens = rng.integers(0, 4, (40, length)).astype(np.int8)
            rows = [f"{decode(row)},{number % 2}" for number, row in enumerate(tokens)]
            path = folder / f"{subset}.{split}.csv"
            path.write_text("\n".join(["sequence,label", *rows]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def tiny(monkeypatch):
    """Recipes of networks of some hundred parameters."""
    monkeypatch.setitem(RECIPES, "cnn.gue", CNN)
    monkeypatch.setitem(RECIPES, "sequence_encoder.gue", ENCODER)


def model_of(path) -> PretrainedModel:
    card = cards.read(path, ModelCard)
    return PretrainedModel(card, tuple(path.parent / each.file for each in card.weights))


def assert_as_published(model: PretrainedModel) -> None:
    found = model.predictor().example_output(model.card.expected.input_seed)
    chosen = found[:: max(1, found.size // 16)][:16]
    np.testing.assert_allclose(
        chosen, model.card.expected.values, atol=model.card.expected.tolerance
    )


@pytest.mark.slow
def test_seeds_of_a_cnn_become_a_model_and_an_ensemble(tiny, tables, tmp_path):
    for seed in (0, 1):
        out = tmp_path / "runs" / str(seed)
        lines = list(train.train("cnn.gue", seed=seed, data=tables, out=out, steps=2))
        assert sum("dev MCC" in line for line in lines) == 2 and "wrote" in lines[-1]
    again = list(train.train("cnn.gue", seed=1, data=tmp_path / "gone", out=out, steps=2))
    assert again[1:] == lines[1:], "what is finished is not trained again"
    runs = find_runs([tmp_path / "runs"])
    assert [run.died for run in runs.values()] == [None, None]
    paths = list(publish_runs(runs, tmp_path / "weights"))
    assert [path.name for path in paths] == ["cnn.gue.toml", "cnn.gue_ensemble.toml"]
    single, together = map(model_of, paths)
    assert single.card.weights == together.card.weights and len(single.card.weights) == 2
    assert together.card.n_params == 2 * single.card.n_params
    assert {"mcc_tf_0", "mcc_tf_0_seed1"} <= set(single.card.training.validation)
    tokens = np.random.default_rng(1).integers(0, 4, (3, 70)).astype(np.int8)
    each = [single.predictor(seed)(tokens, subset="prom_core_tata")["logit"] for seed in (0, 1)]
    np.testing.assert_allclose(
        together(tokens, subset="prom_core_tata")["logit"], np.mean(each, 0), atol=1e-5
    )
    assert_as_published(single)
    assert [path.name for path in publish_runs(dict([*runs.items()][:1]), tmp_path / "one")] == [
        "cnn.gue.toml"
    ]


@pytest.mark.slow
def test_encoders_share_their_frozen_kernels(tiny, tables, tmp_path):
    out = tmp_path / "runs" / "0"
    lines = list(train.train("sequence_encoder.gue", seed=0, data=tables, out=out, steps=2))
    folder = tmp_path / "runs" / "sequence_encoder.gue.pretraining.2_steps"
    assert "pre-trained" in lines[1] and (folder / "network.safetensors").is_file()
    (path,) = publish_runs(find_runs([out]), tmp_path / "weights")
    model = model_of(path)
    assert model.card.converter == "zoo.genomics.models.low_rank:expanded"
    assert sum(name.startswith("shared.") for name in storage.load(model.weights[0])[0]) > 3
    assert_as_published(model)


def test_a_transfer_curve_compares_three_shares_with_scratch(tables, tmp_path, monkeypatch):
    seen = []

    def tune(subset, schedule, *, share, start, out, load, **_):
        seen.append((share, start is not None, len(load(subset, "train"))))
        return None, {"share": share}

    monkeypatch.setattr(transfer_curve, "tune", tune)
    rows = transfer_curve.transfer_curve(
        "tf_0",
        seed=0,
        out=tmp_path,
        start=tmp_path / "network.safetensors",
        load=lambda subset, split: train.gue(subset, split, folder=tables),
    )
    assert seen == [(share, kind, 40) for share in (0.01, 0.1, 1.0) for kind in (True, False)]
    assert [row["start"] for row in rows] == ["pretrained", "scratch"] * 3


@pytest.mark.slow
def test_a_stack_is_one_file_with_all_of_its_members(tiny, tables, tmp_path):
    out = tmp_path / "runs" / "cnn"
    list(train.train("cnn.gue", seed=0, data=tables, out=out, steps=2))
    settings = {
        "spectrum": {"kind": "spectrum", "ks": [2]},
        "placed": {"kind": "placed", "ks": [2]},
    }
    for kind, each in settings.items():
        arrays = {}
        for subset in SUBSETS:
            dev = train.gue(subset, "dev", folder=tables)
            x = features(dev.tokens, each).toarray()
            weight = np.linalg.lstsq(x, 2.0 * dev.labels - 1.0)[0]
            arrays[f"{subset}.weight"] = weight.astype(np.float32)
            arrays[f"{subset}.bias"] = np.zeros(1, np.float32)
        storage.save(
            tmp_path / f"kmers.{kind}.gue.safetensors",
            arrays,
            metadata={"settings": {subset: each for subset in SUBSETS}},
        )

    def load(subset, split):
        return train.gue(subset, split, folder=tables)

    list(stacking.stack(load, tmp_path / "runs" / "stack", subsets=tuple(SUBSETS), folder=tmp_path))
    (path,) = publish_runs(find_runs([tmp_path / "runs" / "stack"]), tmp_path / "weights")
    model = model_of(path)
    assert path.name == "committee.gue.toml" and len(model.weights) == 1
    assert_as_published(model)
    tokens = np.random.default_rng(3).integers(0, 4, (4, 101)).astype(np.int8)
    part = model.card.predictor_config["weights"]["tf_0"]
    assert max(part.values()) > 0.5
    members = {
        name: KmerRegression.read(tmp_path / f"kmers.{name}.gue.safetensors")
        for name in ("spectrum", "placed")
    } | {"network": model_of(out / "cnn.gue.toml").predict}
    expected = model.card.predictor_config["intercept"]["tf_0"] + sum(
        weight * members[name].logits(tokens, "tf_0") for name, weight in part.items()
    )
    np.testing.assert_allclose(model(tokens, subset="tf_0")["logit"], expected, atol=2e-3)
    assert set(model.module().networks) == set(SUBSETS)


def test_an_unknown_recipe_is_named_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"no recipe 'cnn'.*cnn\.gue.*committee\.gue"):
        next(train.train("cnn", seed=0, data=None, out=tmp_path))


def test_every_recipe_names_code_that_is_there():
    assert registry.resolve(registry.task("genomics/gue").train) is train.train
