"""The scripted day: a simulated plant lives through months in minutes, through the code that serves a real one."""
