"""The demo corpus and the tiny base model: the whole experiment without a download.

Sentences come from a small grammar with a meaning (`grammar`, `meaning`), so that logic decides a pair's label.
Nothing here stands for English or for MNLI; it only has their shape.
"""
