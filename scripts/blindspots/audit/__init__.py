"""The first-order audit of an NLI dataset against a reference: one module a question, findings with intervals."""
