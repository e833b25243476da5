"""Everything Quipu says to people, in six languages, for every face.

Importing it makes the text of every `QuipuError` an English sentence.
"""

from assistant.errors import QuipuError
from ui.words.words import LANGUAGES, Words, english, native, nearest

__all__ = ["LANGUAGES", "Words", "native", "nearest"]

QuipuError.sentence = english
