"""A verdict on a dataset: does tuning on it make models less robust than tuning on as many original rows?"""
