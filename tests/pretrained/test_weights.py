"""Weights on disk keep their names, their transforms and their numbers; what does not fit
is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flax import nnx

from zoo.pretrained import weights


class Net(nnx.Module):
    def __init__(self, width: int = 3, *, rngs: nnx.Rngs):
        self.blocks = nnx.List([nnx.Linear(4, width, rngs=rngs), nnx.Linear(width, 2, rngs=rngs)])
        self.dropout = nnx.Dropout(0.5, rngs=rngs)


@pytest.fixture
def net() -> Net:
    return Net(rngs=nnx.Rngs(0))


def test_a_saved_module_is_restored_to_the_bit_with_its_transforms_and_metadata(tmp_path, net):
    path = tmp_path / "net.safetensors"
    weights.save(
        path,
        net,
        transforms={"mean": np.array([1.5, 2.5]), "count": np.arange(3)},
        metadata={"seed": 3, "who": "ada"},
    )
    parameters, transforms, metadata = weights.load(path)
    assert set(parameters) == {
        "blocks.0.kernel",
        "blocks.0.bias",
        "blocks.1.kernel",
        "blocks.1.bias",
    }
    np.testing.assert_array_equal(transforms["mean"], [1.5, 2.5])
    assert transforms["mean"].dtype == np.float64 and transforms["count"].dtype == np.int64
    assert json.loads(metadata["seed"]) == 3 and metadata["who"] == "ada"
    other = weights.restore(Net(rngs=nnx.Rngs(1)), parameters)
    for name, value in weights.flatten(net).items():
        np.testing.assert_array_equal(weights.flatten(other)[name], value)


def test_a_restored_module_computes_what_the_saved_one_computed(tmp_path, net):
    weights.save(tmp_path / "net.safetensors", net)
    other = weights.restore(Net(rngs=nnx.Rngs(1)), weights.load(tmp_path / "net.safetensors")[0])
    x = np.linspace(0, 1, 4, dtype=np.float32)
    np.testing.assert_array_equal(other.blocks[0](x), net.blocks[0](x))


def test_bfloat16_storage_halves_the_file_and_comes_back_as_float32_within_its_precision(
    tmp_path, net
):
    weights.save(
        tmp_path / "half.safetensors", net, dtype="bfloat16", transforms={"mean": np.array([1 / 3])}
    )
    parameters, transforms, _ = weights.load(tmp_path / "half.safetensors")
    full = weights.flatten(net)
    for name, value in parameters.items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, full[name], rtol=2**-8, atol=1e-30)
    assert transforms["mean"][0] == 1 / 3  # transforms keep their own precision
    weights.restore(Net(rngs=nnx.Rngs(1)), parameters)


def test_equal_weights_are_equal_bytes(tmp_path, net):
    for name in "ab":
        weights.save(
            tmp_path / name, net, transforms={"z": np.ones(2), "a": np.ones(1)}, metadata={"n": 1}
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_parameters_that_lack_or_are_too_many_are_named(net):
    parameters = weights.flatten(net)
    value = parameters.pop("blocks.1.bias")
    complaint = (
        r"Net: 1 parameters missing \(first \['blocks.1.bias'\]\), "
        r"1 unexpected \(first \['extra'\]\)"
    )
    with pytest.raises(weights.WeightsError, match=complaint):
        weights.restore(net, parameters | {"extra": value})


def test_a_parameter_of_another_shape_is_named_with_both_shapes(net):
    with pytest.raises(
        weights.WeightsError,
        match=r"blocks.0.(kernel|bias) of Net has shape .*, the file has \((4, )?5,?\)",
    ):
        weights.restore(net, weights.flatten(Net(5, rngs=nnx.Rngs(0))))


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, net, keep):
    path = tmp_path / "net.safetensors"
    weights.save(path, net)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        weights.WeightsError,
        match=r"net.safetensors is not a readable safetensors file .* delete it",
    ):
        weights.load(path)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, net, monkeypatch):
    path = tmp_path / "net.safetensors"
    weights.save(path, net)
    before = path.read_bytes()

    def half(self, content):
        with open(self, "wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", half)
    with pytest.raises(OSError, match="No space"):
        weights.save(path, Net(rngs=nnx.Rngs(1)))
    assert path.read_bytes() == before and [item.name for item in tmp_path.iterdir()] == [
        "net.safetensors"
    ]


def test_equal_weights_are_equal_bytes_however_much_metadata_they_carry(tmp_path):
    """The library orders metadata at random; a card pins the hash of the whole file."""
    arrays = {"b": np.arange(3, dtype=np.float32), "a": np.zeros((2, 2), np.float16)}
    facts = {f"fact{i}": i for i in range(12)}
    seen = set()
    for turn in range(6):
        weights.save(
            tmp_path / f"{turn}.safetensors",
            arrays,
            metadata=dict(reversed(facts.items())) if turn % 2 else facts,
        )
        seen.add((tmp_path / f"{turn}.safetensors").read_bytes())
    assert len(seen) == 1
    parameters, _, metadata = weights.load(tmp_path / "0.safetensors")
    assert np.array_equal(parameters["b"], arrays["b"]) and metadata["fact7"] == "7"


def two_seeds(folder):
    """Parameters and transforms of two seeds that have `trunk.` and a table in common."""
    common = {"trunk.kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 3}
    table = {"table": np.linspace(0, 1, 7)}
    weights.save(folder / "shared.safetensors", common, transforms=table, dtype="float16")
    own = [{"heads.a.bias": np.full(3, seed, np.float32)} for seed in range(2)]
    return [common | each for each in own], table


def test_what_seeds_share_is_stored_once_and_read_as_if_each_had_it(tmp_path):
    seeds, table = two_seeds(tmp_path)
    for seed, parameters in enumerate(seeds):
        alone, sharing = tmp_path / f"alone{seed}", tmp_path / f"seed{seed}"
        facts = {"transforms": table, "metadata": {"seed": seed}, "dtype": "float16"}
        weights.save(alone, parameters, **facts)
        weights.save(sharing, parameters, **facts, shared=tmp_path / "shared.safetensors")
        assert sharing.stat().st_size < alone.stat().st_size
        assert weights.shared_file(sharing) == tmp_path / "shared.safetensors"
        assert weights.shared_file(alone) is None
        before, after = weights.load(alone), weights.load(sharing)
        assert before[2] == after[2]  # a file's own header says nothing of how it is stored
        for one, other in zip(before[:2], after[:2], strict=True):
            assert one.keys() == other.keys()
            for name in one:
                np.testing.assert_array_equal(one[name], other[name], strict=True)


def test_a_seed_whose_tensors_are_not_the_shared_ones_is_refused(tmp_path):
    seeds, table = two_seeds(tmp_path)
    shared = tmp_path / "shared.safetensors"
    save = {"transforms": table, "dtype": "float16", "shared": shared}
    with pytest.raises(weights.WeightsError, match=r"trunk.kernel of shared.* is another in seed"):
        weights.save(tmp_path / "seed", seeds[0] | {"trunk.kernel": np.ones((2, 3))}, **save)
    with pytest.raises(weights.WeightsError, match=r"trunk.kernel of shared.* is not in seed"):
        weights.save(tmp_path / "seed", {"heads.a.bias": np.ones(3)}, **save)
    with pytest.raises(weights.WeightsError, match="must lie beside"):
        weights.save(tmp_path / "elsewhere/seed", seeds[0], **save)


def test_a_shared_file_that_is_missing_altered_or_elsewhere_is_named(tmp_path):
    seeds, table = two_seeds(tmp_path)
    shared = tmp_path / "shared.safetensors"
    seed = tmp_path / "seed.safetensors"
    weights.save(seed, seeds[0], transforms=table, dtype="float16", shared=shared)
    content = shared.read_bytes()
    shared.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(weights.WeightsError, match=r"shared.safetensors has SHA-256 .* needs"):
        weights.load(seed)
    shared.unlink()
    with pytest.raises(weights.WeightsError, match=r"copy shared\.safetensors into"):
        weights.load(seed)
    for name in ("../shared.safetensors", "/shared.safetensors", "a\\b", ""):
        weights.save(seed, {}, metadata={weights.SHARED: name, weights.SHARED_SHA256: "0" * 64})
        with pytest.raises(weights.WeightsError, match="which is no file beside it"):
            weights.load(seed)


def test_stacked_tensors_come_back_by_their_own_names_and_shorten_the_header(tmp_path):
    rng = np.random.default_rng(0)
    parameters = {"position": rng.normal(size=4).astype(np.float32)}
    for part in ("tf_0", "tf_1", "prom"):
        for layer in range(9):
            parameters[f"networks.{part}.{layer}.bias"] = rng.normal(size=3).astype(np.float32)
        parameters[f"networks.{part}.place"] = np.ones(len(part), np.float32)
    parameters["networks.prom.only"] = np.zeros(2, np.float32)
    weights.save(tmp_path / "plain", parameters)
    weights.save(tmp_path / "stacked", parameters, stacked="networks.")
    assert (tmp_path / "stacked").stat().st_size < 0.7 * (tmp_path / "plain").stat().st_size
    (one, _, _), (other, _, metadata) = map(
        weights.load, (tmp_path / "plain", tmp_path / "stacked")
    )
    assert one.keys() == other.keys() and metadata == {}
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], strict=True)
