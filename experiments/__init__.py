"""Trying things out honestly: training runs against baselines, in time order, and who becomes
champion.
"""
