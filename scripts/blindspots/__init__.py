"""What two or more of the scripts share. Importing this package imports no heavy library."""
