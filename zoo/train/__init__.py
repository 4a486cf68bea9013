"""The training loop of every domain: `loop` (fit), `batches` (order of examples),
`checkpoints`, `devices`."""
