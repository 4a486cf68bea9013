"""The published ParticleNet: its file is read without running a pickle, and its answers are
the original's.

The expected outputs were made by the PyTorch original;
`tests/fixtures/make_expected_particle_net.py` says how.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from make_expected_particle_net import TARGET, published_inputs

from zoo import files, registry
from zoo.cards import ModelCard, read
from zoo.particle_physics.models.features import FEATURE_SETS
from zoo.particle_physics.tagging import jetclass_weights
from zoo.particle_physics.tagging.jetclass_weights import load_parameters
from zoo.particle_physics.tagging.torch_archive import read_state_dict
from zoo.pretrained.model import build, load_model, parameters, weight_file
from zoo.pretrained.weights import WeightsError, flatten, load, restore, save
from zoo.scoring import cost

CARDS = {
    name: f"particle_physics/particle_net.{tag}" for name, (tag, _) in jetclass_weights.SETS.items()
}
TRAINABLE = {"kin": 368_216, "kinpid": 369_380, "full": 370_156}
"""Trainable numbers of the original, as PyTorch counts them."""


def published_file(feature_set: str) -> Path:
    """The authors' file, or a skip that says how to get it."""
    file = weight_file(registry.model(CARDS[feature_set]), 0)
    path = files.find(file)
    if path is None:
        pytest.skip(
            f"{file.name} ({file.bytes / 1e6:.1f} MB) is not here: `zoo mirror DIR "
            "particle_physics`, and set ZOO_MIRROR=DIR"
        )
    return path


def archive(path: Path, program: bytes, **storages: bytes) -> Path:
    """A file as torch.save lays it out."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("archive/data.pkl", program)
        for key, content in storages.items():
            out.writestr(f"archive/data/{key.removeprefix('s')}", content)
    return path


class Storage:
    """Stands for `torch.FloatStorage`, which is looked up by name when the test's pickle is
    written."""


class Pickler(pickle._Pickler):
    """Writes the instructions that torch.save writes, without torch."""

    def __init__(self, file):
        super().__init__(file, protocol=2)

    def persistent_id(self, value):
        return ("storage", Storage, *value.items) if isinstance(value, Numbers) else None

    def save_global(self, obj, name=None):
        names = {Storage: "torch\nFloatStorage", rebuild: "torch._utils\n_rebuild_tensor_v2"}
        if obj in names:
            self.write(pickle.GLOBAL + names[obj].encode() + b"\n")
        else:
            super().save_global(obj, name)

    dispatch = pickle._Pickler.dispatch | {type: save_global, type(lambda: None): save_global}


class Numbers:
    """A storage: (key, device, elements)."""

    def __init__(self, *items):
        self.items = items


def rebuild():
    """Stands for torch's function of that name."""


class Tensor:
    """A tensor as torch.save describes it."""

    def __init__(self, numbers, offset, shape, strides):
        self.arguments = (numbers, offset, shape, strides, False, {})

    def __reduce__(self):
        return rebuild, self.arguments


def pickled(content) -> bytes:
    out = io.BytesIO()
    Pickler(out).dump(content)
    return out.getvalue()


@pytest.mark.parametrize("feature_set", CARDS)
def test_outputs_are_those_of_the_pytorch_original(feature_set):
    path = published_file(feature_set)
    card = registry.model(CARDS[feature_set])
    model = restore(build(card), parameters(card, path))
    features, mask = published_inputs(feature_set)
    vectors = jnp.zeros((*mask.shape, 4))  # not looked at
    logits = np.asarray(model(jnp.asarray(features), vectors, jnp.asarray(mask)))
    expected = np.load(TARGET)[feature_set]
    assert np.ptp(expected) > 10.0  # they say something
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4 / np.abs(expected).max())


def test_the_cards_name_what_the_original_is():
    for feature_set, name in CARDS.items():
        card = registry.model(name)
        assert card.n_params == TRAINABLE[feature_set]
        assert card.config["features"] == card.predictor_config["features"] == feature_set
        assert (
            card.licence == "MIT"
            and card.training.wall_seconds is None
            and card.training.steps == 1_000_000
        )
        assert [weight.file for weight in card.weights] == [f"ParticleNet_{feature_set}.pt"]
        # fetched, never shipped
        assert not (registry.path_of(name, "model").parent / card.weights[0].file).exists()


def test_the_shipped_cards_are_those_that_are_written(tmp_path, monkeypatch):
    for feature_set in CARDS:
        published_file(feature_set)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    for path in jetclass_weights.write_cards(tmp_path):
        written = read(path, ModelCard)
        shipped = registry.model(written.id)
        np.testing.assert_allclose(
            written.expected.values, shipped.expected.values, atol=shipped.expected.tolerance
        )
        assert written.model_copy(update={"expected": shipped.expected}) == shipped


def test_the_converted_weights_survive_a_file_of_ours(tmp_path):
    card = registry.model(CARDS["kin"])
    found = parameters(card, published_file("kin"))
    assert cost.count_parameters(found) == card.n_params
    model = restore(build(card), found)
    save(tmp_path / "weights.safetensors", model)
    again, _, _ = load(tmp_path / "weights.safetensors")
    assert again.keys() == found.keys()
    for name, value in flatten(model).items():
        np.testing.assert_array_equal(again[name], value)


def test_load_model_converts(monkeypatch):
    published_file("kin")
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    module = load_model(CARDS["kin"]).module()
    assert module.inputs.scale[...].shape == (len(FEATURE_SETS["kin"]),)
    assert np.abs(np.asarray(module.inputs.scale[...]) - 1).max() > 0.1


def test_an_archive_of_torchs_layout_is_read_with_its_offsets_and_strides(tmp_path):
    numbers = np.arange(12, dtype=np.float32)
    storage = Numbers("0", "cuda:2", 12)
    content = {
        "whole": Tensor(storage, 0, (3, 4), (4, 1)),
        "turned": Tensor(storage, 1, (4, 2), (1, 4)),
        "one": Tensor(storage, 5, (), ()),
    }
    found = read_state_dict(archive(tmp_path / "a.pt", pickled(content), s0=numbers.tobytes()))
    np.testing.assert_array_equal(found["whole"], numbers.reshape(3, 4))
    np.testing.assert_array_equal(found["turned"], numbers.reshape(3, 4)[:2].T + 1)
    assert found["one"] == 5.0 and found["one"].shape == ()


class Malicious:
    """Runs a function of its own choice in whoever unpickles it."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, protocol):
    marker = tmp_path / "executed"
    program = pickle.dumps({"weight": Malicious(marker)}, protocol=protocol)
    with pytest.raises(WeightsError, match="may be malicious and was not executed"):
        read_state_dict(archive(tmp_path / "bad.pt", program))
    assert not marker.exists()
    pickle.loads(program)  # the trap is a real one
    assert marker.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(Vtrue\ntR.",  # the classic
        b"\x80\x02cbuiltins\neval\nq\x00X\x01\x00\x00\x001\x85R.",
        # a legal name, called with something else
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.",
        # a string is no name
        b"\x80\x02X\x20\x00\x00\x00torch._utils _rebuild_tensor_v2aaK\x01\x85R.",
        b"\x80\x02ccollections\nOrderedDict\n}b.",
        # outside the archive
        b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x04\x00\x00\x00../0X\x03\x00\x00\x00cpuK\x01tQ.",
    ],
)
def test_other_instructions_are_refused(tmp_path, program):
    with pytest.raises(WeightsError, match="may be malicious"):
        read_state_dict(archive(tmp_path / "bad.pt", program))


@pytest.mark.parametrize(
    ("key", "elements", "view"),
    [
        ("0", 4, (0, (5,), (1,))),
        ("0", 4, (2, (3,), (1,))),
        ("0", 4, (0, (2,), (-1,))),
        ("0", 4, (-1, (2,), (1,))),
        ("0", 4, (0, (100_000, 100_000), (0, 0))),
        ("0", 4, (0, (2, 2), (1,))),
        ("0", 5, (0, (2,), (1,))),
        ("0", -4, (0, (), ())),
        ("1", 4, (0, (2,), (1,))),
    ],
)
def test_a_tensor_that_reaches_beyond_its_numbers_is_refused(tmp_path, key, elements, view):
    path = archive(
        tmp_path / "bad.pt",
        pickled({"weight": Tensor(Numbers(key, "cpu", elements), *view)}),
        s0=bytes(16),
    )
    with pytest.raises(WeightsError, match=r"weight|data/1"):
        read_state_dict(path)


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02}",
        b"\x80\x02h\x05.",
        b"\x80\x02t.",
        b"\x80\x02K\x01.",
        b"\x80\x02NN.",
    ],
)
def test_a_damaged_description_is_refused(tmp_path, program):
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        read_state_dict(archive(tmp_path / "bad.pt", program))


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "bad.pt").write_bytes(b"no zip")
    with pytest.raises(WeightsError, match=r"bad.pt is not a readable archive .* fetch it again"):
        read_state_dict(tmp_path / "bad.pt")
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as out:
        out.writestr("readme", "hello")
    with pytest.raises(WeightsError, match=r"holds 0 data\.pkl"):
        read_state_dict(tmp_path / "other.pt")


def test_a_truncated_file_is_refused(tmp_path):
    whole = published_file("kin").read_bytes()
    for keep in (100, len(whole) // 2, len(whole) - 30):
        (tmp_path / "cut.pt").write_bytes(whole[:keep])
        with pytest.raises(WeightsError, match=r"cut\.pt"):
            load_parameters(tmp_path / "cut.pt")


def test_another_network_is_refused_by_name(tmp_path):
    path = archive(
        tmp_path / "other.pt",
        pickled({"mod.conv.weight": Tensor(Numbers("0", "cpu", 4), 0, (4,), (1,))}),
        s0=bytes(16),
    )
    with pytest.raises(
        WeightsError, match=r"no published ParticleNet: it has no tensor 'mod.bn_fts.weight'"
    ):
        load_parameters(path)
