"""What captum says of the network of `test_attribution.ported`: prints the values that the test stores.

    python tests/captum_values.py          needs torch and captum beside this package (a development environment of its own)
"""

from __future__ import annotations

import pprint

import captum.attr as captum
import numpy as np
import torch
from test_attribution import ported


class Local(torch.nn.Module):
    """CNN-local in torch, from the parameters of the JAX network, by hand."""

    def __init__(self, model):
        super().__init__()

        def of(value):
            return torch.tensor(np.asarray(value[...]).copy())

        self.kernels = [of(layer.conv.kernel).permute(2, 1, 0) for layer in model.layers]
        self.norms = [(of(layer.norm.scale), of(layer.norm.bias)) for layer in model.layers]
        self.hidden, self.norm = of(model.hidden.kernel), (of(model.norm.scale), of(model.norm.bias))
        self.out = of(model.out.kernel), of(model.out.bias)

    def forward(self, x):
        """Logits `[n]` of one-hot `[n, position, 4]`."""
        x = x.transpose(1, 2)
        for number, (kernel, (scale, bias), pool) in enumerate(zip(self.kernels, self.norms, (50, 2), strict=True)):
            x = torch.nn.functional.conv1d(x, kernel, padding="same") * scale[:, None] + bias[:, None]
            x = torch.nn.functional.softplus(x) if number == 0 else torch.relu(x)
            x = torch.nn.functional.max_pool1d(x, pool)
        x = x.transpose(1, 2).flatten(1) @ self.hidden
        return (torch.relu(x * self.norm[0] + self.norm[1]) @ self.out[0] + self.out[1])[:, 0]


def main() -> None:
    """Prints the dictionary."""
    jax_model, inputs = ported()
    model, x = Local(jax_model), torch.tensor(inputs)
    baseline = torch.full_like(x, 0.25)
    found = {
        "score": model(x),
        "saliency": captum.Saliency(model).attribute(x.clone().requires_grad_(), abs=False),
        "gradient_x_input": captum.InputXGradient(model).attribute(x.clone().requires_grad_()),
        "integrated_gradients": captum.IntegratedGradients(model).attribute(x, baseline, n_steps=50, method="gausslegendre"),
        "occlusion": captum.Occlusion(model).attribute(x, (10, 4), strides=(10, 4), baselines=0.25)[:, ::10, 0],
    }
    values = {name: value.detach().numpy().ravel() for name, value in found.items()}
    picked = {name: [float(f"{v:.6g}") for v in value[:: 97 if value.size > 100 else 1]] for name, value in values.items()}
    pprint.pp(picked, width=138, compact=True)


if __name__ == "__main__":
    main()
