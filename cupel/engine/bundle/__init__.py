"""Several tasks about one document in one request, where a certificate says that this agrees with single ones.

Off unless a run asks for it. Every task's walk of a document asks the very same request: the first one sends it, the others find
it in flight or in the run log, and each takes out its own record and its share of the bill. What is not in the reply is asked alone.
"""

from cupel.engine.bundle.ask import BundledPrompt, ask_bundled, bundled_prompt
from cupel.engine.bundle.certificate import (
    BundleCertificate,
    TaskAgreement,
    bundle_path,
    read_bundle_certificate,
)
from cupel.engine.bundle.terms import Bundle
