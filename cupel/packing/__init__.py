"""Several short documents in one request, where measured agreement with single requests allows it.

rows ── in the input's order ──→ packs ── one request each ──→ records ── each held against its own text
│
missing, twice, a neighbour's ───┴──→ the document is asked alone
"""

from cupel.packing.asking import packed_answer, packed_prompt
from cupel.packing.certificate import PackingCertificate, certificate_path, read_certificate
from cupel.packing.packs import Pack, Packing, PackTerms, Place, alone, arranged, current_place

__all__ = [
    "Pack",
    "PackTerms",
    "Packing",
    "PackingCertificate",
    "Place",
    "alone",
    "arranged",
    "certificate_path",
    "current_place",
    "packed_answer",
    "packed_prompt",
    "read_certificate",
]
