"""Masking by the server itself: its own rights keep sensitive columns from a listener's role.

reading    what the server has: the role, its memberships, tables, who may what
planning   from that to statements, each with what undoes it
applying   in one transaction: shown (and taken back), applied, or undone
inventory  the ways that are left by which the role could still reach a sensitive column
"""
