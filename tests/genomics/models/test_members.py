"""Several networks in one file come apart as they were put together."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genomics.models import members
from zoo.pretrained import weights


@pytest.fixture
def networks() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        {"layers.0.kernel": rng.normal(size=(3, 2)).astype(np.float32), "bias": np.float32([k])}
        for k in range(11)  # more than ten: the tenth does not stand beside the first
    ]


def test_members_come_back_in_their_order(networks):
    found = members.member_parameters(members.pack(networks))
    assert len(found) == 11
    for own, back in zip(networks, found, strict=True):
        assert own.keys() == back.keys()
        for name, value in own.items():
            np.testing.assert_array_equal(back[name], value)


def test_the_first_member_of_a_file_is_a_cards_architecture(networks, tmp_path):
    weights.save(tmp_path / "all.safetensors", members.pack(networks))
    first = members.first_member(tmp_path / "all.safetensors")
    np.testing.assert_array_equal(first["layers.0.kernel"], networks[0]["layers.0.kernel"])


def test_one_network_alone_has_no_members(networks):
    assert members.member_parameters(networks[0]) == []


def test_operations_that_cannot_be_counted_have_no_sum():
    assert members.total_flops([1.0, 2.5]) == 3.5
    assert members.total_flops([1.0, None]) is None
