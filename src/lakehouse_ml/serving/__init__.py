"""Real-time scoring over HTTP: the champion, from the registry alone, by the function that batch scores with."""
