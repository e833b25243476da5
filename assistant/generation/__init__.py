"""From passages to cited text: what fits the window, the prompt, the reply and its checks."""
