"""A few sentences into another language, checked to be in it. Knows no answers and no reports."""

from typing import Final

from assistant.backends.base import ChatModel, Generation, Prompt, collect
from assistant.generation.prompts import translation_messages
from assistant.languages import detection
from assistant.streams import IsCancelled, never

GROWTH: Final = 3  # tokens of a translation for each of the text, at most
MORE_TOKENS: Final = 40  # added for short texts


class Translator:
    """Has a model translate."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def translate(
        self, text: str, language: str, *, cancelled: IsCancelled = never
    ) -> tuple[str, Generation]:
        """Return the text in the language, as one line, and the cost of the call.

        The text comes back unchanged when the model does not write in the language.

        Raises:
            ModelError, Cancelled.
        """
        prompt = Prompt.of(translation_messages(text, language))
        limit = GROWTH * self._model.count(text) + MORE_TOKENS
        written, cost = collect(self._model.stream(prompt, limit_tokens=limit, cancelled=cancelled))
        translated = " ".join(written.split())
        failed = detection.strays(translated, language, {detection.identify(text)})
        return (text if failed or not translated else translated), cost
