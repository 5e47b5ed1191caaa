"""Prompt, tokenizer and embedding table, without torch."""
