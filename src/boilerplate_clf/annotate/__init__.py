"""Labelling whole data sets: inputs of many kinds, parts that are written once, engines."""
