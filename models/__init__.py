"""What is learnt from consented features: churn and next purchase, and how good they are."""
