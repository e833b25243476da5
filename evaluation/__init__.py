"""How good searches and answers are, in figures: data sets in, tables and comparisons out."""
