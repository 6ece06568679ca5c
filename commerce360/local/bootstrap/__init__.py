"""What the laptop stack needs before it can start: a Java runtime, the locked jars, the compiled converter."""
