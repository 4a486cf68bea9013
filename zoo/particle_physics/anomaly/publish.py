"""Turns finished runs of `particle_physics/anomaly` into pretrained models with cards.

    python -m zoo.particle_physics.anomaly.publish RUNS_FOLDER

where RUNS_FOLDER holds what `zoo.particle_physics.anomaly.train --out RUNS_FOLDER` leaves:
`<name>.seed<k>.safetensors` and `<name>.json`. The weight files of a card are trainings of
one method, scored one by one; the row is the median of their scores.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from zoo.pretrained.publish import publish_runs

CWOLA = "https://arxiv.org/abs/1902.02634"
SIMULATED = (
    "Simulated with Pythia 8 alone: no detector, no pile-up. Never to be compared with results on "
    "the LHC Olympics data."
)
QCD = "particle_physics/anomaly:train (QCD)"
SIGNAL = "particle_physics/anomaly:train (W', Z')"
EXPERIMENTS = "Each seed is an experiment of its own: other folds, other first weights"
SILENT = (
    "A search whose networks are not better than nothing by two standard errors on what they left "
    "out cuts at random."
)

ABOUT: dict[str, dict[str, Any]] = {
    "jet_autoencoder.qcd": {
        "title": "Autoencoder of QCD jets",
        "summary": "Unsupervised: six numbers of a jet through a bottleneck of two, trained on QCD jets alone; the score is the squared "
        "error of both jets.",
        "class": "jet_autoencoder:JetAutoencoder",
        "predictor": "load_autoencoder",
        "track": "unsupervised",
        "data": [QCD],
        "paper": "https://arxiv.org/abs/1808.08992",
        "chosen_on": "the step: reproduction error on a fifth of the QCD events; no signal, no test event",
        "caveats": ["Trained on pure QCD, which data do not offer."],
    },
    "event_classifier.cwola": {
        "title": "CWoLa: signal region against side bands",
        "summary": "Weakly supervised: five folds of small networks tell the signal region from its side bands in unlabelled data with "
        "injected signal; one mixture per signal.",
        "class": "event_classifier:EventClassifier",
        "predictor": "load_classifier",
        "track": "weakly_supervised",
        "data": [QCD, SIGNAL],
        "paper": CWOLA,
        "chosen_on": (
            "the step: cross-entropy of region against side bands on the fold left out; no label, "
            "no test event"
        ),
        "caveats": [
            "{injected} Which events were injected is read by nobody.",
            f"{EXPERIMENTS}, another draw of signal events on the same background.",
            SILENT,
            (
                "Scored on a test file that no network has seen, not on the data searched, so "
                "that all methods meet the same events."
            ),
        ],
    },
    "event_classifier.cwola_zero": {
        "title": "CWoLa without any signal",
        "summary": (
            "The check: the same procedure on data without signal must not find one. Its "
            "enrichment should be compatible with 1."
        ),
        "class": "event_classifier:EventClassifier",
        "predictor": "load_classifier",
        "track": "weakly_supervised",
        "data": [QCD],
        "paper": CWOLA,
        "chosen_on": (
            "the step: cross-entropy of region against side bands on the fold left out; no label, "
            "no test event"
        ),
        "caveats": [
            (
                f"{EXPERIMENTS}, on the same background: what they learn of its fluctuations they "
                "learn together."
            ),
            SILENT,
        ],
    },
    "event_classifier.supervised": {
        "title": "Supervised bound",
        "summary": (
            "The same networks on the same features with the labels told, one per signal: how far "
            "any search could come with them."
        ),
        "class": "event_classifier:EventClassifier",
        "predictor": "load_classifier",
        "track": "supervised",
        "data": [QCD, SIGNAL],
        "paper": "https://arxiv.org/abs/2101.08320",
        "chosen_on": "the step: cross-entropy of signal against QCD on the fold left out; no test event",
        "caveats": ["No search: it knows the signal."],
    },
}


def main(runs: str) -> None:
    """Publishes every tag that has a finished run."""
    publish_runs(Path(runs), Path(__file__).parents[1] / "weights", ABOUT, card)


def card(name: str, about: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The card's content, read from the run."""
    module, _, architecture = about["class"].partition(":")
    counts = facts["events"]
    read = ", ".join(
        f"{counts[process]:,} {process} events"
        for process in (counts if SIGNAL in about["data"] else ["qcd"])
    )
    injected = f"S/B = {100 * facts['fraction']:g} % in the signal region."
    return {
        "id": f"particle_physics/{name}",
        "title": about["title"],
        "summary": about["summary"],
        "architecture": f"zoo.particle_physics.models.{module}:{architecture}",
        "predictor": f"zoo.particle_physics.anomaly.predict:{about['predictor']}",
        "config": facts["config"],
        "tasks": ["particle_physics/anomaly"],
        "track": about["track"],
        "licence": "Apache-2.0",
        "paper": about["paper"],
        "ensemble": True,
        "truth": "simulated",
        "training": {
            "command": (
                f"python -m zoo.particle_physics.anomaly.train {name} --seeds "
                f"{' '.join(map(str, facts['seeds']))}"
            ),
            "data": about["data"],
            "chosen_on": about["chosen_on"],
            "hardware": "one CPU core shared with other work",
            "wall_seconds": round(facts["wall_seconds"], 1),
            "steps": facts["steps"],
            "validation": {key: round(value, 3) for key, value in facts["validation"].items()},
        },
        "caveats": [
            *(each.format(injected=injected) for each in about["caveats"]),
            f"Read {read} of the training split.",
            SIMULATED,
        ],
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
