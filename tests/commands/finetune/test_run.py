"""Transfer keeps its promises: honest splits, a probe that is the textbook's, features that
are the network's own, errors that help."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn
from tiny_networks import ABOUT, publish_without_probe, published

from zoo import files
from zoo.commands.finetune import run as transfer
from zoo.genomics.data.sequences import decode, reverse_complement
from zoo.pretrained import weights as storage
from zoo.pretrained.model import load_model


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """Tiny networks of each kind with random weights, published as any other model."""
    return published(tmp_path_factory.mktemp("sources"))


def planted(n: int, length: int = 40, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Random sequences of which every second holds TATAAAAGGC somewhere; (letters, 0 or 1)."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    letters = []
    for each in label:
        sequence = decode(rng.integers(0, 4, length).astype(np.int8))
        at = rng.integers(0, length - 10)
        letters.append(sequence[:at] + "TATAAAAGGC" + sequence[at + 10 :] if each else sequence)
    return letters, label


def write_table(path: Path, letters: list[str], label, **columns) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sequence", "label", *columns])
        writer.writerows(zip(letters, label, *columns.values(), strict=True))
    return path


def quiet(line: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def tuned(sources, tmp_path_factory):
    """A motif network fine-tuned on a table with copies of sequences on the other strand."""
    folder = tmp_path_factory.mktemp("tuned")
    letters, label = planted(120)
    table = write_table(
        folder / "My promoters.csv", letters, np.where(label == 1, "promoter", "other")
    )
    lines: list[str] = []
    result = transfer.fine_tune(
        sources["cnn.tiny"],
        table,
        out=folder / "out",
        epochs=8,
        seed=1,
        scratch=True,
        truth="simulated",
        learning_rate=3e-3,
        log=lines.append,
    )
    return result, table, lines


def test_the_result_is_a_model_like_any_other(tuned, tmp_path):
    from zoo.genomics.data import read_table
    from zoo.genomics.finetune import predict_file

    result, table, lines = tuned
    card = result.model.card
    assert (
        result.path.name == "cnn.my_promoters.toml"
        and (result.path.parent / "model.safetensors").is_file()
    )
    assert card.id == "genomics/cnn.my_promoters" and card.truth == "simulated" and card.tasks == []
    assert str(table.parent) not in result.path.read_text()
    again = load_model(result.path.parent)
    probe = again.predictor().example_output(card.expected.input_seed)
    chosen = probe[:: max(1, probe.size // 16)][:16]
    np.testing.assert_allclose(chosen, card.expected.values, atol=card.expected.tolerance)
    predict_file(again, table, tmp_path / "scores.csv")
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    tokens = read_table(table, label=None).tokens
    np.testing.assert_allclose(
        [float(row["probability_promoter"]) for row in rows],
        again(tokens)["probability"][:, 1],
        atol=1e-5,
    )
    assert {row["class"] for row in rows} <= {"promoter", "other"}
    assert any("majority class" in line and "gain in accuracy" in line for line in lines)


def test_an_interrupted_run_goes_on_and_ends_at_the_same_weights(sources, tuned, tmp_path):
    result, table, _ = tuned
    steps: list[int] = []

    def interrupt(line: str) -> None:
        if found := re.search(r"fine-tuned: step (\d+)", line):
            steps.append(int(found[1]))
            if len(steps) == 3:
                raise KeyboardInterrupt

    options = {
        "out": tmp_path / "out",
        "epochs": 8,
        "seed": 1,
        "scratch": True,
        "truth": "simulated",
        "learning_rate": 3e-3,
    }
    with pytest.raises(KeyboardInterrupt):
        transfer.fine_tune(sources["cnn.tiny"], table, log=interrupt, **options)
    assert not list((tmp_path / "out").glob("*.toml"))
    again = transfer.fine_tune(sources["cnn.tiny"], table, log=interrupt, **options)
    assert steps[3] == steps[2], (
        "two of five parts were checkpointed; the third comes again, the first does not"
    )
    assert again.model.card.weights[0].sha256 == result.model.card.weights[0].sha256
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "cnn.my_promoters.toml",
        "model.safetensors",
    ]


def test_scores_stand_beside_the_majority_class_and_the_scratch_network(tuned):
    result, *_ = tuned
    assert list(result.scores) == ["majority class", "linear probe", "fine-tuned", "from scratch"]
    assert result.scores["majority class"] == pytest.approx(
        {"accuracy": 0.5, "mcc": 0.0, "cross_entropy": np.log(2), "auroc": 0.5}
    )
    assert (
        result.scores["fine-tuned"]["cross_entropy"]
        != result.scores["from scratch"]["cross_entropy"]
    )
    assert result.model.card.training.validation["accuracy_majority_class"] == 0.5


def test_only_networks_that_read_sequences_this_long_are_chosen(tuned):
    assert tuned[0].model.card.predictor_config["network"] in ("placed", "long")


def test_altered_weights_are_refused(tuned, tmp_path):
    import shutil

    folder = shutil.copytree(tuned[0].path.parent, tmp_path / "copy")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(files.FileAltered, match="altered"):
        load_model(folder)


def test_a_probe_leaves_the_features_alone_and_can_be_tuned_again(sources, tmp_path):
    from zoo.genomics.finetune import backbones

    letters, label = planted(60)
    table = write_table(tmp_path / "table.csv", letters, label)
    result = transfer.fine_tune(
        sources["sequence_encoder.tiny"],
        table,
        out=tmp_path / "out",
        probe=True,
        name="motif",
        log=quiet,
    )
    assert (
        list(result.scores) == ["majority class", "linear probe"]
        and result.path.name == "sequence_encoder.motif.toml"
    )
    before = backbones(load_model(sources["sequence_encoder.tiny"]))[""].parameters
    after = storage.load(result.path.parent / "model.safetensors")[0]
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    second = transfer.fine_tune(result.path, table, out=tmp_path / "again", probe=True, log=quiet)
    np.testing.assert_allclose(
        second.scores["linear probe"]["accuracy"], result.scores["linear probe"]["accuracy"]
    )


def test_copies_and_groups_stay_on_one_side(sources, tmp_path):
    from zoo.genomics.data import read_table
    from zoo.genomics.finetune import adapt

    letters, label = planted(40)
    other = [
        decode(reverse_complement(row))
        for row in read_table(write_table(tmp_path / "a.csv", letters, label), label=None).tokens
    ]
    table = write_table(tmp_path / "both.csv", letters + other, np.tile(label, 2))
    options = {"validation": None, "label": None, "group": None, "network": None, "seed": 0}
    task = adapt(load_model(sources["cnn.tiny"]), table, **options)
    np.testing.assert_array_equal(task.groups[:40], task.groups[40:])
    assert len(np.unique(task.groups)) == 40
    chromosome = [f"chr{number % 5}" for number in range(40)]
    table = write_table(
        tmp_path / "grouped.csv",
        letters + other,
        np.tile(label, 2),
        group=chromosome + chromosome[::-1],
    )
    task = adapt(load_model(sources["cnn.tiny"]), table, **options)
    # Copies join chr0 with chr4 and chr1 with chr3: three groups are left of five.
    assert len(np.unique(task.groups)) == 3
    with pytest.raises(ValueError, match=r"no column 'chrom'.*sequence, label, group"):
        adapt(load_model(sources["cnn.tiny"]), table, **options | {"group": "chrom"})


def test_what_validates_is_taken_out_of_training(sources, tmp_path):
    letters, label = planted(60)
    train = write_table(tmp_path / "train.csv", letters[:50], label[:50])
    held = write_table(tmp_path / "held.csv", letters[40:], label[40:])
    lines: list[str] = []
    options = {"validation": held, "probe": True, "network": "long", "log": lines.append}
    result = transfer.fine_tune(sources["cnn.tiny"], train, out=tmp_path / "out", **options)
    assert any("10 training sequences left out" in line for line in lines)
    assert any(line.startswith("40 to train on; validated on 20") for line in lines)
    assert result.model.card.predictor_config["network"] == "long"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": np.zeros(30, int)}, "every label is '0'"),
        ({"columns": "letters,label"}, "no column 'sequence'.*letters, label"),
        ({"columns": "sequence,kind"}, "no column 'label'.*sequence, kind"),
        ({"rows": 8}, "too few sequences: 0 4, 1 4"),
        ({"length": 60}, "longest sequence has 60 bases, genomics/cnn.tiny reads at most 48"),
        ({"label": ["nan", *["0", "1"] * 15][:30]}, "has no label"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(sources, tmp_path, change, message):
    letters, label = planted(change.get("rows", 30), change.get("length", 40))
    table = write_table(tmp_path / "table.csv", letters, change.get("label", label))
    if "columns" in change:
        table.write_text(table.read_text().replace("sequence,label", change["columns"]))
    with pytest.raises(ValueError, match=message):
        transfer.fine_tune(sources["cnn.tiny"], table, out=tmp_path / "out", probe=True, log=quiet)
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_do_it_are_refused_by_name(sources, tmp_path):
    letters, label = planted(20)
    table = write_table(tmp_path / "table.csv", letters, label)
    with pytest.raises(
        ValueError,
        match=r"particle_physics and reads .root, .parquet; table.csv looks like data of genomics",
    ):
        transfer.fine_tune(
            "particle_physics/pfn.top_tagging", table, out=tmp_path / "out", log=quiet
        )
    with pytest.raises(
        ValueError,
        match=r"SeasonalInverse\) cannot be fine-tuned"
        r".*climate/convnext.held_suarez.*climate/enso_mlp.core",
    ):
        transfer.fine_tune("climate/seasonal_inverse.modes", table, out=tmp_path / "out", log=quiet)
    with pytest.raises(
        ValueError, match=r"JetAutoencoder\) cannot be fine-tuned.*particle_physics/pfn.top_tagging"
    ):
        transfer.fine_tune(
            "particle_physics/jet_autoencoder.qcd", table, out=tmp_path / "out", log=quiet
        )
    with pytest.raises(FileNotFoundError, match=r"absent.csv does not exist"):
        transfer.fine_tune(
            sources["cnn.tiny"], tmp_path / "absent.csv", out=tmp_path / "out", log=quiet
        )
    with pytest.raises(ValueError, match="no network 'tf_0'; it has short, placed, long"):
        transfer.fine_tune(
            sources["cnn.tiny"], table, out=tmp_path / "out", network="tf_0", log=quiet
        )
    with pytest.raises(FileExistsError, match="holds a model already"):
        transfer.fine_tune(sources["cnn.tiny"], table, out=sources["cnn.tiny"].parent, log=quiet)
    with pytest.raises(ValueError, match="truth 'real' is none of observed"):
        transfer.fine_tune(
            sources["cnn.tiny"], table, out=tmp_path / "out", truth="real", log=quiet
        )
    with pytest.raises(ValueError, match="epochs=0 must be above zero"):
        transfer.fine_tune(sources["cnn.tiny"], table, out=tmp_path / "out", epochs=0, log=quiet)


@pytest.mark.slow
def test_a_tagger_learns_new_classes(tmp_path):
    import jet_files

    from zoo.particle_physics.finetune import adapt
    from zoo.particle_physics.tagging.predict import predict_file

    content = jet_files.make(60, labels=("pion", "tau", "other"), seed=3)
    content |= {
        "kind": np.where(np.asarray(content["label_pion"]), 4, 7).astype(np.int32),
        "event": (np.arange(60) // 2).astype(np.int64),
    }
    path = jet_files.write(tmp_path / "my jets.root", content)
    source = load_model("particle_physics/pfn.top_tagging")
    options = {"validation": None, "label": None, "group": None, "network": None, "seed": 0}
    task = adapt(source, path, **options)
    assert task.classes == ("pion", "tau", "other")
    np.testing.assert_array_equal(task.label == 1, np.asarray(content["label_tau"]))
    # Its own last layer on the features gives its own logits.
    old = source.module()
    batch = {name: jnp.asarray(value) for name, value in task.inputs.items()}
    expected = jax.jit(lambda batch: task.logits(old, batch, None))(batch)
    found = jax.jit(lambda batch: task.features(nnx.clone(old), batch))(batch)
    np.testing.assert_allclose(
        found @ old.head.kernel[...] + old.head.bias[...], expected, atol=1e-4
    )

    name = "particle_physics/pfn.top_tagging"
    result = transfer.fine_tune(
        name, path, out=tmp_path / "out", label="kind", group="event", steps=2, log=quiet
    )
    assert (
        result.model.card.predictor_config["classes"] == ["4", "7"]
        and result.path.name == "pfn.my_jets.toml"
    )
    predict_file(load_model(result.path), path, tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text().splitlines()[0] == "score_4,score_7"

    with pytest.raises(ValueError, match="lacks 1 of the branches: flavour"):
        adapt(source, path, **options | {"label": "flavour"})
    with pytest.raises(ValueError, match=r"branch jet_pt holds .* no whole number"):
        adapt(source, path, **options | {"label": "jet_pt"})
    del content["label_pion"], content["label_tau"], content["label_other"]
    with pytest.raises(ValueError, match=r"no branches label_<class>.*--label BRANCH.*kind"):
        adapt(source, jet_files.write(tmp_path / "unlabelled.root", content), **options)
    single = jet_files.make(30, labels=("pion", "tau"), only="tau")
    with pytest.raises(ValueError, match="one class only"):
        transfer.fine_tune(
            name, jet_files.write(tmp_path / "one.root", single), out=tmp_path / "o", log=quiet
        )


def enso_file(path: Path, months: int = 240, seed: int = 0, **changes) -> Path:
    """Red noise with an annual cycle under the names of the core indices."""
    import xarray as xr

    rng = np.random.default_rng(seed)
    x = np.zeros((months, 4))
    for t in range(1, months):
        x[t] = 0.9 * x[t - 1] + 0.4 * rng.normal(size=4)
    time = (np.datetime64("1990-01", "M") + np.arange(months)).astype("datetime64[ns]")
    x = x * [1, 1, 8, 9] + np.sin(2 * np.pi * np.arange(months) / 12)[:, None]
    dataset = xr.Dataset(
        {name: ("time", x[:, i]) for i, name in enumerate(("Nino34", "Nino3", "Hm", "Hw"))},
        {"time": time},
    )
    changes.get("change", lambda each: None)(dataset)
    dataset.drop_vars(changes.get("drop", [])).to_netcdf(path, engine="h5netcdf")
    return path


def test_the_enso_ensemble_goes_on_with_other_months(tmp_path):
    import xarray as xr

    from zoo.climate.enso.predict import predict_file as predict_indices

    path = enso_file(tmp_path / "indices.nc")
    result = transfer.fine_tune(
        "climate/enso_mlp.core", path, out=tmp_path / "out", steps=3, log=quiet
    )
    assert list(result.scores) == ["climatology", "damped persistence", "pretrained", "fine-tuned"]
    base = storage.load(result.path.parent / "model.safetensors")[1]["base"]
    with xr.open_dataset(path) as opened:
        # The annual cycle is that of the training months: 240 - 48 that validate - 11 of the gap.
        first = opened["Nino34"].values[:181]
    np.testing.assert_allclose(base[:, 0], [first[month::12].mean() for month in range(12)])
    predict_indices(load_model(result.path), path, tmp_path / "forecast.csv")
    rows = list(csv.DictReader((tmp_path / "forecast.csv").read_text().splitlines()))
    assert [row["centre"] for row in rows][:2] == ["2010-02", "2010-03"] and all(
        float(row["std"]) > 0 for row in rows
    )

    def forget(dataset):
        dataset["Hm"][17] = np.nan

    for options, message in (
        ({"change": forget}, "1 missing values, first of Hm in 1991-06"),
        ({"drop": ["Hw"]}, r"lacks Hw; needed are Nino34.*it has"),
        ({"months": 60}, "60 months; 120 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            transfer.fine_tune(
                "climate/enso_mlp.core",
                enso_file(tmp_path / "bad.nc", **options),
                out=tmp_path / "o",
                log=quiet,
            )
    with pytest.raises(ValueError, match="no linear probe"):
        transfer.fine_tune("climate/enso_mlp.core", path, out=tmp_path / "o", probe=True, log=quiet)
    with pytest.raises(ValueError, match="label='kind' means nothing"):
        transfer.fine_tune(
            "climate/enso_mlp.core", path, out=tmp_path / "o", label="kind", log=quiet
        )


@pytest.fixture(scope="module")
def weather(tmp_path_factory) -> tuple[Path, Path]:
    """A tiny ConvNeXt's card, and daily states of a wave that travels eastward."""
    import xarray as xr

    from zoo.climate.held_suarez.data import LEVELS, UNITS, VARIABLES
    from zoo.climate.models.convnext import Config, ConvNeXt
    from zoo.climate.models.layers.spherical import Grid

    folder, grid, rng = tmp_path_factory.mktemp("weather"), Grid(), np.random.default_rng(0)
    times = np.datetime64("2001-01-01", "ns") + np.arange(40) * np.timedelta64(24, "h")
    longitude, latitude = np.deg2rad(grid.longitude), np.deg2rad(grid.latitude)
    fields = {}
    for number, name in enumerate(VARIABLES):
        size, middle = ((900.0, 5e4), (8.0, 260.0), (9.0, 10.0), (9.0, 0.0))[number]
        phase = (
            2 * longitude[None, None, :, None] - 0.7 * np.arange(40)[:, None, None, None] - number
        )
        wave = (
            np.cos(phase)
            * np.cos(latitude) ** 2
            * np.linspace(0.5, 1, len(LEVELS))[None, :, None, None]
        )
        noise = rng.normal(size=(40, 1, 1, 1))
        fields[name] = (
            ("time", "level", "longitude", "latitude"),
            middle + size * (wave + 0.1 * noise),
            {"units": UNITS[name]},
        )
    coords = {
        "time": times,
        "level": list(LEVELS),
        "longitude": grid.longitude,
        "latitude": grid.latitude,
    }
    states = xr.Dataset(fields, coords)
    states.to_netcdf(folder / "states.nc", engine="h5netcdf")
    values = np.stack(
        [states[name].mean(("time", "longitude", "latitude")).values for name in VARIABLES]
    ).ravel()
    scale = np.repeat([900.0, 8.0, 9.0, 9.0], len(LEVELS))
    transforms = {
        "mean": values,
        "scale": scale,
        "increment": 0.5 * scale,
        "climatology": np.tile(values, (32, 1)),
        "anomaly": np.tile(scale, (1, 1))[0],
        "damping": np.ones((1, 20)),
    }
    config = {"width": 8, "depth": 1, "expansion": 2, "kernel": 3}
    model = drawn(lambda: ConvNeXt(Config(**config), rngs=nnx.Rngs(0)))
    storage.save(folder / "tiny.safetensors", model, transforms=transforms)
    content = ABOUT | {
        "id": "climate/convnext.tiny",
        "architecture": "zoo.climate.models.convnext:ConvNeXt",
        "config": config,
        "predictor": "zoo.climate.held_suarez.predict:WeatherModel",
        "predict_file": "zoo.climate.held_suarez.predict:predict_file",
        "predictor_config": {"damped": False},
    }
    return publish_without_probe(folder, content, folder / "tiny.safetensors"), folder / "states.nc"


def test_a_weather_model_goes_on_with_other_states(weather, tmp_path):
    import xarray as xr

    card, states = weather
    lines: list[str] = []
    result = transfer.fine_tune(card, states, out=tmp_path / "out", steps=2, log=lines.append)
    assert list(result.scores) == ["persistence", "pretrained", "fine-tuned"]
    with xr.open_dataset(states) as opened:
        t850 = (
            opened["temperature"]
            .sel(level=850)
            .transpose("time", "longitude", "latitude")
            .values[-9:]
        )
    weights = storage.load(result.path.parent / "model.safetensors")[1]
    assert (weights["damping"] == 1).all() and lines
    assert not any("another climate" in line for line in lines)
    # Independent: the last fifth of 39 pairs are eight, area-weighted by the cosine of
    # latitude's integral.
    from zoo.climate.data.grid import area_weights
    from zoo.climate.models.layers.spherical import Grid

    error = (np.square(np.diff(t850, axis=0)) * area_weights(Grid().latitude)).mean()
    assert result.scores["persistence"]["t850_rmse"] == pytest.approx(np.sqrt(error), rel=1e-4)
    from zoo.climate.held_suarez.predict import predict_file

    predict_file(load_model(result.path), states, tmp_path / "forecast.nc", days=1)
    with xr.open_dataset(tmp_path / "forecast.nc") as forecast:
        assert forecast.sizes["lead_time"] == 1 and forecast.sizes["init_time"] == 40


def test_the_weather_probe_learns_the_last_layer_alone(weather, tmp_path):
    from zoo.climate.held_suarez.finetune import features

    card, states = weather
    result = transfer.fine_tune(card, states, out=tmp_path / "out", probe=True, log=quiet)
    before, after = (
        storage.load(card.parent / "tiny.safetensors")[0],
        storage.load(result.path.parent / "model.safetensors")[0],
    )
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {
        "patches.head",
        "patches.head_bias",
    }
    # A travelling wave is linear in its own phase: the last layer alone beats persistence
    # and the random layer.
    assert (
        result.scores["linear probe"]["squared_error"]
        < 0.5 * result.scores["pretrained"]["squared_error"]
    )
    # Features through the last layer are the network's output, but for the projection on
    # its harmonics.
    model = load_model(card).module()
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 64, 32, 20)), jnp.float32)
    from zoo.climate.models.layers.spherical import truncate

    y = (features(model, x) @ model.patches.head[...] + model.patches.head_bias[...]).reshape(
        1, 32, 16, 2, 2, 20
    )
    y = truncate(y.transpose(0, 1, 3, 2, 4, 5).reshape(1, 64, 32, 20), model.patches.grid, winds=10)
    np.testing.assert_allclose(y, model(x)[0], atol=1e-4)


def test_states_that_are_no_states_are_refused(weather, tmp_path):
    import xarray as xr

    card, states = weather
    with xr.open_dataset(states) as opened:
        data = opened.load()
    hole = data.copy(deep=True)
    hole["temperature"][3, 1, 5, 7] = np.nan
    late = data.assign_coords(time=data["time"].values[0] + np.arange(40) * np.timedelta64(36, "h"))
    for each, message in (
        (hole, "temperature has 1 missing or infinite values"),
        (data.isel(time=slice(5)), "5 times; 20 or more"),
        (data.drop_vars("temperature"), "no variable 'temperature'"),
        (late, "no two of its times lie 24 h apart"),
    ):
        each.to_netcdf(tmp_path / "bad.nc", engine="h5netcdf")
        with pytest.raises(ValueError, match=message):
            transfer.fine_tune(card, tmp_path / "bad.nc", out=tmp_path / "out", log=quiet)
    warm = data.assign(temperature=data["temperature"] + 400.0)
    warm.to_netcdf(tmp_path / "warm.nc", engine="h5netcdf")
    lines: list[str] = []
    result = transfer.fine_tune(
        card, tmp_path / "warm.nc", out=tmp_path / "out", probe=True, log=lines.append
    )
    assert "another climate" in lines[0] and "temperature at 200 hPa" in lines[0]
    assert storage.load(result.path.parent / "model.safetensors")[1]["mean"][5] == pytest.approx(
        660.0, abs=1.0
    )
