"""Files joined from runs of audio that were encoded before."""
