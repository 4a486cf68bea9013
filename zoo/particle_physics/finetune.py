"""Which models of particle physics learn from jets of one's own (`zoo train --from`), and how:
taggers, with a new last layer (`tagging.finetune`)."""

from zoo.particle_physics.tagging.finetune import ARCHITECTURES, adapt

__all__ = ["ARCHITECTURES", "adapt"]
