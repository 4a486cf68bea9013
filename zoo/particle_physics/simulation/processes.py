"""What Pythia is asked for: one `Process` per class of jets, as its settings and the rule
by which a jet belongs to the class.

The ten JetClass classes follow the recipe of Qu, Li & Qian (arXiv:2202.03772, appendix A)
without detector and pile-up: 13 TeV, jets of R = 0.8 whose decay quarks all lie within 0.8
of the jet axis. The quark/gluon pair follows Komiske, Metodiev & Thaler (arXiv:1810.05165):
Z(nunu) + jet at 14 TeV, R = 0.4. The dijet events follow the LHC Olympics
(arXiv:2101.08320): R = 1.0.
"""

from __future__ import annotations

import dataclasses

QUARKS = (1, 2, 3, 4, 5)
_INVISIBLE_Z = ("23:onMode=off", "23:onIfAny=12 14 16", "WeakZ0:gmZmode=2")
_Z_RECOIL = ("WeakBosonAndParton:qqbar2gmZg=on", "WeakBosonAndParton:qg2gmZq=on")
_TOPS = ("Top:gg2ttbar=on", "Top:qqbar2ttbar=on", "24:onMode=off")
_HIGGS = ("HiggsSM:ffbar2HZ=on", *_INVISIBLE_Z, "25:onMode=off")
_HARD = ("PhaseSpace:pTHatMin=450", "PhaseSpace:pTHatMax=1100")


@dataclasses.dataclass(frozen=True)
class Selection:
    """The jets that are kept.

    Attributes:
        radius: R of the anti-kT algorithm.
        pt: least and greatest transverse momentum, GeV.
        eta: greatest |pseudorapidity| of the jet; rapidity where `rapidity` is set.
        rapidity: see `eta`.
    """

    radius: float = 0.8
    pt: tuple[float, float] = (500.0, 1000.0)
    eta: float = 2.0
    rapidity: bool = False


@dataclasses.dataclass(frozen=True)
class Process:
    """One class of jets.

    Attributes:
        settings: Pythia's strings. Several variants share the jets of a file evenly.
        resonance: PDG number whose decay products must all lie in the jet; 0 keeps every
            selected jet.
        products: how many visible products that is.
        energy: of the collision, GeV.
        selection: of the jets.
    """

    settings: tuple[tuple[str, ...], ...]
    resonance: int = 0
    products: int = 0
    energy: float = 13000.0
    selection: Selection = Selection()


def _one(*settings: str) -> tuple[tuple[str, ...], ...]:
    return (settings,)


_KMT = Selection(radius=0.4, pt=(500.0, 550.0), eta=1.7, rapidity=True)
_KMT_HARD = ("PhaseSpace:pTHatMin=480", "PhaseSpace:pTHatMax=650")
_QUARK_LIST = " ".join(map(str, QUARKS))
_HQQL = (*_HIGGS, "25:onIfMatch=24 -24", "24:onMode=off", *_HARD)

PROCESSES: dict[str, Process] = {
    "QCD": Process(_one(*_Z_RECOIL, *_INVISIBLE_Z, *_HARD)),
    "Hbb": Process(_one(*_HIGGS, "25:onIfMatch=5 -5", *_HARD), 25, 2),
    "Hcc": Process(_one(*_HIGGS, "25:onIfMatch=4 -4", *_HARD), 25, 2),
    "Hgg": Process(_one(*_HIGGS, "25:onIfMatch=21 21", *_HARD), 25, 2),
    "H4q": Process(
        _one(*_HIGGS, "25:onIfMatch=24 -24", "24:onMode=off", f"24:onIfAny={_QUARK_LIST}", *_HARD),
        25,
        4,
    ),
    # One W to quarks and the other to a lepton; both charges, half of the jets each.
    "Hqql": Process(
        (
            (*_HQQL, f"24:onPosIfAny={_QUARK_LIST}", "24:onNegIfAny=11 13"),
            (*_HQQL, f"24:onNegIfAny={_QUARK_LIST}", "24:onPosIfAny=11 13"),
        ),
        25,
        3,
    ),
    "Zqq": Process(
        _one(*_Z_RECOIL, "WeakZ0:gmZmode=2", "23:onMode=off", f"23:onIfAny={_QUARK_LIST}", *_HARD),
        23,
        2,
    ),
    "Wqq": Process(
        _one(
            "WeakBosonAndParton:qqbar2Wg=on",
            "WeakBosonAndParton:qg2Wq=on",
            "24:onMode=off",
            f"24:onIfAny={_QUARK_LIST}",
            *_HARD,
        ),
        24,
        2,
    ),
    "Tbqq": Process(_one(*_TOPS, f"24:onIfAny={_QUARK_LIST}", *_HARD), 6, 3),
    "Tbl": Process(_one(*_TOPS, "24:onIfAny=11 13", *_HARD), 6, 2),
    "gluon": Process(
        _one("WeakBosonAndParton:qqbar2gmZg=on", *_INVISIBLE_Z, *_KMT_HARD),
        energy=14000.0,
        selection=_KMT,
    ),
    "quark": Process(
        _one("WeakBosonAndParton:qg2gmZq=on", *_INVISIBLE_Z, *_KMT_HARD),
        energy=14000.0,
        selection=_KMT,
    ),
    "dijet_gluon": Process(_one("HardQCD:gg2gg=on", *_HARD)),
    "dijet_quark": Process(_one("HardQCD:qq2qq=on", *_HARD)),
}
"""Every class of jets by name: JetClass's ten; Komiske-Metodiev-Thaler's `gluon` and
`quark`; dijets of `jet_generation`."""

MPI_OFF = "PartonLevel:MPI=off"
"""The shift of the columns "MPI off": no underlying event."""

_DIJET = Selection(radius=1.0, pt=(200.0, float("inf")), eta=2.5)
DIJETS: dict[str, Process] = {
    "qcd": Process(_one("HardQCD:all=on", "PhaseSpace:pTHatMin=1100"), selection=_DIJET),
    "wprime": Process(
        _one(
            "NewGaugeBoson:ffbar2Wprime=on",
            "Wprime:coup2WZ=1.0",
            "34:m0=3500",
            "34:onMode=off",
            "34:onIfMatch=23 24",
        ),
        selection=_DIJET,
    ),
    "zprime": Process(
        _one(
            "NewGaugeBoson:ffbar2gmZZprime=on",
            "Zprime:gmZmode=3",
            "32:m0=3500",
            "32:onMode=off",
            "32:onIfMatch=6 -6",
        ),
        selection=_DIJET,
    ),
}
"""Whole dijet events by name: background and the two resonances of `anomaly`. Bosons and
tops decay as nature has it."""

LEADING_PT = 1200.0
"""Least transverse momentum of the leading jet of a dijet event, GeV."""
