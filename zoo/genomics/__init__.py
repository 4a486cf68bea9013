"""Genomics: DNA sequences, what is written in them, and which model explains itself.

`data` reads the field's files; `models` holds one architecture a file; `weights` the pretrained
models and their cards. Task families: `gue` (classes of short sequences, with the mouse sets'
leak), `motif_grammar` (planted motifs, and explanations that are marked right or wrong), `ecoli`
(masked bases and genes of one genome). Across them: `audit`, `explain`, `finetune`.
"""
