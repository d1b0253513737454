"""Tests of engine.imports.guess."""
