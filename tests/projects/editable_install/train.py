import json

import library

with open("made.json", "w") as stream:
    json.dump({"version": library.__version__, "scaled": [library.scale(x) for x in range(5)]}, stream)
