"""The generation task, its data, its baselines and its networks, on made-up jets."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo import registry
from zoo.particle_physics.generation import baselines
from zoo.particle_physics.generation import data as point_clouds
from zoo.particle_physics.generation import train as training_generation
from zoo.particle_physics.generation.data import CLASSES, PARTICLES, PointClouds, pack, unpack
from zoo.particle_physics.generation.metrics import relative_mass
from zoo.particle_physics.generation.predict import Conditions, JetGenerator, narrowed
from zoo.particle_physics.generation.task import SCORES, GenerationRequest, JetGeneration
from zoo.particle_physics.models.epic_flow import EpicFlow, EpicFlowConfig, sample
from zoo.particle_physics.models.epic_gan import EpicCritic, EpicGan, EpicGanConfig, jet_observables
from zoo.pretrained import weights
from zoo.scoring import record as storage
from zoo.scoring import stats

SMALL_FLOW = EpicFlowConfig(width=16, global_width=16, layers=2)
SMALL_GAN = EpicGanConfig(width=16, global_width=16, layers=2, critic_layers=1)


def made_up(n: int, seed: int) -> PointClouds:
    """`n` jets a class: a common axis that wanders (a correlation), steep momenta, a width
    of the class's own."""
    rng, parts = np.random.default_rng(seed), []
    for label in range(3):
        count = np.clip(rng.poisson(29 - 2 * label, n) + 3, 5, 30)
        mask = np.arange(PARTICLES) < count[:, None]
        axis = rng.normal(0, 0.05, (n, 1, 2))
        angles = axis + rng.standard_t(4, (n, PARTICLES, 2)) * 0.03 * (1 + label)
        momenta = -np.sort(-rng.dirichlet(np.full(PARTICLES, 0.7), n), axis=1) + 1e-4
        conditions = np.stack([rng.uniform(500, 1000, n), rng.gamma(4, 20, n), count], -1).astype(
            np.float32
        )
        codes = pack(np.concatenate([angles, momenta[..., None]], -1), mask)
        parts.append(
            PointClouds(codes, count.astype(np.uint8), np.full(n, label, np.int8), conditions)
        )
    return point_clouds.join(parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("generation")
    storage.write(
        path / "test.zarr.zip",
        made_up(300, 1).arrays("reference_") | made_up(200, 2).arrays("floor_"),
    )
    storage.write(path / "baselines.zarr.zip", baselines.fit(made_up(600, 3)))
    for name, n, seed in (("train", 300, 3), ("validation", 60, 4)):
        storage.write(path / f"{name}.zarr.zip", made_up(n, seed).arrays())
    return path


@pytest.fixture(scope="module")
def task(folder) -> JetGeneration:
    return JetGeneration(
        registry.task("particle_physics/jet_generation"), file=lambda name: folder / name
    )


@pytest.fixture(scope="module")
def scored(task):
    examples = task.examples()
    rows = {
        name: getattr(baselines, name)(task)
        for name in ("truth_sample", "gaussian_copula", "independent_particles")
    }
    records = {
        name: task.record(generate(examples.inputs), examples) for name, generate in rows.items()
    }
    return {name: (record, stats.scores(task, record)) for name, record in records.items()}


# --------------------------------------------------------------------------------------------- data


def test_packing_keeps_angles_and_momenta_far_below_a_detectors_resolution():
    rng = np.random.default_rng(0)
    particles = np.concatenate(
        [rng.normal(0, 0.2, (50, 30, 2)), 10 ** rng.uniform(-4, 0, (50, 30, 1))], -1
    ).astype(np.float32)
    mask = np.arange(30) < rng.integers(1, 31, 50)[:, None]
    back = unpack(pack(particles, mask), mask)
    assert np.abs(back - particles)[mask][:, :2].max() < 1.3e-4
    assert np.abs(back / particles - 1)[mask][:, 2].max() < 1.4e-3
    assert (back[~mask] == 0).all()
    np.testing.assert_array_equal(unpack(pack(back, mask), mask), back)


def write_root(
    path: Path, n: int, *, seed: int = 0, leave_out: str = "", counts: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """A file of the JetClass layout with jets near azimuth π, so that phi must be wrapped."""
    import awkward as ak
    import uproot

    rng = np.random.default_rng(seed)
    counts = rng.integers(20, 60, n) if counts is None else counts
    eta, phi = rng.normal(0, 0.8, n), np.where(rng.random(n) < 0.5, 3.13, -3.13)
    jet = np.repeat(np.arange(n), counts)
    pt = (
        np.concatenate([-np.sort(-rng.gamma(0.5, 20, count)) + 0.5 for count in counts])
        if n
        else np.zeros(0)
    )
    p_eta, p_phi = eta[jet] + rng.normal(0, 0.2, len(jet)), phi[jet] + rng.normal(0, 0.2, len(jet))
    px, py, pz = pt * np.cos(p_phi), pt * np.sin(p_phi), pt * np.sinh(p_eta)
    total = np.bincount(jet, pt, minlength=n)
    flat = {"part_px": px, "part_py": py, "part_pz": pz}
    columns = {name: ak.unflatten(value.astype(np.float32), counts) for name, value in flat.items()}
    columns |= {
        "jet_pt": total,
        "jet_eta": eta,
        "jet_phi": phi,
        "jet_energy": 1.01 * total * np.cosh(eta),
    }
    columns["jet_nparticles"] = counts.astype(float)
    columns.pop(leave_out, None)
    with uproot.recreate(path) as file:
        file.mktree(
            "tree",
            {name: "var * float32" if name.startswith("part") else "float64" for name in columns},
        )
        file["tree"].extend(columns)
    return {
        "counts": counts,
        "phi": p_phi - phi[jet],
        "eta": p_eta - eta[jet],
        "pt": pt / total[jet],
        "jet": jet,
    }


def test_a_root_file_becomes_point_clouds(tmp_path):
    truth = write_root(tmp_path / "gluon-0.root", 40)
    jets = point_clouds.read_root(tmp_path / "gluon-0.root", 0)
    np.testing.assert_array_equal(jets.count, np.minimum(truth["counts"], 30))
    for i in (0, 17, 39):
        mine = np.flatnonzero(truth["jet"] == i)[:30]
        expected = np.stack([truth["eta"][mine], truth["phi"][mine], truth["pt"][mine]], -1)
        np.testing.assert_allclose(jets.particles[i][: len(mine)], expected, atol=2e-4)
    assert (jets.conditions[:, 1] > 0).all() and jets.label.max() == 0


def test_samples_share_no_jet_and_names_of_files_say_the_class(tmp_path):
    for kind, name in zip(CLASSES, ("train-dijet_gluon", "quark", "train-Tbqq"), strict=True):
        for chunk in (10, 2):
            write_root(tmp_path / f"{name}-{chunk}.root", 300, seed=chunk + CLASSES.index(kind))
    files = point_clouds.find([tmp_path], "gluon")
    assert [path.name for path in files] == [
        "train-dijet_gluon-2.root",
        "train-dijet_gluon-10.root",
    ]
    parts = point_clouds.split(files, 0, sizes=(150, 100, 50))
    assert [len(parts[name]) for name in ("reference", "floor", "train", "validation")] == [
        150,
        100,
        249,
        50,
    ]
    seen = [tuple(jet.ravel()) for part in parts.values() for jet in part.codes]
    assert len(seen) == len(set(seen))
    sizes = point_clouds.write_products([tmp_path], tmp_path / "out", sizes=(150, 100, 50))
    assert sizes == {"reference": 450, "floor": 300, "train": 747, "validation": 150}
    first = (tmp_path / "out/test.zarr.zip").read_bytes()
    point_clouds.write_products([tmp_path], tmp_path / "again", sizes=(150, 100, 50))
    assert (tmp_path / "again/test.zarr.zip").read_bytes() == first


def test_bad_files_are_refused_by_name(tmp_path):
    import uproot

    write_root(tmp_path / "quark-0.root", 20, leave_out="jet_energy")
    with pytest.raises(ValueError, match="lacks the branches jet_energy"):
        point_clouds.read_root(tmp_path / "quark-0.root", 1)
    write_root(tmp_path / "quark-1.root", 3, counts=np.array([25, 0, 25]))
    with pytest.raises(ValueError, match="1 of them without a particle"):
        point_clouds.read_root(tmp_path / "quark-1.root", 1)
    with uproot.recreate(tmp_path / "quark-2.root") as file:
        file.mktree("jets", {"x": "float32"})
    with pytest.raises(ValueError, match="no tree 'tree'"):
        point_clouds.read_root(tmp_path / "quark-2.root", 1)
    with pytest.raises(FileNotFoundError, match="no files of top jets"):
        point_clouds.find([tmp_path], "top")
    with pytest.raises(ValueError, match="one file for the test"):
        point_clouds.split([tmp_path / "quark-0.root"], 1)


# --------------------------------------------------------------------------------------------- task


def test_the_truth_scores_best_and_correlations_help(scored):
    truth, copula, independent = (
        scored[name][1] for name in ("truth_sample", "gaussian_copula", "independent_particles")
    )
    for kind in CLASSES:
        for score in ("w1_mass", "fpd", "kpd", "auc"):
            assert truth[f"{score}.{kind}"] < independent[f"{score}.{kind}"], (score, kind)
        assert truth[f"auc.{kind}"] < copula[f"auc.{kind}"]
        assert copula[f"w1_mass.{kind}"] < independent[f"w1_mass.{kind}"]


def test_a_score_is_the_mean_of_its_record_over_the_class(scored):
    record, values = scored["gaussian_copula"]
    assert set(values) == {f"{name}.{kind}" for name in SCORES for kind in CLASSES}
    for name in SCORES:
        assert values[f"{name}.top"] == pytest.approx(
            record[name][record["label"] == 2].mean(dtype=np.float64), rel=1e-9
        )


def test_a_stored_record_gives_the_same_scores(task, scored, tmp_path):
    record, values = scored["gaussian_copula"]
    storage.write(tmp_path / "record.zarr.zip", record)
    again = stats.scores(task, storage.read(tmp_path / "record.zarr.zip"))
    assert again == pytest.approx(values, rel=1e-12)


def test_a_jet_is_named_by_class_and_number(task):
    ids = task.examples().ids
    assert len(ids) == len(set(ids)) == 600 and ids[0] == "gluon-00000" and ids[-1] == "top-00199"


def test_the_order_of_particles_is_invisible(task, scored):
    examples = task.examples()
    floor = task.floor
    order = np.random.default_rng(0).permutation(PARTICLES)
    turned = {"particles": floor.particles[:, order], "mask": floor.mask[:, order]}
    values = stats.scores(task, task.record(turned, examples))
    assert values == pytest.approx(scored["truth_sample"][1], rel=1e-4, abs=1e-4)


def wrong(name, value):
    particles, mask = np.full((600, 30, 3), 0.1, np.float32), np.ones((600, 30), bool)
    predictions = {"particles": particles, "mask": mask}
    if callable(value):
        value(predictions[name])
        return predictions
    return predictions | {name: value}


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"particles": np.zeros((600, 30, 3))}, "no 'mask'"),
        (wrong("particles", np.zeros((600, 20, 3))), r"needed is \(600, 30, 3\)"),
        (wrong("mask", np.ones((600, 30))), "needed is bool"),
        (
            wrong("mask", lambda mask: mask.__setitem__(5, False)),
            "1 generated jets have no particle; the first is number 5",
        ),
        (
            wrong("particles", lambda p: p.__setitem__((3, 2, 1), np.nan)),
            "1 generated particles are not finite",
        ),
        (wrong("particles", lambda p: p.__setitem__((3, 2, 2), 0.0)), "no positive ptrel"),
    ],
)
def test_bad_predictions_are_refused(task, predictions, message):
    with pytest.raises(ValueError, match=message):
        task.record(predictions, task.examples())


def test_the_truth_has_no_jets_for_another_request(task):
    with pytest.raises(ValueError, match="own examples"):
        baselines.truth_sample(task)(GenerationRequest(np.zeros(5, np.int8)))


def test_baselines_repeat_themselves_by_seed(task):
    generate = baselines.gaussian_copula(task)
    label = np.repeat(np.arange(3), 20).astype(np.int8)
    first, again, other = (generate(GenerationRequest(label, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["particles"], again["particles"])
    assert not np.array_equal(first["particles"], other["particles"])


# ----------------------------------------------------------------------------------------- networks


def standard(n: int) -> tuple[jax.Array, jax.Array]:
    """Centre and scale of stretched particles, `[jet, 3]`, about as those of the shipped sets."""
    return jnp.tile(jnp.array([0.0, 0.1, -4.0]), (n, 1)), jnp.tile(
        jnp.array([2.0, 2.0, 1.2]), (n, 1)
    )


def network(name: str):
    """(function of particle-wise input, told, mask), width of that input."""
    if name == "flow":
        model = drawn(lambda: EpicFlow(SMALL_FLOW, rngs=nnx.Rngs(0)))
        return jax.jit(lambda x, c, mask: model(x, jnp.full(len(x), 0.3), c, mask)), 3
    if name == "critic":
        model = drawn(lambda: EpicCritic(SMALL_GAN, rngs=nnx.Rngs(0)))
        return jax.jit(
            lambda x, c, mask: model(
                x, c, mask, jet_observables(training_generation.relaxed(x, *standard(len(x))), mask)
            )
        ), 3
    model = drawn(lambda: EpicGan(SMALL_GAN, rngs=nnx.Rngs(0)))
    return jax.jit(
        lambda x, c, mask: model(
            x, jnp.ones((len(x), SMALL_GAN.global_noise)), c, mask, *standard(len(x))
        )
    ), SMALL_GAN.local_noise


@pytest.mark.parametrize("name", ["flow", "gan", "critic"])
def test_networks_commute_with_permutations_and_do_not_see_padding(name):
    call, width = network(name)
    rng = np.random.default_rng(1)
    x, c = (
        jnp.asarray(rng.normal(size=(4, PARTICLES, width)), jnp.float32),
        jnp.asarray(rng.normal(size=(4, 7)), jnp.float32),
    )
    mask = jnp.asarray(np.arange(PARTICLES) < np.array([30, 12, 5, 1])[:, None])
    out = call(x, c, mask)
    order = rng.permutation(PARTICLES)
    turned = call(x[:, order], c, mask[:, order])
    np.testing.assert_allclose(turned, out if name == "critic" else out[:, order], atol=1e-5)
    np.testing.assert_allclose(call(jnp.where(mask[..., None], x, 50.0), c, mask), out, atol=1e-5)
    assert float(jnp.abs(call(x + 0.5, c, mask) - out).max()) > 1e-3
    assert float(jnp.abs(call(x, c + 0.5, mask) - out).max()) > 1e-3
    if name != "critic":
        assert (np.asarray(out)[~np.asarray(mask)] == 0).all()


def test_a_flow_of_constant_velocity_moves_noise_by_it():
    class Constant(nnx.Module):
        def __call__(self, x, time, conditions, mask):
            return jnp.ones_like(x) * mask[..., None]

    mask = jnp.asarray(np.arange(PARTICLES) < np.array([30, 4])[:, None])
    moved = sample(Constant(), jnp.zeros((2, PARTICLES, 3)), jnp.zeros((2, 7)), mask, steps=3)
    np.testing.assert_allclose(moved, np.where(mask[..., None], 1.0, 0.0) * np.ones(3), atol=1e-6)


@pytest.mark.parametrize("name", ["epic_flow.dijets", "epic_gan.dijets"])
def test_training_runs_and_its_weights_give_the_same_jets_again(name, folder, tmp_path):
    config = SMALL_FLOW if "flow" in name else SMALL_GAN
    recipe = dataclasses.replace(
        training_generation.RECIPES[name], config=config, steps=6, batch_size=16, midpoint_steps=2
    )
    lines = list(training_generation.run(name, recipe, data=folder, seeds=[0], out=tmp_path))
    assert "on validation" in lines[0]
    parameters, transforms, _ = weights.load(tmp_path / f"{name}.seed0.safetensors")
    conditions = Conditions.from_arrays(transforms)
    fresh = drawn(lambda: (EpicFlow if "flow" in name else EpicGan)(config, rngs=nnx.Rngs(7)))
    model = JetGenerator(weights.restore(fresh, parameters), conditions, steps=2)
    request = GenerationRequest(np.array([2, 0, 1, 1], np.int8), 5)
    first, again, other = (
        model(request),
        model(request),
        model(dataclasses.replace(request, seed=6)),
    )
    np.testing.assert_array_equal(first["particles"], again["particles"])
    assert not np.array_equal(first["particles"], other["particles"])
    assert first["particles"].shape == (4, 30, 3) and np.isfinite(first["particles"]).all()
    assert (first["particles"][first["mask"]][:, 2] > 0).all() and (
        first["particles"][~first["mask"]] == 0
    ).all()
    assert np.isfinite(model.example_output(0)).all() and model.flops_per_example() > 1e4


def test_no_particle_leaves_the_cone_and_momentum_is_conserved_whatever_the_weights():
    model = EpicGan(SMALL_GAN, rngs=nnx.Rngs(0))
    rng, n = np.random.default_rng(3), 60
    mask = np.arange(PARTICLES) < np.where(np.arange(n) % 2, 30, rng.integers(7, 30, n))[:, None]
    noise = (
        rng.normal(size=(n, PARTICLES, SMALL_GAN.local_noise)),
        rng.normal(size=(n, SMALL_GAN.global_noise)),
    )
    centre, scale = standard(n)
    inner = np.asarray(model.leave.kernel[...])

    def made(factor):
        model.leave.kernel[...] = jnp.asarray(factor * inner)
        x = model(
            *(jnp.asarray(each, jnp.float32) for each in noise),
            jnp.zeros((n, 7)),
            jnp.asarray(mask),
            centre,
            scale,
        )
        particles = baselines.relax(np.asarray(x * scale[:, None] + centre[:, None]))
        return particles, np.sum(particles[..., 2] * np.cos(particles[..., 1]) * mask, axis=1)

    for factor in (0.1, 1.0, 300.0):
        particles, along = made(factor)
        assert along.max() < 1.001
        # With wild weights one particle may need more than the jet's whole momentum, where
        # `relax` cuts it.
        assert np.mean(np.abs(along[~mask.all(1)] - 1.0) < 1e-3) > (0.9 if factor > 1.0 else 0.999)
    assert (
        0.8 * SMALL_GAN.max_angle
        < np.abs(particles[mask][:, :2]).max()
        < 1.001 * SMALL_GAN.max_angle
    )
    # Thirty soft particles are a part of a jet: they are not blown up to the whole of it.
    assert made(0.1)[1][mask.all(1)].max() < 0.9


def test_a_jet_is_narrowed_until_it_is_no_heavier_than_its_whole():
    jets = made_up(50, 6)
    particles, mask = jets.particles, jets.mask
    mass = relative_mass(particles, mask)
    heaviest = np.where(np.arange(len(jets)) % 2, 0.7, 1.4) * mass
    out = narrowed(particles, mask, heaviest)
    np.testing.assert_array_equal(out[::2], particles[::2])
    np.testing.assert_allclose(relative_mass(out, mask)[1::2], heaviest[1::2], rtol=0.02)
    np.testing.assert_array_equal(out[..., 2], particles[..., 2])


def test_the_critics_observables_are_those_of_physics():
    jets = made_up(50, 7)
    particles, mask = jets.particles.copy(), jets.mask
    particles[..., :2] *= 0.3
    shown = np.asarray(jet_observables(jnp.asarray(particles), jnp.asarray(mask)))
    pt = particles[..., 2] * mask
    np.testing.assert_allclose(np.exp(shown[:, 2]), pt.sum(1) + 1e-3, rtol=1e-4)
    np.testing.assert_allclose(
        shown[:, 0], (pt * particles[..., 0]).sum(1) / pt.sum(1) / 0.05, rtol=1e-3, atol=1e-4
    )
    expected = np.square(relative_mass(particles, mask) / pt.sum(1)) + 1e-5
    np.testing.assert_allclose(np.exp(2.0 * (shown[:, 3] - 2.5)), expected, rtol=0.03)
    order = np.random.default_rng(0).permutation(PARTICLES)
    turned = jet_observables(
        jnp.asarray(np.where(mask[..., None], particles, 9.0)[:, order]),
        jnp.asarray(mask[:, order]),
    )
    np.testing.assert_allclose(turned, shown, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def adversaries():
    """(graph, state, batch) of small networks."""
    rng = np.random.default_rng(0)
    centre, scale = standard(8)
    batch = {
        "x": jnp.asarray(rng.normal(size=(8, PARTICLES, 3)), jnp.float32),
        "c": jnp.zeros((8, 7)),
        "mask": jnp.ones((8, PARTICLES), bool),
        "centre": centre,
        "scale": scale,
    }
    return *nnx.split(
        drawn(lambda: training_generation.Adversaries(SMALL_GAN, rngs=nnx.Rngs(0)))
    ), batch


def gradient_of(name, adversaries):
    """Gradient of one of the GAN's losses by all parameters."""
    graph, state, batch = adversaries

    def loss(s):
        return training_generation.gan_loss(
            nnx.merge(graph, s), batch, jax.random.key(0), penalty=0.1
        )[1][name]

    return jax.jit(jax.grad(loss))(state)


def test_a_critics_gradient_does_not_reach_the_generator_nor_the_other_way_round(adversaries):
    for name, other in (("critic", "generator"), ("generator", "critic")):
        gradient = gradient_of(name, adversaries)
        own = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient[name]))
        assert jax.tree.leaves(gradient[other])
        assert own > 0 and all(
            float(jnp.abs(leaf).max()) == 0 for leaf in jax.tree.leaves(gradient[other])
        )


def test_the_generators_borrowed_slope_is_the_gradient_of_its_loss(adversaries):
    graph, state, batch = adversaries
    c, mask, standards = batch["c"], batch["mask"], (batch["centre"], batch["scale"])

    def direct(s):
        model = nnx.merge(graph, s)
        local_key, whole_key = jax.random.split(jax.random.key(0))
        local = jax.random.normal(local_key, (8, PARTICLES, SMALL_GAN.local_noise))
        fake = model.generator(
            local, jax.random.normal(whole_key, (8, SMALL_GAN.global_noise)), c, mask, *standards
        )

        def judged(x):
            return model.critic(
                x, c, mask, jet_observables(training_generation.relaxed(x, *standards), mask)
            )

        return jnp.mean(jax.nn.softplus(judged(batch["x"]) - judged(fake)))

    expected, found = (
        jax.jit(jax.grad(direct))(state)["generator"],
        gradient_of("generator", adversaries)["generator"],
    )
    for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-6)


def test_the_penalty_is_the_mean_square_slope_at_both_samples(adversaries):
    graph, state, batch = adversaries
    values = {}
    for penalty in (0.0, 0.1):
        total, parts = jax.jit(
            lambda state, penalty=penalty: training_generation.gan_loss(
                nnx.merge(graph, state), batch, jax.random.key(0), penalty=penalty
            )
        )(state)
        values[penalty] = float(total)
    assert float(parts["slope"]) > 0
    assert values[0.1] - values[0.0] == pytest.approx(0.1 * float(parts["slope"]), rel=1e-3)


def test_a_small_flow_learns_the_width_of_a_jet():
    jets = made_up(400, 3)
    chosen = {
        "steps": 150,
        "batch_size": 64,
        "learning_rate": 5e-3,
        "ema_decay": 0.98,
        "midpoint_steps": 5,
    }
    recipe = training_generation.GenerationRecipe(SMALL_FLOW, **chosen)
    model = training_generation.train(jets, recipe, seed=0)
    made = model(GenerationRequest(jets.label, 1))
    for label in range(3):
        mine = jets.label == label
        true = np.abs(jets.particles[mine][jets.mask[mine]][:, 0]).mean()
        ours = np.abs(made["particles"][mine][made["mask"][mine]][:, 0]).mean()
        assert ours == pytest.approx(true, rel=0.3)


def test_unknown_recipes_and_missing_data_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no recipe 'epic'; it has epic_flow\.dijets"):
        list(training_generation.recipe("epic", seed=0, data=tmp_path, out=tmp_path))
    with pytest.raises(ValueError, match="--data FOLDER"):
        list(training_generation.recipe("epic_gan.dijets", seed=0, data=None, out=tmp_path))


def test_samples_that_are_not_carried_need_a_folder(folder):
    assert len(point_clouds.load_dataset(split="validation", folder=folder)) == 180
    with pytest.raises(ValueError, match="not carried"):
        point_clouds.load_dataset(split="train")
    with pytest.raises(ValueError, match="'test' is not known"):
        point_clouds.load_dataset(split="test")
