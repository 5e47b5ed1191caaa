"""VibeVoice (arXiv:2508.19205): a language model with a next-token diffusion head, at 7.5 frames a second.

The weights are those of transformers' `VibeVoiceForConditionalGeneration`; the decode loop is our own.

`engine` implements the protocol. Its CPU stages need no torch: `text` (words to token IDs, IDs to embeddings)
reads the `checkpoint` alone. `device` runs the others: `model.speaker_encoder` (reference to speaker
embedding) and the scheduler of continuous batching in `decoding`, over the network in `model`. `layers` has
linear layers and norms, `kernels` our own compiled kernels, and `runtime` memory, threads and errors.
"""
