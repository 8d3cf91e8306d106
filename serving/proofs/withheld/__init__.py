"""Withheld data has no influence: worlds that differ in nothing but withheld data look the same in
every outcome.
"""
