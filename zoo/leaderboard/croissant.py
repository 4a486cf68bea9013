"""Datasets as Croissant 1.0 (JSON-LD of MLCommons), for search engines and loaders that
know it: exported from the cards, never typed.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import json
import mimetypes
from typing import Any

from zoo.cards import DatasetCard, FileCard

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
FORMATS = {
    ".nc": "application/netcdf",
    ".root": "application/x-root",
    ".parquet": "application/vnd.apache.parquet",
    ".npy": "application/x-npy",
}
SPDX = "https://spdx.org/licenses/"


def text(card: DatasetCard) -> str:
    """The card as Croissant JSON-LD: the same card gives the same bytes."""
    return json.dumps(metadata(card), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def metadata(card: DatasetCard) -> dict[str, Any]:
    """The card as Croissant metadata.

    Files are `FileObject`s with SHA-256 and size. What lies in the repository alone is
    named by its path in it. Record sets are left out: the fields of NetCDF, ROOT and Zarr
    files have more than one axis, which Croissant's tables cannot say.
    """
    described = [f"{card.summary.strip()} Truth: {card.truth}."]
    if card.caveats:
        described.append("Caveats: " + " ".join(card.caveats))
    described += [f"Split {name}: {meaning}" for name, meaning in card.splits.items()]
    content: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": card.id.replace("/", "-"),
        "alternateName": card.title,
        "description": "\n\n".join(described),
        "version": _version(card.version),
        "license": _licence(card.licence),
        "url": f"https://github.com/scizoo/scizoo/tree/main/datasets/{card.id}",
        "citeAs": " ; ".join(card.citation),
        "keywords": [card.id.split("/")[0].replace("_", " "), f"truth: {card.truth}"],
        "isLiveDataset": False,
        "distribution": [_file(card, file) for file in card.file],
    }
    if card.variables:
        content["variableMeasured"] = [
            f"{name}: {meaning}" for name, meaning in card.variables.items()
        ]
    return content


def _file(card: DatasetCard, file: FileCard) -> dict[str, Any]:
    suffix = file.name[file.name.rfind(".") :]
    kind = (
        "application/zip"
        if suffix == ".zip"
        else FORMATS.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    )
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "description": file.role,
        "contentUrl": file.urls[0] if file.urls else f"datasets/{card.id}/{file.path}",
        "contentSize": f"{file.bytes} B",
        "encodingFormat": kind,
        "sha256": file.sha256,
    }


def _version(version: str) -> str:
    """Croissant asks for MAJOR.MINOR.PATCH."""
    parts = version.split(".")
    return ".".join([*parts, "0", "0"][:3]) if all(part.isdecimal() for part in parts) else version


def _licence(licence: str) -> str:
    """The address of an SPDX licence; anything else as it is written."""
    plain = licence.strip()
    return f"{SPDX}{plain}.html" if plain and " " not in plain and "-" in plain else plain
