"""VibeVoice (arXiv:2508.19205): a language model that speaks by next-token diffusion, 7.5 frames a second.

The weights are those of transformers' `VibeVoiceForConditionalGeneration`; the loop over them is our own.

`engine` is the engine. Its CPU stages need no torch: `text` (words to ids, ids to vectors) reads the
`checkpoint` alone. The `device` stages are `model.speaker_encoder` (reference to embedding) and the scheduler
of slots in `decoding`, over the network in `model`. `layers` has its linear layers and norms, `kernels` those
compiled for the processor, `runtime` the memory, threads and errors around them.
"""
