"""The agent that is a language model: the prompt, the endpoint, and what an answer proposes."""
