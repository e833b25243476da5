"""A few sentences into another language, held to it. Knows neither answers nor summaries."""

from typing import Final

from assistant.backends.base import ChatModel, Generation
from assistant.generation.prompts import translation_messages
from assistant.languages import detection
from assistant.streams import IsCancelled, never

GROWTH: Final = 3  # tokens of a translation for each of the text, at most
MORE_TOKENS: Final = 40  # and so many for short texts


class Translator:
    """Lets a model translate."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def translate(
        self, text: str, language: str, *, cancelled: IsCancelled = never
    ) -> tuple[str, Generation]:
        """Return the text in the language, in one line, and what that cost.

        It is as it was when the model does not bring it into the language.

        Raises:
            ModelError, Cancelled.
        """
        prompt = self._model.encode(translation_messages(text, language))
        limit = GROWTH * self._model.count(text) + MORE_TOKENS
        stream = self._model.stream(prompt, limit_tokens=limit, cancelled=cancelled)
        written = ""
        while True:
            try:
                written += next(stream)
            except StopIteration as end:
                cost: Generation = end.value
                break
        translated = " ".join(written.split())
        failed = detection.strays(translated, language, {detection.identify(text)})
        return (text if failed or not translated else translated), cost
