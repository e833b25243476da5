# Read by CMake when llama-cpp-python is built: leaves out what Quipu does not use.

# Helpers of llama.cpp's own programs: half of the time that the build takes.
set(LLAMA_BUILD_COMMON OFF)

# Pictures and sound.
set(LLAVA_BUILD OFF)
