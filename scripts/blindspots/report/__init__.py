"""What `report.py` makes of a grid's predictions: tables, figures, claims, changed rows and a page."""
