"""One module a stage; stages meet in files and never import each other."""
