"""What is in a data set before anything is done to it: facts first (`facts_of`), then how they read and look."""

from prepsweep.profile.facts import facts_of
from prepsweep.profile.trials import suggestions_from, tried

__all__ = ["facts_of", "suggestions_from", "tried"]
