"""When a follow-up needs the conversation to be understood. Pure.

Rewriting every question makes drifted searches, so only a question that cannot stand alone is
rewritten: one that is short, begins like a continuation, or leans on a pronoun.
"""

import re
from typing import Final

SHORT_WORDS: Final = 3
CONTINUES: Final = re.compile(
    r"^[¿\s]*(?:and|but|so|what about|how about|or|y|e|pero|o|qué hay|et|mais|ou|und|aber|oder|"
    r"ma|oppure|mas|और|แล้ว)\b",
    re.IGNORECASE,
)
LEANS: Final = re.compile(
    r"\b(?:it|its|they|them|their|he|she|his|her|this|that|these|those|there|then|"
    r"él|ella|ellos|ellas|ello|esto|eso|esta|ese|esa|este|estos|esas|esos|su|sus|allí|entonces|"
    r"il|elle|ils|elles|lui|leur|leurs|cela|ça|ceci|celui-ci|celle-ci|son|sa|ses|là|alors|"
    r"er|sie|es|ihr|ihre|ihm|dies|diese|dieser|dieses|das|dort|damals|"
    r"esso|essa|essi|loro|questo|questa|quello|quella|lì|allora|"
    r"ele|ela|eles|elas|isso|isto|aquilo|dele|dela|seu|sua)\b",
    re.IGNORECASE,
)
LONG_WORDS: Final = 12  # a question this long carries what it needs, pronouns or not


def stands_alone(question: str) -> bool:
    """Tell whether a question can be searched without the conversation before it."""
    words = re.findall(r"\w+", question)
    if CONTINUES.match(question) or len(words) <= SHORT_WORDS:
        return False
    return len(words) >= LONG_WORDS or not LEANS.search(question)


def usable(rewritten: str, question: str) -> bool:
    """Tell whether the model's rewriting is one question and not an essay."""
    length = len(rewritten.strip())
    return 3 < length < 60 + 6 * len(question) and "\n" not in rewritten.strip()
