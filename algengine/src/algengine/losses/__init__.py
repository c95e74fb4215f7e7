"""Losses as plain functions of tensors; nothing here needs the framework."""
