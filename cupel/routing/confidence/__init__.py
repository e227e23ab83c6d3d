"""Confidence in a record: signals, their calibration to a probability, and how good that is.

signals = compute_signals(Observed(record=..., schema_valid=True, ...), ["schema_valid", "agreement"])
calibration = fit_calibration(matrix, correct, names=[...], binding=Binding(task=..., ...))
calibration.probability(signals)
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.routing.confidence.signals import Observed, compute_signals
from cupel.routing.confidence.value_tokens import Token, value_tokens

if TYPE_CHECKING:
    from cupel.routing.confidence.calibration import Binding, Calibration, fit_calibration
    from cupel.routing.confidence.maps import centred_isotonic, fit_platt, logit, sigmoid
else:
    __getattr__ = late(__name__)
