"""Normalisation of written English: numbers, dates, addresses and the like in the words that are spoken."""
