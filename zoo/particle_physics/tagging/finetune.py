"""Pretrained taggers with a new last layer for jets of one's own: the side of particle
physics of `zoo train --from`.

    zoo train --from particle_physics/particle_net.jetclass_kin my_jets/ --out my_model
    zoo predict my_model/particle_net.my_jets.toml new.root scores.root

ROOT files in JetClass's layout (`zoo.particle_physics.data.read`): the classes are the
branches `label_<class>`, whatever they are called, or the whole numbers of one branch that
is named. Parquet: in the layout of `zoo.particle_physics.data.public_sets`, classes in the
column `label`. The network keeps its design and its features; `head` alone has as many
outputs as there are classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.particle_physics.data.jets import Jets, concatenate
from zoo.particle_physics.data.parquet import parquet_table
from zoo.particle_physics.data.public_sets import read_quark_gluon
from zoo.particle_physics.data.read import read_branches, read_jets
from zoo.particle_physics.data.root import JetFileError, Tree, missing_branches, resolve
from zoo.particle_physics.models.features import COLUMNS, FEATURE_SETS, network_inputs
from zoo.particle_physics.tagging.train import TrainingJets, rotate_and_mirror
from zoo.pretrained.weights import flatten, restore

if TYPE_CHECKING:
    from zoo.pretrained.model import PretrainedModel

__all__ = ["ARCHITECTURES", "JetTask", "adapt"]

_MODELS = "zoo.particle_physics.models"
ARCHITECTURES = (
    f"{_MODELS}.pfn:PFN",
    f"{_MODELS}.particle_net:ParticleNet",
    f"{_MODELS}.particle_transformer:ParticleTransformer",
    f"{_MODELS}.lorentz_net:LorentzNet",
)
"""What can be adapted."""
PREFIX = "label_"


class JetTask:
    """The user's jets and a pretrained tagger: a `zoo.interfaces.finetune.Labelled`.

    Args:
        source: the pretrained model.
        jets: with labels.
        groups: int `[jet]`.
        validation: bool `[jet]`, or None.
        notes: on the data.
    """

    noun, batch_size, epochs, rates, candidates = "jets", 64, 4.0, (5e-4, 2e-3), ("",)

    def __init__(
        self,
        source: PretrainedModel,
        jets: Jets,
        groups: np.ndarray,
        validation: np.ndarray | None,
        notes: Sequence[str],
    ):
        self.source, self.classes, self.groups, self.validation = (
            source,
            jets.classes,
            groups,
            validation,
        )
        self.feature_set = source.card.predictor_config["features"]
        self.columns, self.names = COLUMNS[self.feature_set], FEATURE_SETS[self.feature_set]
        arrays = TrainingJets.of(jets, self.columns).arrays
        self.label = arrays.pop("label").astype(np.int64)
        self.inputs, self.notes = arrays, list(notes)

    def network(self, candidate: str, *, seed: int, pretrained: bool) -> nnx.Module:
        """The source's design with a last layer of its own."""
        from zoo.pretrained.model import build, parameters

        card = self.source.card
        config = dict(card.config) | {"classes": len(self.classes)}
        model = build(card.model_copy(update={"config": config}), seed=seed)
        if pretrained:
            own = {
                name: value
                for name, value in parameters(card, self.source.weights[0]).items()
                if not name.startswith("head.")
            }
            head = {
                name: value for name, value in flatten(model).items() if name.startswith("head.")
            }
            restore(model, own | head)
        return model

    def _inputs(self, batch: Mapping[str, Any]) -> tuple[jax.Array, jax.Array]:
        return network_inputs(
            batch["particles"],
            batch["mask"],
            batch["pt"],
            batch["energy"],
            names=self.names,
            columns=self.columns,
            xp=jnp,
        )

    def logits(self, model: nnx.Module, batch: Mapping[str, Any], key: Any) -> jax.Array:
        """`[jet, class]`; in training each jet is rotated about its axis and mirrored at random."""
        features, vectors = self._inputs(batch)
        return model(
            features if key is None else rotate_and_mirror(features, key), vectors, batch["mask"]
        )

    def features(self, model: Any, batch: Mapping[str, Any]) -> jax.Array:
        """What the last layer is given, `[jet, feature]`."""
        model.head = nnx.identity
        features, vectors = self._inputs(batch)
        return model(features, vectors, batch["mask"])

    def content(self, model: Any) -> dict[str, Any]:
        """The domain's part of the card: it is a tagger like any other."""
        card = self.source.card
        return {
            "architecture": card.architecture,
            "predictor": card.predictor,
            "predict_file": card.predict_file,
            "config": dict(card.config) | {"classes": len(self.classes)},
            "predictor_config": dict(card.predictor_config) | {"classes": list(self.classes)},
        }


def adapt(
    source: PretrainedModel,
    data: Path,
    *,
    validation: Path | None,
    label: str | None,
    group: str | None,
    network: str | None,
    seed: int,
) -> JetTask:
    """The user's labelled jets, with a pretrained tagger for them.

    Jets with equal constituents are one group; with `group` those of one value of that
    branch are (the event's number, a file's).

    Args:
        source: the pretrained model.
        data, validation: file, folder or glob.
        label: branch of whole numbers that says the class; default: the branches
            `label_<class>`, or `label` in Parquet.
        group: branch whose equal values stay together.
        network: not used: a tagger is one network.
        seed: not used; the split is made by whoever asks.

    Raises:
        zoo.particle_physics.data.root.JetFileError: branches are missing, or hold what is
            not finite; says which there are.
        ValueError: one class only, or jets without a class.
    """
    if network is not None:
        raise ValueError(f"{source.card.id} is one network: leave network={network!r} out")
    features, particles = (
        source.card.predictor_config["features"],
        int(source.card.predictor_config["particles"]),
    )
    first = _read(data, particles, COLUMNS[features], label, group)
    if validation is None:
        jets, values = first
        return JetTask(
            source, jets, _numbered(jets) if values is None else values, None, _notes(values, group)
        )
    second = _read(validation, particles, COLUMNS[features], label, group, classes=first[0].classes)
    scalars = [name for name in first[0].scalars if name in second[0].scalars]
    parts = [
        dataclasses.replace(jets, scalars={name: jets.scalars[name] for name in scalars})
        for jets, _ in (first, second)
    ]
    jets = concatenate(parts)
    values = None if first[1] is None else np.concatenate([first[1], second[1]])
    groups, held = (
        _numbered(jets) if values is None else values,
        np.repeat([False, True], [len(part) for part in parts]),
    )
    kept = held | ~np.isin(groups, groups[held])
    notes = _notes(values, group)
    if not kept.all():
        notes.append(
            f"{(~kept).sum():,} training jets left out: they (or their group) are in "
            f"{validation.name} too"
        )
    if not (kept & ~held).any():
        raise ValueError(f"every jet of {data} is in {validation} too; nothing is left to train on")
    return JetTask(source, jets[kept], groups[kept], held[kept], notes)


def _notes(values: np.ndarray | None, group: str | None) -> list[str]:
    return (
        []
        if values is None
        else [
            f"{len(np.unique(values)):,} groups of branch {group!r}, each on one side of the split"
        ]
    )


def _numbered(jets: Jets) -> np.ndarray:
    """int64 `[jet]`: equal where all constituents are."""
    rows = np.ascontiguousarray(jets.particles.reshape(len(jets), -1))
    return np.unique(
        rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0],
        return_inverse=True,
    )[1]


def _read(
    path: Path,
    particles: int,
    columns: Sequence[str],
    label: str | None,
    group: str | None,
    classes: Sequence[str] | None = None,
) -> tuple[Jets, np.ndarray | None]:
    """The jets of a path with classes that occur, and their groups where a branch says them."""
    parquet = path.suffix == ".parquet" or (
        path.is_dir() and not any(path.rglob("*.root")) and any(path.rglob("*.parquet"))
    )
    paths = resolve(path, suffix=".parquet" if parquet else ".root")
    names: tuple[str, ...] = ()
    if parquet:
        if (label or "label") != "label":
            raise ValueError(
                f"{path}: the class of a jet in Parquet stands in the column 'label', not "
                f"{label!r}; rename it"
            )
        jets = read_quark_gluon(paths, max_particles=particles, columns=columns)
        found = jets.label.astype(np.int64)
    elif label is not None:
        jets = read_jets(paths, max_particles=particles, columns=columns, classes=())
        found = np.concatenate([_whole_numbers(each, label) for each in paths])
    else:
        names = _label_branches(paths[0])
        jets = read_jets(paths, max_particles=particles, columns=columns, classes=names)
        found = jets.label.astype(np.int64)
        if (found < 0).any():
            branches = ", ".join(PREFIX + name for name in names)
            raise ValueError(
                f"{path}: jet {int(np.argmax(found < 0))} is of no class: none of {branches} is set"
            )
    values = np.unique(found)
    spoken = [names[value] if names else str(value) for value in values]
    order = list(spoken if classes is None else classes)
    if unknown := [name for name in spoken if name not in order]:
        raise ValueError(
            f"{path} has jets of class {', '.join(unknown)}; the classes are {', '.join(order)}"
        )
    index = np.array([order.index(name) for name in spoken])[np.searchsorted(values, found)]
    jets = dataclasses.replace(jets, label=index.astype(np.int8), classes=tuple(order))
    return jets, None if group is None else np.concatenate([_column(each, group) for each in paths])


def _label_branches(path: str) -> tuple[str, ...]:
    with Tree(path) as tree:
        known = list(tree.branches)
    names = tuple(name.removeprefix(PREFIX) for name in known if name.startswith(PREFIX))
    if not names:
        raise JetFileError(
            f"{path} has no branches {PREFIX}<class> that say the class of a jet; name the branch "
            "that does (--label BRANCH). Of one number for each jet it has "
            f"{', '.join([name for name in known if 'part_' not in name][:40])}"
        )
    return names


def _column(path: str, name: str) -> np.ndarray:
    """One number or name for each jet."""
    import awkward as ak

    if path.endswith(".parquet"):
        table = parquet_table(path)
        missing_branches([name], table.column_names, path)
        return table.column(name).to_numpy()
    values = read_branches(path, "tree", [name])[name]
    if values.ndim != 1:
        raise JetFileError(
            f"{path}: branch {name} has one value for each particle; one for each jet is needed"
        )
    return ak.to_numpy(values)


def _whole_numbers(path: str, name: str) -> np.ndarray:
    values = np.asarray(_column(path, name), np.float64)
    if (
        not np.isfinite(values).all()
        or (values != np.round(values)).any()
        or len(np.unique(values)) > 127
    ):
        wrong = values[~np.isfinite(values) | (values != np.round(values))]
        said = (
            f"{wrong[0]}, no whole number"
            if wrong.size
            else f"{len(np.unique(values))} different numbers"
        )
        raise JetFileError(
            f"{path}: branch {name} holds {said}; the class of a jet is one of at most 127 whole "
            "numbers"
        )
    return values.astype(np.int64)
