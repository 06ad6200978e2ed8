"""`gatherer top`: pure parts, and the program in a terminal."""
