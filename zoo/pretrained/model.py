"""Pretrained models: a card and its weights, bound into something that predicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo import files, registry
from zoo.cards import FileCard, ModelCard, Run, SharedFile, read
from zoo.interfaces.predictor import PretrainedPredictor

RUN = "run.toml"
"""What a training leaves beside its weights (`zoo.pretrained.run`)."""


@dataclasses.dataclass(frozen=True, repr=False)
class PretrainedModel:
    """A pretrained model: call it with a task's inputs, or with your own in the same form.

    Attributes:
        card: what it is, how it was trained, what it must not be used for.
        weights: verified local paths of its weight files, one a training seed or ensemble member.
    """

    card: ModelCard
    weights: tuple[Path, ...]

    @cached_property
    def predict(self) -> PretrainedPredictor:
        """The predictor that a call of the model uses, made at first use.

        Besides being called it can do what its family needs (logits, attributions, windows);
        `zoo.interfaces.predictor` says what every one of them can.
        """
        return self.predictor()

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Predictions; `repr(model)` and `zoo.interfaces.predictor` say in which form inputs
        and predictions are."""
        return self.predict(inputs, **options)

    def __repr__(self) -> str:
        """Three lines: name, form of inputs and outputs, licence."""
        card = self.card
        return (
            f"{card.id}: {card.title}\n"
            f"  {self.predict.input_form} -> {self.predict.output_form}\n"
            f"  {card.n_params:,} parameters, {card.licence}, trained on {card.truth} data"
        )

    def predictor(self, seed: int | None = None) -> PretrainedPredictor:
        """A fresh predictor; of one training seed's weights alone where `seed` is given.

        Raises:
            ValueError: the card lists no such seed.
        """
        factory: Callable[..., PretrainedPredictor] = registry.resolve(self.card.predictor)
        if seed is not None:
            by_seed = dict(
                zip([weight.seed for weight in self.card.weights], self.weights, strict=True)
            )
            if seed not in by_seed:
                raise ValueError(
                    f"{self.card.id} has no weights of seed {seed}; seeds: "
                    f"{', '.join(map(str, by_seed))}"
                )
            return factory(self.card, [by_seed[seed]])
        return factory(
            self.card, list(self.weights) if self.card.ensemble else list(self.weights[:1])
        )

    def module(self, seed: int | None = None) -> Any:
        """The Flax NNX module with its weights, for fine-tuning or inspection."""
        from zoo.pretrained.weights import restore

        seeds = [weight.seed for weight in self.card.weights]
        return restore(
            blank(self.card),
            parameters(self.card, self.weights[0 if seed is None else seeds.index(seed)]),
        )


def parameters(card: ModelCard, path: Path) -> dict[str, Any]:
    """The parameters in one of a card's weight files, by dotted name; read by the card's
    `converter` where it has one.

    Raises:
        zoo.pretrained.weights.WeightsError: the file cannot be read.
    """
    from zoo.pretrained.weights import load

    return load(path)[0] if card.converter is None else registry.resolve(card.converter)(path)


def build(card: ModelCard, *, seed: int = 0) -> Any:
    """The card's architecture with fresh parameters.

    The architecture's module names its config dataclass `<Architecture>Config` or `Config`.
    """
    from flax import nnx

    settings = {name: as_tuples(value) for name, value in card.config.items()}
    return registry.resolve(card.architecture)(
        config_class(card.architecture)(**settings), rngs=nnx.Rngs(seed)
    )


def blank(card: ModelCard) -> Any:
    """The card's architecture with shapes in place of parameters, to be filled by
    `zoo.pretrained.weights.restore`.

    Drawing random parameters that are thrown away costs seconds: XLA compiles a program for
    each of their shapes. An architecture that holds anything but parameters (tables, random
    streams) is built in full, as by `build`.
    """
    from flax import nnx

    model = nnx.eval_shape(lambda: build(card))
    every, own = (len(nnx.to_flat_state(nnx.state(model, kind))) for kind in (..., nnx.Param))
    return model if every == own else build(card)


def config_class(architecture: str) -> type:
    """The config dataclass of an architecture `module:Class`: `<Class>Config` or `Config`
    of the same module."""
    import importlib

    path, _, name = architecture.partition(":")
    module = importlib.import_module(path)
    found: type = getattr(module, f"{name}Config", None) or module.Config
    return found


def as_tuples(value: Any) -> Any:
    """Lists as tuples, at every depth: a configuration is frozen."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def load_model(name: str | Path) -> PretrainedModel:
    """A pretrained model by name, e.g. `climate/convnext.held_suarez`, or one of your own by
    the path of its card (`.toml`), or of the folder that holds one card or a run.

    Raises:
        zoo.registry.UnknownName: no such model; the nearest names are offered.
        FileNotFoundError: no such card, or not one in that folder.
        zoo.cards.CardError: it is no card of a model.
        zoo.files.FileMissing, zoo.files.FileAltered: its weights, or what they share, cannot be
            had or are not the card's.
    """
    if isinstance(name, Path) or name.endswith(".toml") or _is_own_folder(name):
        path = _card_path(Path(name))
        card = read(path, ModelCard)
    else:
        card, path = registry.model(name), registry.path_of(name, "model")
    weights = tuple(weight_path(card, path.parent, index) for index in range(len(card.weights)))
    for each in range(len(card.shared)):
        _lay_beside(shared_file(card, each), path.parent, weights)
    return PretrainedModel(card, weights)


def _lay_beside(file: FileCard, folder: Path, weights: tuple[Path, ...]) -> None:
    """Makes sure that a shared file lies, verified, in every folder that a model's weights were
    found in: the weight files name it as their neighbour."""
    found = files.get(file, folder=folder)
    for place in sorted({path.parent for path in weights} - {found.parent}):
        target = place / file.name
        if target.is_file():
            files.verify(target, file)
        elif place.resolve().is_relative_to(files.home().resolve()):
            files.copy(found, target)
        else:
            raise files.FileMissing(
                f"{file.name} must lie beside the weights that share it: copy {found} into {place}"
            )


def _is_own_folder(name: str) -> bool:
    """A folder that happens to be called like a model does not hide the model."""
    return Path(name).is_dir() and name not in registry.models()


def _card_path(path: Path) -> Path:
    if path.is_dir():
        if (path / RUN).is_file():  # what `zoo train` left: the model, perhaps with variants
            return path / f"{read(path / RUN, Run).model[0].id.split('/')[1]}.toml"
        found = sorted(path.glob("*.toml"))
        if len(found) != 1:
            names = ", ".join(each.name for each in found) or "none"
            raise FileNotFoundError(
                f"{path} holds {len(found)} cards (*.toml): {names}; name the card"
            )
        return found[0]
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; a model is named as `zoo list models` does, or by the path "
            "of its card (.toml)"
        )
    return path


def weight_path(card: ModelCard, folder: Path, index: int) -> Path:
    """The verified path of one of a model's weight files."""
    return files.get(weight_file(card, index), folder=folder)


def weight_file(card: ModelCard, index: int) -> FileCard:
    """One of a model's weight files, described like a file of a dataset."""
    weight = card.weights[index]
    return _described(card, weight, f"weights of {card.id}, seed {weight.seed}")


def shared_file(card: ModelCard, index: int) -> FileCard:
    """One of the files that a model's weight files share, described like a file of a dataset."""
    return _described(card, card.shared[index], f"what the weights of {card.id} share")


def model_files(card: ModelCard) -> list[FileCard]:
    """All files of a model: its weights, then what they share."""
    return [
        *(weight_file(card, index) for index in range(len(card.weights))),
        *(shared_file(card, index) for index in range(len(card.shared))),
    ]


def _described(card: ModelCard, file: SharedFile, role: str) -> FileCard:
    return FileCard(
        name=Path(file.file).name,
        path=file.file,
        urls=file.urls,
        sha256=file.sha256,
        bytes=file.bytes,
        licence=card.licence,
        role=role,
        redistributable=True,
    )
