"""What a task must answer for the harness: its examples, its per-example record, and the
formulas that turn it into scores.

The split is WeatherBench-X's: a metric is a formula of *means of per-example statistics*.
Everything else (intervals, paired differences, rank groups, rescoring a stored record) then
needs nothing but those statistics:

    inputs
      --predictor-->   predictions
      --record-->      named arrays, one row per example (stored, hashed)
      --statistics-->  float64 arrays whose mean over examples is meaningful
      --values-->      scores

`record` may keep the predictions themselves where they are small (an ENSO forecast) or
sufficient statistics where they are large (weighted squared errors per start date, lead and
variable). Scores that depend on the order of the examples (the area under a ROC curve) are
no formula of means; a task gives them by `rank_values`, from the same record and the same
resamples.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import files, registry
from zoo.cards import BaselineSpec, CardError, TaskSpec

if TYPE_CHECKING:
    from zoo.interfaces.figures import Figure

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Examples:
    """The evaluated examples of a task, in the order of their ids.

    Attributes:
        ids: one stable name per example (a start date, an issue month, a jet); hashed into
            the entry.
        inputs: what a predictor receives; the task's class says what it is.
        targets: what only the task sees.
    """

    ids: tuple[str, ...]
    inputs: Any
    targets: Any

    def __len__(self) -> int:
        return len(self.ids)


class Task(abc.ABC):
    """One benchmark, bound to its data files.

    Args:
        spec: the task's TOML card.
        file: finds (or fetches) and verifies one file of the task's dataset by its name in
            the dataset card.
        folder: the user's own copy of the data (`zoo bench TASK --data DIR`), for tasks
            that read whole folders.
    """

    reads_folder = False
    """Whether `examples` reads `folder`: for data sets too large to be listed file by file."""

    def __init__(self, spec: TaskSpec, *, file: Callable[[str], Path], folder: Path | None = None):
        self.spec = spec
        self.file = file
        self.folder = folder

    @abc.abstractmethod
    def examples(self) -> Examples:
        """The test examples."""

    @abc.abstractmethod
    def record(self, predictions: Any, examples: Examples) -> Arrays:
        """The per-example record: arrays with leading length `len(examples)`, enough to
        compute every score."""

    @abc.abstractmethod
    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Float64 arrays `[example, ...]`, finite, of which the scores need only the mean
        over examples.

        A missing prediction contributes zero to each of its statistics and zero to a
        `count` statistic, by which the formulas divide.
        """

    @abc.abstractmethod
    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The scores of mean statistics; arrays `[..., *rest]` ->
        `{"metric" or "metric.point": [...]}`.

        Leading axes are resamples. Where nothing was predicted the value is NaN, which the
        harness turns into a gap.
        """

    def rank_values(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Scores that no mean over examples gives, by name: `[]` without weights, else
        `[resample]`; by default there are none.

        Args:
            record: the per-example record.
            weights: `[resample, example]`, each row summing to one: how often an example
                was drawn. A score whose interval cannot come from resampling (a count, an
                interval's own end) is NaN there.
        """
        return {}

    def figures(self, record: Mapping[str, np.ndarray]) -> list[Figure]:
        """What one row's record shows beyond its scores (a ROC curve, a confusion matrix),
        as data; by default nothing.

        The board asks for it without any data file at hand: numpy and the record must do.
        """
        return []

    def sample_figures(self) -> list[Figure]:
        """What the task's data look like, from its files; by default nothing."""
        return []

    def baseline(self, spec: BaselineSpec) -> Callable[[Any], Any]:
        """The predictor of one baseline of the spec: its `code` called with this task and
        its `config`."""
        made: Callable[[Any], Any] = registry.resolve(spec.code)(self, **spec.config)
        return made


def load_task(name: str, *, data: Path | None = None) -> Task:
    """A task bound to its data files (found, or fetched when first asked for).

    Args:
        name: the task's id.
        data: a folder of the user's own: the first place where a file of the dataset's card
            is looked for (and verified like any other), and all the data of a task that
            reads whole folders.

    Raises:
        zoo.registry.UnknownName: no task has this name.
        NotADirectoryError: `data` is no folder.
        zoo.files.FileAltered: a file or archive in `data` that the card knows by its hash
            has other bytes.
        ValueError: the task would not use anything in `data`.
    """
    spec = registry.task(name)
    card = registry.dataset(spec.dataset)
    by_name = {file.name: file for file in card.file}
    code = registry.resolve(spec.code)
    if data is None:
        own = {}
    elif not data.is_dir():
        raise NotADirectoryError(
            f"{data} is no folder; `--data` takes the folder that holds the data of {name}"
        )
    else:
        own = {wanted: data / wanted for wanted in by_name if (data / wanted).is_file()}
        if not own and not code.reads_folder:
            raise ValueError(
                f"{data} holds none of the files of dataset {card.id}: "
                f"{', '.join(by_name) or 'it has none'}"
            )
        if code.reads_folder:
            files.verify_downloads(data, card)

    def file(wanted: str) -> Path:
        if wanted not in by_name:
            raise CardError(
                f"dataset {card.id} has no file {wanted!r}; it has {', '.join(by_name)}"
            )
        if wanted in own:
            files.verify(own[wanted], by_name[wanted])
            return own[wanted]
        return files.get(by_name[wanted], folder=registry.dataset_folder(card))

    bound: Task = code(spec, file=file, **({} if data is None else {"folder": data}))
    return bound
