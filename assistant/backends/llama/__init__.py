"""GGUF models through llama.cpp's low-level calls. The only import of llama_cpp.

weights.py    a model file: what it says of itself, its tokens
context.py    what a model reads and writes, and the cells of its KV cache
cells.py      those cells as arrays
templates.py  the chat template, apart into template and content
measuring.py  how fast a model is on this machine, and which settings suit it
model.py      all of it as a `ChatModel`
"""
