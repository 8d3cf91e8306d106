"""Judging on data that training never saw: trials, baselines, intervals and pictures."""
