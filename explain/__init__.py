"""Why a prediction is what it is: per feature, per category of data, and in words."""
