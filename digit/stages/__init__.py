"""One module per stage; stages meet in files and never import each other.

- :mod:`settings`: the configuration keys that each one reads; a changed key reruns these stages and no others
- :mod:`download`, :mod:`synthesize`: the data, fetched or made
- :mod:`check`, :mod:`index`, :mod:`images`, :mod:`parts`, :mod:`sheet`: the data, audited and prepared; a contact sheet
- :mod:`train`, :mod:`evaluate`, :mod:`report`: networks, their metrics, and the page about them
- :mod:`plan`: what a run will cost; :mod:`doctor`: what a bug report needs
- :mod:`serve`: a local page that predicts
- :mod:`predict`, :mod:`export_network`, :mod:`export_data`: results for use outside of a run
"""
