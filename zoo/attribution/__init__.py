"""Attribution: which parts of an input a network's score depends on. Pure functions, for
every model of the zoo.

All take a differentiable `function(inputs [n, ...]) -> scores [n]` that treats examples
apart, and NumPy or JAX arrays; all return NumPy arrays. They are jitted (a function object
is compiled once for each method and batch size) and run in batches of `batch`, the last one
filled up, so any number of examples costs one compilation.

| method | what it answers | cost in calls |
|---|---|---|
| `saliency`, `gradient_x_input` | how the score changes with a small change | 1 gradient |
| `smooth_grad` | the same, averaged over noisy copies | samples |
| `integrated_gradients` | what a difference from a baseline is made of | baselines x steps |
| `in_silico_mutagenesis` | what each other letter in each place would do | 3 x positions |
| `occlusion` | what is lost when a region is blotted out | regions |
| `surrogate` | a linear model of random maskings; says how well that fits | samples |

`gradients` holds the first four, `perturbation` the others, `baselines` what the gradients
start from.

No attribution is true as such: compare methods, look at the completeness error and the
surrogate's R2, and see `genomics/motif_grammar` for how often each finds what was planted.
"""

from zoo.attribution.attention import Attends
from zoo.attribution.baselines import shuffles
from zoo.attribution.calls import Function, scores
from zoo.attribution.gradients import (
    Integrated,
    centred,
    gradient_x_input,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from zoo.attribution.perturbation import (
    Surrogate,
    in_silico_mutagenesis,
    l2_of_mutations,
    occlusion,
    patches,
    surrogate,
    windows,
)

__all__ = [
    "Attends",
    "Function",
    "Integrated",
    "Surrogate",
    "centred",
    "gradient_x_input",
    "in_silico_mutagenesis",
    "integrated_gradients",
    "l2_of_mutations",
    "occlusion",
    "patches",
    "saliency",
    "scores",
    "shuffles",
    "smooth_grad",
    "surrogate",
    "windows",
]
