"""VibeVoice (arXiv:2508.19205): a language model that speaks by next-token diffusion, 7.5 frames a second.

The weights are those of transformers' `VibeVoiceForConditionalGeneration`; the loop over them is our own.

`adapter` is the engine. Its CPU stages need no torch: `prompt` (words to ids) and `table` (ids to vectors)
read the `checkpoint` alone. The device stages are `speaker` (reference to embedding) and the `scheduler` of
slots over the `decoder`, whose parts are `language`, `diffusion`, `convolution` and `connector`.
"""
