"""Our macros, lore and cards beside those of the programs that players have them from."""
