"""The jobs: one function a verb, called by the command line and as ``vismark.*``. Only here a `Result` is built."""
