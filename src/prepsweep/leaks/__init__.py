"""Guards against leaks: what makes a test no test is refused, what may do so is counted and reported."""
