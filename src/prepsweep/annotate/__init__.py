"""Stages that give rows their labels: rules, crowds, models; and what tells how far such labels can be trusted."""
