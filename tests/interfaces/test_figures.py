"""What is no picture is refused."""

from __future__ import annotations

import pydantic
import pytest
from board_pictures import curve, grid, histograms, images, sequences

from zoo.interfaces.figures import FigureFile


@pytest.mark.parametrize(
    ("make", "changes", "said"),
    [
        (curve, {"y": [1, 2]}, "equally long"),
        (curve, {"low": [0, 1, 1]}, "logarithmic axis"),
        (curve, {"reference_x": [1]}, "reference has 1 x and 3 y"),
        (curve, {"y": [1, 2, float("nan")]}, "finite"),
        (grid, {"values": [[1, 0]]}, "2 rows of 2"),
        (grid, {"values": [[1, 0], [0, 1.5]]}, "less than or equal to 1"),
        (histograms, {"edges": [0, 10]}, "1 values a series"),
        (histograms, {"edges": [0, 25, 10]}, "rising"),
        (images, {"panels": [{"label": "a", "rows": ["003"]}]}, "digit above 2"),
        (images, {"panels": [{"label": "a", "rows": ["00", "0"]}]}, "unequal length"),
        (images, {"levels": [0.1, 0.01]}, "levels must rise"),
        (images, {"extent": (0, 1, 0, 1)}, "either `reach` or `extent`"),
        (images, {"reach": None}, "either `reach` or `extent`"),
        (images, {"reach": None, "extent": (0, 1, 1, 0)}, "left, right, bottom, top and rises"),
        (images, {"x_ticks": [{"at": 0.6, "label": "out"}]}, "outside the picture: out"),
        (
            histograms,
            {"log_y": True, "series": [{"label": "a", "values": [0, 0]}]},
            "logarithmic axis",
        ),
        (
            sequences,
            {
                "rows": [
                    {
                        "label": "a",
                        "letters": "ACGT",
                        "spans": [{"start": 2, "stop": 5, "name": "x"}],
                    }
                ]
            },
            "within its 4 letters",
        ),
        (
            sequences,
            {
                "rows": [
                    {
                        "label": "a",
                        "letters": "ACGT",
                        "spans": [{"start": 2, "stop": 2, "name": "x"}],
                    }
                ]
            },
            "must rise",
        ),
        (sequences, {"rows": [{"label": "a", "letters": "AC<b>"}]}, "pattern"),
    ],
)
def test_what_is_no_picture_is_refused(make, changes, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        make(**changes)


def test_two_pictures_of_one_name_are_refused():
    with pytest.raises(pydantic.ValidationError, match="same name"):
        FigureFile(schema_version=1, dataset="a/b", made_from={}, figure=[grid(), grid()])
