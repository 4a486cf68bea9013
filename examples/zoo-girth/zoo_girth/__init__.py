"""An example plug-in of scizoo; the zoo reads the cards in this folder without importing it."""
