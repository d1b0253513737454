"""Tests of engine.imports.shape."""
