"""Which model a document goes to, what that costs, and what is promised about it.

A node needs `ThresholdCascade.decide(signals)` and `Prerouter.choose(text)`; `cupel calibrate` needs
`uniform_sample` and `certify_cascade` (which splits the labels, fits and certifies); reports need `RunRows`, `play`, `figures` and
`operating`. Further policies are in their modules: `cascade`, `automix`, `text`, `rankings`, `bandit`.
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.routing.confidence import Observed, Token, compute_signals, value_tokens

if TYPE_CHECKING:
    from cupel.routing.automix import AutoMixPOMDP, AutoMixThreshold
    from cupel.routing.certify import Promise, certify_cascade
    from cupel.routing.combined import SignalsAndText
    from cupel.routing.confidence import (
        Binding,
        Calibration,
        centred_isotonic,
        fit_calibration,
        fit_platt,
        logit,
        sigmoid,
    )
    from cupel.routing.curves import Curve
    from cupel.routing.folds import fold_of
    from cupel.routing.measures import average_gap_recovered, saving_at
    from cupel.routing.policy import Learner, Policy, signal_matrix
    from cupel.routing.rankings import MatrixFactorisation, SimilarityRanking
    from cupel.routing.replay import Played, baselines, bootstrap, curve_of, figures, operating, play
    from cupel.routing.rows import FloatArray, RunRows
    from cupel.routing.text_routers import (
        LogisticRouter,
        NeighbourRouter,
        Prerouter,
        best_threshold,
        prerouter_from_json,
    )
    from cupel.routing.threshold import RiskKind, uniform_sample
    from cupel.routing.threshold_cascade import CascadeLearner, SignalCascade, ThresholdCascade
else:
    __getattr__ = late(__name__)
