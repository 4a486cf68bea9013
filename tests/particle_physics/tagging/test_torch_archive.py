"""An archive of torch's is read without running its pickle."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_archives import Numbers, Tensor, archive, pickled

from zoo.particle_physics.tagging.torch_archive import read_state_dict
from zoo.pretrained.weights import WeightsError


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
