"""From per-example records to scores with intervals, and what running them cost and where."""
