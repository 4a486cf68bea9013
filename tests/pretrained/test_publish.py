"""What all seeds have in common is published once, wherever the model's files are found then."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from zoo import cards, files, registry
from zoo.cards import Layout, ModelCard
from zoo.commands import mirror
from zoo.pretrained import weights
from zoo.pretrained.model import PretrainedModel, load_model, model_files, parameters
from zoo.pretrained.publish import publish, to_toml

DEEP_SET = "particle_physics/pfn.top_tagging"
URL = "https://example.org/models"
COMMON = "phi."
LAYOUT = Layout(shared=[COMMON, "transforms.table"])


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> dict[int, Path]:
    """Two trainings of a shipped model that have `phi.` (made equal) and a table in
    common."""
    folder = tmp_path_factory.mktemp("runs")
    model = load_model(DEEP_SET)
    first = weights.load(model.weights[0])
    common = {name: value for name, value in first[0].items() if name.startswith(COMMON)}
    assert common
    for seed, path in enumerate(model.weights[:2]):
        own, transforms, _ = weights.load(path)
        weights.save(
            folder / f"{seed}.safetensors",
            own | common,
            transforms=transforms | {"table": np.arange(500.0)},
            metadata={"seed": seed},
        )
    return {seed: folder / f"{seed}.safetensors" for seed in range(2)}


def content(name: str = "shared") -> dict:
    kept = {"schema_version", "n_params", "weights", "expected"}
    described = load_model(DEEP_SET).card.model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in described.items() if key not in kept} | {
        "id": f"particle_physics/pfn.{name}"
    }


@pytest.fixture
def card(tmp_path, seeds) -> Path:
    return publish(tmp_path / "weights", content(), seeds, dtype=None, layout=LAYOUT)


def same(model: PretrainedModel, seeds: dict[int, Path]) -> None:
    for path, source in zip(model.weights, seeds.values(), strict=True):
        for one, other in zip(weights.load(path)[:2], weights.load(source)[:2], strict=True):
            assert one.keys() == other.keys()
            for name in one:
                np.testing.assert_array_equal(one[name], other[name], strict=True)


def test_the_card_names_the_shared_file_and_the_model_is_whole(card, seeds):
    model = load_model(card)
    (shared,) = model.card.shared
    assert shared.file == "pfn.shared.shared.safetensors"
    assert shared.sha256 == files.sha256(card.with_name(shared.file))
    same(model, seeds)
    assert model.card.n_params == load_model(DEEP_SET).card.n_params
    names = set(parameters(model.card, card.with_name(shared.file)))
    assert names and all(name.startswith(COMMON) for name in names)
    assert model.predictor(seed=1).example_output(0).shape == tuple(model.card.expected.shape)


def test_a_variant_of_the_same_weights_lists_what_they_share(card, seeds):
    variant = publish(card.parent, content("twin"), seeds, dtype=None, stem=card.stem)
    one, other = load_model(card).card, load_model(variant).card
    assert other.shared == one.shared and other.weights == one.weights


def test_seeds_that_differ_in_what_they_should_share_are_refused(tmp_path, seeds):
    with pytest.raises(weights.WeightsError, match="only what all files have in common"):
        publish(tmp_path, content(), seeds, dtype=None, layout=Layout(shared=["head."]))
    with pytest.raises(ValueError, match=r"layout.shared = \['nothing'\]: no tensor of"):
        publish(tmp_path, content(), seeds, dtype=None, layout=Layout(shared=["nothing"]))


def test_models_share_a_file_that_they_name_and_never_replace_it(tmp_path, seeds):
    table = Layout(shared=["transforms.table"], shared_file="table.safetensors")
    one = publish(tmp_path, content("one"), {0: seeds[0]}, dtype=None, layout=table)
    other = publish(tmp_path, content("other"), {1: seeds[1]}, dtype=None, layout=table)
    assert load_model(one).card.shared == load_model(other).card.shared
    more = Layout(shared=["transforms.", COMMON], shared_file="table.safetensors")
    with pytest.raises(ValueError, match=r"table.safetensors holds something else"):
        publish(tmp_path, content("third"), seeds, dtype=None, layout=more)
    same(load_model(other), {1: seeds[1]})


def test_a_shared_file_that_is_lost_is_named_when_the_model_is_loaded(card):
    (shared,) = load_model(card).card.shared
    card.with_name(shared.file).unlink()
    with pytest.raises(files.FileMissing, match=shared.file):
        load_model(card)


def at_an_address(card: Path, folder: Path, places: tuple[str, str]) -> Path:
    """The card alone, its weights and what they share at two addresses."""
    about = cards.read(card, ModelCard).model_dump(mode="json", exclude_none=True)
    for key, place in zip(("weights", "shared"), places, strict=True):
        for each in about[key]:
            each["urls"] = [f"{URL}/{place}/{each['file']}"]
    files.write_text(folder / card.name, to_toml(about))
    return folder / card.name


def lie_in(folder: Path, source: Path, card: Path) -> None:
    """What the card's addresses hold, in a cache or mirror."""
    for file in model_files(cards.read(card, ModelCard)):
        target = folder / files.under_host(file.urls[0])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / str(file.path), target)


def test_fetched_files_meet_in_one_folder_of_the_cache(card, seeds, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    remote = at_an_address(card, tmp_path / "remote", ("a", "b"))
    lie_in(tmp_path / "cache/files", card.parent, remote)
    same(load_model(remote), seeds)


def test_a_mirror_that_parts_them_is_left_as_it_is_and_told(card, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    remote = at_an_address(card, tmp_path / "remote", ("a", "b"))
    lie_in(tmp_path / "mirror", card.parent, remote)
    with pytest.raises(files.FileMissing, match="must lie beside the weights that share it: copy"):
        load_model(remote)


def test_a_mirror_holds_what_weights_share(card, seeds, tmp_path, monkeypatch):
    remote = at_an_address(card, tmp_path / "remote", ("a", "a"))
    about = cards.read(remote, ModelCard)
    wanted = [(file, card.parent) for file in model_files(about)]
    stored = list(mirror.store(tmp_path / "mirror", wanted))
    assert {path.name for path in stored} == {each.file for each in [*about.weights, *about.shared]}
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    same(load_model(remote), seeds)


def test_the_command_asks_for_them(monkeypatch):
    name = next((name for name, each in registry.models().items() if each.shared), None)
    assert name is not None
    listed = [file.name for file, _ in mirror.files_of(registry.model(name).tasks)]
    assert {each.file for each in registry.model(name).shared} <= set(listed)
