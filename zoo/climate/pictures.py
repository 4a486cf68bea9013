"""What states of the atmosphere and climate indices look like, as plain data
(`zoo.interfaces.figures`).

`zoo figures climate/held_suarez` draws them into files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.interfaces.figures import Image, Images, Lines, Mark, Tick

GRAVITY = 9.80665
"""m s-2: geopotential over it is geopotential height."""
HEIGHT_LEVELS = (4800, 4920, 5040, 5160, 5280, 5400, 5520, 5640, 5760)
"""m, of the 500 hPa surface of a dry planet."""
TEMPERATURE_LEVELS = (260, 265, 270, 275, 280, 285, 290, 295, 300)
"""K, at 850 hPa."""
LONGITUDES = tuple(Tick(at=at, label=f"{at}°E") for at in (0, 60, 120, 180, 240, 300))
LATITUDES = tuple(
    Tick(at=at, label=f"{abs(at)}°{'N' if at > 0 else 'S'}" if at else "0°")
    for at in (-60, -30, 0, 30, 60)
)


def globe(
    field: np.ndarray,
    longitude: np.ndarray,
    latitude: np.ndarray,
    levels: Sequence[float],
    *,
    name: str,
    title: str,
    caption: str,
    quantity: str,
    unit: str,
    label: str,
) -> Images:
    """A field on the sphere in plate carree projection, in bands: north at the top, each
    cell as wide as the grid's spacing.

    Args:
        field: `[longitude, latitude]`, finite.
        longitude: degrees east, rising evenly.
        latitude: degrees north, rising or falling evenly.
        levels: lower ends of the bands, rising, at most nine; what is below the first is
            left blank.
        name, title, caption: of the figure.
        quantity, unit: what is shown.
        label: of the map: what and when; its lowest and highest value are added.

    Raises:
        ValueError: the axes do not fit the field, or a value is not finite.
    """
    if field.shape != (len(longitude), len(latitude)):
        raise ValueError(
            f"a field of shape {field.shape} is none of {len(longitude)} longitudes and "
            f"{len(latitude)} latitudes"
        )
    if not np.isfinite(field).all():
        raise ValueError(f"{int((~np.isfinite(field)).sum())} values of {quantity} are not finite")
    order = np.argsort(-latitude)
    band = np.searchsorted(levels, field[:, order].T, side="right")
    half = float(longitude[1] - longitude[0]) / 2
    extent = (float(longitude[0]) - half, float(longitude[-1]) + half, -90.0, 90.0)
    return Images(
        name=name,
        title=title,
        caption=caption,
        x_label="longitude",
        y_label="latitude",
        level_label=f"{quantity} ({unit}), from",
        levels=list(levels),
        extent=extent,
        x_ticks=list(LONGITUDES),
        y_ticks=list(LATITUDES),
        panels=[
            Image(
                label=f"{label}: {field.min():.0f} to {field.max():.0f} {unit}",
                rows=["".join(map(str, line)) for line in band],
            )
        ],
    )


def index_series(
    months: np.ndarray,
    anomaly: np.ndarray,
    *,
    name: str,
    title: str,
    caption: str,
    y_label: str,
    zero: str,
) -> Lines:
    """A monthly index as a line over years, its highest and lowest value marked, with zero
    as reference.

    Args:
        months: `datetime64[M]` `[month]`; a value stands at the middle of its month.
        anomaly: `[month]`, finite.
        name, title, caption, y_label: of the figure.
        zero: what zero means.
    """
    year = np.round(months.astype("datetime64[M]").astype(np.int64) / 12 + 1970 + 0.5 / 12, 3)
    ticks = [
        Tick(at=float(at), label=str(at))
        for at in range(int(year[0]), int(year[-1]) + 1)
        if at % 4 == 0
    ]
    marks = [
        Mark(
            x=float(year[i]),
            y=round(float(anomaly[i]), 3),
            short=f"{months[i]}",
            text=f"{word}: {anomaly[i]:+.2f} in {months[i]}",
        )
        for word, i in (("highest", int(anomaly.argmax())), ("lowest", int(anomaly.argmin())))
    ]
    return Lines(
        name=name,
        title=title,
        caption=caption,
        x_label="year",
        y_label=y_label,
        x_ticks=ticks,
        x=year.tolist(),
        y=[round(float(value), 3) for value in anomaly],
        marks=marks,
        reference_label=zero,
        reference_x=[float(year[0]), float(year[-1])],
        reference_y=[0.0, 0.0],
    )
