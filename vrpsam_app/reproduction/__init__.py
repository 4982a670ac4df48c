"""The paper's experiments as commands: on its data where they are, at small scale without them."""
