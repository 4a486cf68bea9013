"""`zoo mirror`: the files of tasks in a folder that another machine can use without a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo import files, registry
from zoo.cards import FileCard

Item = tuple[FileCard, Path]
"""(a file, the folder that may hold it already)"""


def files_of(patterns: Sequence[str] = ()) -> list[Item]:
    """The data files of tasks and the weights of the models that are benched on them.

    Args:
        patterns: tasks, domains or wildcards; none: all tasks.

    Raises:
        zoo.registry.UnknownName: no task matches.
    """
    from zoo.pretrained.model import model_files

    tasks = {name for pattern in patterns or ["*"] for name in registry.list_tasks(pattern)}
    if not tasks:
        near = registry.did_you_mean((patterns or [""])[0], registry.tasks())
        raise registry.UnknownName(f"no task matches {' '.join(patterns)!r}; {near}")
    datasets = [
        registry.dataset(name) for name in sorted({registry.task(task).dataset for task in tasks})
    ]
    data = [(file, registry.dataset_folder(card)) for card in datasets for file in card.file]
    weights = [
        (file, registry.path_of(name, "model").parent)
        for name, card in registry.models().items()
        if set(card.tasks) & tasks
        for file in model_files(card)
    ]
    return data + weights


def store(
    folder: Path, wanted: Iterable[Item], *, progress: files.Progress | None = None
) -> Iterator[Path]:
    """Puts files at `<folder>/<host>/<path>` of their first address, each copied from where
    it lies or fetched; gives the paths of those that were not there yet.

    Raises:
        zoo.files.FileMissing, zoo.files.FileAltered: a file cannot be had.
    """
    for file, beside in wanted:
        for url in file.urls[:1]:
            target = folder / files.under_host(url)
            if target.is_file() and files.sha256(target) == file.sha256:
                continue
            local = files.find(file, folder=beside)
            if local is None:
                files.fetch(url, file, progress=progress, target=target)
            else:
                files.copy(local, target)
            yield target
