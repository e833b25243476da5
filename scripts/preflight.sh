#!/bin/sh
# Looks for what must be there before anything is installed, and says how to get what is not.
# usage: preflight.sh PYTHON

python=${1:-python3}
failed=0

say() {
    failed=1
    printf '%s\n  Debian, Ubuntu: %s\n  Fedora:         %s\n  macOS:          %s\n' "$1" "$2" "$3" "$4" >&2
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    say "Quipu needs Python 3.11 or later, and '$python' is none (try: make PYTHON=python3.12)." \
        "sudo apt-get install python3 python3-venv" "sudo dnf install python3" "brew install python@3.12"

"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    say "Quipu needs Python's venv module." \
        "sudo apt-get install python3-venv" "sudo dnf install python3" "brew install python@3.12"

command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
    say "Quipu needs a C++ compiler to build llama.cpp." \
        "sudo apt-get install build-essential" "sudo dnf install gcc-c++" "xcode-select --install"

exit $failed
