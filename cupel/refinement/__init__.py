"""How prompts improve: the addendum for one document, and the gate for a task's rules.

Policies only: what a model returned comes in as data, a decision goes out. Nothing here calls a model.
"""
