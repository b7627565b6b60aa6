"""First-order comparison of data that people and models made: a module a type of data, findings with intervals."""
