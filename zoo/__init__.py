"""One zoo of scientific deep-learning models in JAX, whose every published score anybody
can compute again.

The whole public API is here and lazy (`import zoo` loads neither JAX nor xarray):

    list_models, list_tasks, list_datasets    names, by wildcard
    load_model(name)                          weights, transforms, card and prediction; also by the
                                              path of a card of your own, or of its folder
    load_task(name), load_dataset(name)       a benchmark bound to its files; a dataset opened by
                                              its own loader
    bench(pattern)                            scores with intervals, as `zoo bench` prints them
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "bench",
    "list_datasets",
    "list_models",
    "list_tasks",
    "load_dataset",
    "load_model",
    "load_task",
]

_HOME = {
    "list_models": "zoo.registry",
    "list_tasks": "zoo.registry",
    "list_datasets": "zoo.registry",
    "load_task": "zoo.interfaces.task",
    "load_dataset": "zoo.registry",
    "load_model": "zoo.pretrained.model",
    "bench": "zoo.commands.bench.run",
}

if TYPE_CHECKING:
    from zoo.commands.bench.run import bench
    from zoo.interfaces.task import load_task
    from zoo.pretrained.model import load_model
    from zoo.registry import list_datasets, list_models, list_tasks, load_dataset


def __getattr__(name: str) -> object:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
