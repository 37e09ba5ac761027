"""The search algorithms of sessions: Keras Tuner's, replayed from a journal, over conditional spaces."""
