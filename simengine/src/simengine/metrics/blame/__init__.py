"""Why a score is what it is: which sub-score lost points, when, against what, by which numbers.

`blames_of` answers for a batch that was scored already, `explain` for any state sequence and scene.
"""

from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.drive import Drive
from simengine.metrics.blame.explain import Explanation, explain
from simengine.metrics.blame.find import blames_of

__all__ = ["Blame", "Drive", "Explanation", "blames_of", "explain"]
