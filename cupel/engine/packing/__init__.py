"""Several short documents in one request, where measured agreement with single requests allows it.

rows ── in the input's order ──→ packs ── one request each ──→ records ── each held against its own text
│
missing, twice, a neighbour's ───┴──→ the document is asked alone
"""

from cupel.engine.packing.ask import ask_packed, packed_prompt, share
from cupel.engine.packing.certificate import PackingCertificate, certificate_path, read_certificate
from cupel.engine.packing.packs import Packing, PackTerms, Place, arrange
