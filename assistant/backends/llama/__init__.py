"""GGUF models through llama.cpp's low-level calls. The only import of llama_cpp.

A prompt becomes tokens (`templates`, `encoding`), the `engine` prefills and decodes them in a
`context`, and prefixes are stored by `kv_cache`. `model` is all of it as a `ChatModel`.
"""
