"""The tagging benchmarks on the field's public sets: JetClass, the top-tagging landscape,
quarks and gluons of Komiske et al.

They are simulated, too, by others and with a detector or another generator. They are too
large to be fetched, so each reads a folder of the user's own
(`zoo bench particle_physics/jetclass --data DIR`). Scores and record are those of
`tagging`.
"""

from __future__ import annotations

import abc
import re
from pathlib import Path

import numpy as np

from zoo import files
from zoo.interfaces.task import Examples
from zoo.particle_physics.data.jets import LABELS, QUARK_GLUON_LABELS, Jets, concatenate
from zoo.particle_physics.tagging.samples import assemble, select
from zoo.particle_physics.tagging.task import BinaryTagging, JetTagging

JETCLASS_FILES = {
    "QCD": "ZJetsToNuNu",
    "Hbb": "HToBB",
    "Hcc": "HToCC",
    "Hgg": "HToGG",
    "H4q": "HToWW4Q",
    "Hqql": "HToWW2Q1L",
    "Zqq": "ZToQQ",
    "Wqq": "WToQQ",
    "Tbqq": "TTBar",
    "Tbl": "TTBarLep",
}
"""Class -> the process that begins its files' names, `<process>_<number>.root`."""


class JetClass(JetTagging):
    """The first `per_class` jets of the first test file of each class."""

    reads_folder = True
    classes = LABELS

    @property
    def per_class(self) -> int:
        """Jets that are scored of each class."""
        return self.spec.parameter("jets_per_class")

    def examples(self) -> Examples:
        """Jets class after class, in the files' order.

        Raises:
            zoo.files.FileMissing: the folder lacks a class's file; names every such class.
            ValueError: a file holds too few jets of its class.
        """
        from zoo.particle_physics.data.read import read_jets

        parts = []
        for name, path in self.paths().items():
            jets = read_jets(
                [path], max_particles=self.max_particles, classes=self.classes, stop=self.per_class
            )
            found = int((jets.label == self.classes.index(name)).sum())
            if found < self.per_class:
                raise ValueError(
                    f"{path} has {found} jets of class {name} among its first {self.per_class}; "
                    f"{self.spec.id} needs them all"
                )
            parts.append(jets)
        return assemble([select(concatenate(parts), self.classes)], [0])

    def paths(self) -> dict[str, Path]:
        """The file of each class: the lowest number in `test_20M`, or in the folder itself."""
        folder = required_folder(self.folder, self.spec.id)
        folder = folder / "test_20M" if (folder / "test_20M").is_dir() else folder
        found = {}
        for name, process in JETCLASS_FILES.items():
            numbered = [
                path
                for path in folder.glob(f"{process}_*.root")
                if re.fullmatch(rf"{process}_\d+", path.stem)
            ]
            if numbered:
                found[name] = min(numbered, key=lambda path: int(path.stem.rsplit("_", 1)[1]))
        if absent := [
            f"{name} ({process}_NNN.root)"
            for name, process in JETCLASS_FILES.items()
            if name not in found
        ]:
            raise files.FileMissing(
                f"{folder} lacks {len(absent)} of the 10 classes of JetClass: {', '.join(absent)}; "
                "unpack JetClass_Pythia_test_20M.tar there (https://zenodo.org/records/6619768)"
            )
        return found


class PublicPairs(BinaryTagging):
    """Two classes, all jets of the test files of a folder."""

    reads_folder = True
    patterns: tuple[str, ...] = ()
    """Names of test files, the first kind that is there is read."""
    archive = ""
    """Where the files come from."""

    def examples(self) -> Examples:
        """All test jets, in the files' order."""
        jets = select(self.read(self.paths()), self.classes)
        if not jets.mask.any(axis=1).all():
            empty = np.flatnonzero(~jets.mask.any(axis=1))
            raise ValueError(f"{len(empty)} jets have no particles, the first is number {empty[0]}")
        return assemble([jets], [0])

    @abc.abstractmethod
    def read(self, paths: list[Path]) -> Jets:
        """The jets of the test files."""

    def paths(self) -> list[Path]:
        """The test files of one kind, in the order of their numbers.

        Raises:
            zoo.files.FileMissing: there is none; names the patterns and the archive.
        """
        folder = required_folder(self.folder, self.spec.id)
        for pattern in self.patterns:
            if found := sorted(
                folder.glob(pattern),
                key=lambda path: [int(part) for part in re.findall(r"\d+", path.stem)],
            ):
                return found
        raise files.FileMissing(
            f"{folder} has no {' or '.join(self.patterns)}; unpack {self.archive} there"
        )


class TopLandscape(PublicPairs):
    """The 404,000 test jets of the top-tagging landscape."""

    classes = ("QCD", "Tbqq")
    patterns = ("test_file.parquet", "test.parquet", "test.h5")
    archive = (
        "TopLandscape.tar (https://hqu.web.cern.ch/datasets/TopLandscape/) or test.h5 of "
        "https://zenodo.org/records/2603256"
    )

    def read(self, paths: list[Path]) -> Jets:
        """Four-momenta, 128 a jet."""
        from zoo.particle_physics.data.public_sets import read_top_landscape

        return read_top_landscape(paths, max_particles=self.max_particles)


class QuarkGluonKMT(PublicPairs):
    """The 200,000 test jets of Komiske, Metodiev & Thaler as ParticleNet's authors split them."""

    classes = QUARK_GLUON_LABELS
    patterns = ("test_file_*.parquet", "test*.parquet")
    archive = "QuarkGluon.tar (https://hqu.web.cern.ch/datasets/QuarkGluon/)"

    def read(self, paths: list[Path]) -> Jets:
        """Four-momenta and particle types, 128 a jet."""
        from zoo.particle_physics.data.public_sets import read_quark_gluon

        return read_quark_gluon(paths, max_particles=self.max_particles)


def required_folder(folder: Path | None, task: str) -> Path:
    """The user's folder.

    Raises:
        zoo.files.FileMissing: none was named; says how.
    """
    if folder is None:
        raise files.FileMissing(f"{task} reads a folder of your own: `zoo bench {task} --data DIR`")
    return folder
