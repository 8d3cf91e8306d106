"""Buy-till-you-die models of how customers order until they are gone."""
