"""The verbs of the command line, one room or file each: what `zoo audit`, `bench`,
`explain`, `train --from`, `verify` ... do."""
