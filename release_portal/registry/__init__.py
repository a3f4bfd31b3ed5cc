"""Model families, their sizes, revisions and weight files; the content-addressed store behind them."""
