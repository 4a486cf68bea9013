"""Numbers and letters are written as in print; prose becomes nothing but prose."""

from __future__ import annotations

import synthetic_board as synthetic

from zoo.leaderboard import text


def test_long_runs_of_letters_are_written_as_a_range():
    assert text.groups("abc") == "abc"
    assert text.groups("abcd") == "a–d"
    assert text.groups("ayza1b1c1x5") == "a y–c1 x5"
    assert text.groups("-") == "-"


def test_numbers_are_written_as_in_print():
    assert text.number(-0.0412) == "−0.0412"
    assert text.number(1234.6) == "1235"
    assert text.number(None) == "–"
    assert text.interval((0.5, 0.75), 2) == "[0.50, 0.75]"
    assert text.count(301_234) == "301 k"
    assert text.count(999_999) == "1 M"
    assert text.milliseconds(1500.0) == "1.5 s"
    assert text.signed(0.5, 1) == "+0.5"
    assert [text.signed(value, 0) for value in (-0.2, 0.2, -1.0, 1.0)] == ["0", "0", "−1", "+1"]
    metric = synthetic.weather_spec().metric[0]
    assert [text.point(metric, f"a.{at}") for at in ("day5", "fpr_1e2", "tf_0")] == [
        "day 5",
        "FPR 1e−2",
        "tf 0",
    ]
    assert (
        text.unit(metric.model_copy(update={"unit": "1e-3"})) == "(×10⁻³)"
        and text.unit(metric) == "(m² s⁻²)"
    )
    assert text.number(-0.0004, 2) == "0.00" and text.number(-0.0004) == "−0.000400"


def test_prose_marks_up_code_links_and_lists_only():
    assert text.prose("a `b<c` d") == "<p>a <code>b&lt;c</code> d</p>"
    assert text.prose("- one\n  more\n- two") == "<ul><li>one more</li><li>two</li></ul>"
    assert (
        text.prose("see https://example.org/x.")
        == '<p>see <a href="https://example.org/x" rel="noreferrer">https://example.org/x</a>.</p>'
    )
    assert 'href="https://doi.org/10.1000/x"' in text.prose("doi:10.1000/x")
    assert text.prose("(doi:10.1000/x; doi:10.1000/y).").count("</a>") == 2
    assert ">doi:10.1000/y</a>).</p>" in text.prose("(doi:10.1000/x; doi:10.1000/y).")
    old = str(text.prose("doi:10.1175/1520-0442(2002)015<1609:AIISAS>2.0.CO;2 (OISSTv2)"))
    assert 'href="https://doi.org/10.1175/1520-0442(2002)015%3C1609:AIISAS%3E2.0.CO;2"' in old
    assert ">doi:10.1175/1520-0442(2002)015&lt;1609:AIISAS&gt;2.0.CO;2</a> (OISSTv2)" in old
    assert "<a" not in text.prose("javascript:alert(1) http://example.org")
    assert text.https('https://example.org/"onmouseover=alert(1)') is None
