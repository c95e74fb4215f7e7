"""Frozen values that every part of the project exchanges; they hold arrays and check shapes."""
