"""Gradient-boosted trees as data: their scores and their exact Shapley values, compiled."""
