"""Damping never harms where it was fitted."""

from __future__ import annotations

from small_weather_models import small

from zoo.climate.held_suarez.validation import fit_damping, validation_scores


def test_the_damped_forecast_is_never_worse_than_the_plain_one_where_it_was_fitted(
    planet, transforms
):
    model = small("convnext", truncation=10)
    damped = fit_damping(model, transforms, planet)
    assert (
        damped.damping.shape == (10, 20) and damped.damping.min() >= 0 and damped.damping.max() <= 1
    )
    plain = validation_scores(model, damped, planet, every=4)
    shrunk = validation_scores(model, damped, planet, every=4, damped=True)
    errors = [name for name in plain if "rmse" in name]
    assert errors and all(shrunk[name] <= plain[name] + 1e-3 for name in errors)
