"""For tests, one's own too: scripted chat models, and a scripted provider on a loopback port.

Nothing here says anything about the quality of a model: the answers are made up.
"""

from cupel.testing.batches import BatchScript
from cupel.testing.faults import FAULTS
from cupel.testing.filling import fill
from cupel.testing.models import ScriptedChatModel, ScriptedRequest, ScriptExhaustedError, reply, scripted
from cupel.testing.provider import Counts, ScriptedProvider
from cupel.testing.replies import RawReply
