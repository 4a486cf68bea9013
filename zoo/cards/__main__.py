"""`python -m zoo.cards schemas [FOLDER]` writes the JSON Schemas."""

import sys
from pathlib import Path

from zoo.cards.reading import write_schemas

if __name__ == "__main__":
    if sys.argv[1:2] != ["schemas"]:
        sys.exit("usage: python -m zoo.cards schemas [FOLDER]")
    for path in write_schemas(Path(sys.argv[2] if len(sys.argv) > 2 else "schemas")):
        print(path)
