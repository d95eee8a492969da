"""Metrics, baselines and the report: how good is a model on documents that it has not seen?"""
