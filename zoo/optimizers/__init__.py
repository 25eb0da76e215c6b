"""Optimizers and schedules from a recipe's words, and fine-tuning."""
