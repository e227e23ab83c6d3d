"""Which model a document goes to, what that costs, and what is promised about it.

A node needs `ThresholdCascade.decide(signals)` and `Prerouter.choose(text)`; `cupel calibrate` needs
`uniform_sample` and `certified_cascade` (which splits the labels, fits and certifies); reports need `RunRows`, `play`, `figures` and
`operating`. Further policies are in their modules: `cascade`, `automix`, `text`, `rankings`, `bandit`.
"""

from cupel.routing.cascade import Decision, ThresholdCascade
from cupel.routing.certified import Promise, certified_cascade
from cupel.routing.curves import Curve, curve
from cupel.routing.policy import Learner, Policy
from cupel.routing.replay import figures, operating, play
from cupel.routing.rows import RunRows
from cupel.routing.text import Prerouter, prerouter_from_json
from cupel.routing.threshold import Certificate, certify, split_for_certificate, uniform_sample

__all__ = [
    "Certificate",
    "Curve",
    "Decision",
    "Learner",
    "Policy",
    "Prerouter",
    "Promise",
    "RunRows",
    "ThresholdCascade",
    "certified_cascade",
    "certify",
    "curve",
    "figures",
    "operating",
    "play",
    "prerouter_from_json",
    "split_for_certificate",
    "uniform_sample",
]
