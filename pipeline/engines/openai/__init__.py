"""Any server of the `/v1/audio/speech` convention as an engine.

`server` has the settings, `client` the requests with their retries and bounds, `answers` sorts what is no
audio, `audio` decodes what is, and `traffic` limits the requests of a process.
"""
